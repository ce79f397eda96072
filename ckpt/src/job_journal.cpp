#include "job_journal.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/check.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::ckpt {

using consensus::JournalEntry;
using consensus::JournalHead;
using transport::TcpEndpoint;
using transport::TcpSecret;
using Kind = JournalEntry::Kind;

namespace {

/// Short, since a launch that is short waits for an election at its end: 0.2 to 0.4 s.
constexpr std::chrono::milliseconds tick{20};

/// So much later than this rank may one that keeps a node find out that others hang: as in
/// watch_seconds().
constexpr std::chrono::seconds turns{2};

std::size_t index(int i) { return static_cast<std::size_t>(i); }

/// Values of some ranks, as bytes: all ranks run one program.
template <typename T>
requires std::is_trivially_copyable_v<T> std::vector<std::optional<T>> values_of_all(
    const Communicator& comm, const std::optional<T>& mine) {
  std::string bytes;
  if (mine) bytes.assign(reinterpret_cast<const char*>(&*mine), sizeof(T));
  std::vector<std::optional<T>> values;
  for (const auto& words : words_of_all(comm, bytes)) {
    auto& value = values.emplace_back();
    if (words.size() == sizeof(T)) std::memcpy(&value.emplace(), words.data(), sizeof(T));
  }
  return values;
}

/// The word of rank 0. Collective.
TcpSecret secret_of_job(const Communicator& comm) {
  auto bytes = TcpSecret::random().bytes();
  std::array<unsigned char, TcpSecret::size_bytes> told{};
  std::memcpy(told.data(), bytes.data(), bytes.size());
  bcast(comm, std::span<unsigned char>(told));
  std::memcpy(bytes.data(), told.data(), bytes.size());
  return TcpSecret(bytes);
}

}  // namespace

JobJournal::JobJournal(const Communicator& comm, FailureDomains domains, JobJournalOptions options)
    : comm_(comm), domains_(std::move(domains)) {
  exchange_former(options);
  const auto host = domains_.host_of[index(comm_.rank())];
  directory_ = path_on(domains_.hosts[index(host)], options.directory);
  plan(options);
  if (plan_.nodes == 0) return;
  if (domains_.index_on_host[index(comm_.rank())] == 0) node_ = plan_.node_of_host[index(host)];
  if (plan_.is_new) {
    if (!name_journal(options, JournalFile::State::begun)) return;
    make_directory();
    barrier(comm_);  // whoever has made it first has written whose it is
    together(comm_, [&] { refuse_shared_directory(); });
  }
  if (!name_journal(options, JournalFile::State::made)) return;
  open();
  gather_failures();
  start(options.former);
}

/// What rank 0 knows of the claim before this one, on all ranks.
void JobJournal::exchange_former(JobJournalOptions& options) {
  std::array<std::uint64_t, 4> told{options.launch.incarnation, options.former.incarnation,
                                    static_cast<std::uint64_t>(options.former.kind),
                                    options.former.is_released ? 1U : 0U};
  bcast(comm_, std::span<std::uint64_t>(told));
  for (auto* const text : {&options.former.owner, &options.former.nonce, &options.launch.nonce})
    bcast(comm_, into(*text));
  options.launch.incarnation = told[0];
  launch_ = options.launch;
  options.former.incarnation = told[1];
  options.former.kind = static_cast<FormerClaim::Kind>(told[2]);
  options.former.is_released = told[3] != 0;
}

/// Who keeps what, by what the hosts have. The same on all ranks.
void JobJournal::plan(const JobJournalOptions& options) {
  std::optional<JournalHead> head;
  std::optional<JournalFile> file;
  JournalPlan fresh;
  const bool is_first_of_host = domains_.index_on_host[index(comm_.rank())] == 0;
  if (is_first_of_host) {
    if (const auto problem =
            detail::error_of([&] { head = consensus::read_journal_head(directory_); }))
      failure_ = problem->what();
  }
  const bool is_read = try_at_root([&] {
    fresh.identity = fresh_journal_identity(options.checkpoint_directory);
    file = read_journal_file(options.checkpoint_directory);
  });
  if (!is_read) return;
  file_ = values_of_all(comm_, file).front();
  const auto fresh_of_root =
      values_of_all(comm_, std::optional(fresh.identity)).front().value_or(fresh.identity);
  const auto of_ranks = values_of_all(comm_, head);
  const auto problems = words_of_all(comm_, std::exchange(failure_, {}));
  FoundHeads found;
  for (std::size_t h = 0; h < domains_.hosts.size(); ++h) {
    const auto rank = index(domains_.ranks_of[h].front());
    found.heads.push_back(of_ranks[rank]);
    found.unreadable.push_back(problems[rank].empty() ? 0 : 1);
    if (!problems[rank].empty())
      warnings_.push_back(domains_.hosts[h] +
                          " keeps nothing of the job journal in this launch, since nobody knows "
                          "what it has: " +
                          problems[rank]);
  }
  together(comm_, [&] { plan_ = plan_journal(file_, found, domains_.hosts, fresh_of_root); });
  warnings_.insert(warnings_.end(), plan_.warnings.begin(), plan_.warnings.end());
}

/// Says in the checkpoint directory which journal is its own; false, with a warning, when that
/// fails. Entries then would stand in what the next launch takes for unfinished.
bool JobJournal::name_journal(const JobJournalOptions& options, JournalFile::State state) {
  const JournalFile file{plan_.identity, plan_.nodes, state};
  if (file_ == file) return true;
  file_ = file;
  return try_at_root([&] { write_journal_file(options.checkpoint_directory, file); });
}

/// Whether rank 0 could do it; else nobody keeps a journal in this launch. Collective.
bool JobJournal::try_at_root(const std::function<void()>& work) {
  std::string problem;
  if (comm_.is_root())
    if (const auto error = detail::error_of(work)) problem = error->what();
  problem = words_of_all(comm_, problem).front();
  if (problem.empty()) return true;
  warnings_.push_back("no job journal is kept by this launch: " + problem);
  return false;
}

consensus::JournalOptions JobJournal::node_options() const {
  return {.identity = plan_.identity, .node = node_, .nodes = plan_.nodes, .tick = tick};
}

/// This host's directory of a new journal.
void JobJournal::make_directory() {
  if (!keeps()) return;
  const auto host = domains_.host_of[index(comm_.rank())];
  const auto problem = detail::error_of([&] {
    if (plan_.has_remains[index(host)] != 0)
      for (const auto* name : {"journal.log", "journal.raft"})
        std::filesystem::remove(directory_ / name);
    consensus::create_journal(directory_, node_options());
  });
  if (problem) failure_ = problem->what();
}

/// Where it was not made, for this host has no node or for it could not be: whether another host
/// has just made it.
void JobJournal::refuse_shared_directory() const {
  if (domains_.index_on_host[index(comm_.rank())] != 0 || keeps()) return;
  std::optional<JournalHead> head;
  (void)detail::error_of([&] { head = consensus::read_journal_head(directory_); });
  if (!head || head->identity != plan_.identity || head->node == node_) return;
  throw Error(Errc::usage, directory_.string() +
                               " is the journal directory of more than one host; name one that is "
                               "local to each, with %h in it for the name of the host");
}

/// Endpoints are exchanged, and the nodes read their directories.
void JobJournal::open() {
  const auto machines = words_of_all(comm_, machine_name());
  const bool is_one_machine = std::set<std::string>(machines.begin(), machines.end()).size() == 1;
  const auto secret = secret_of_job(comm_);
  std::unique_ptr<JournalKeeper::Network> network;
  std::string mine;
  if (keeps()) {
    if (const auto problem = detail::error_of([&] {
          const auto* const address = is_one_machine ? "127.0.0.1" : "0.0.0.0";
          network = std::make_unique<JournalKeeper::Network>(
              node_, secret, transport::TcpOptions{.bind = {.host = address}});
        }))
      failure_ = problem->what();
  }
  if (keeps()) mine = std::to_string(network->mesh().endpoint().port);
  const auto ports = words_of_all(comm_, mine);
  std::vector<TcpEndpoint> endpoints(index(plan_.nodes));  // with port 0 of those who are not here
  for (std::size_t h = 0; h < domains_.hosts.size(); ++h) {
    const auto rank = index(domains_.ranks_of[h].front());
    if (plan_.node_of_host[h] < 0 || ports[rank].empty()) continue;
    endpoints[index(plan_.node_of_host[h])] = {
        .host = is_one_machine ? "127.0.0.1" : machines[rank],
        .port = static_cast<std::uint16_t>(std::stoi(ports[rank]))};
  }
  if (!keeps()) return;
  if (const auto problem = detail::error_of([&] {
        meet(network->mesh(), endpoints);
        keeper_ = std::make_unique<JournalKeeper>(std::move(network), directory_, node_options(),
                                                  launch_);
      }))
    failure_ = problem->what();
}

/// A node whose host has no address here counts as absent; it may still call this one.
void JobJournal::meet(transport::TcpMesh& mesh, const std::vector<TcpEndpoint>& endpoints) {
  mesh.start(std::vector<TcpEndpoint>(endpoints.size()));
  for (int node = 0; node < plan_.nodes; ++node) {
    const auto& endpoint = endpoints[index(node)];
    if (node == node_ || endpoint.port == 0) continue;
    if (const auto problem = detail::error_of([&] { mesh.move_peer(node, endpoint); }))
      unreachable_ += (unreachable_.empty() ? "" : ", ") + std::string(problem->what());
  }
}

/// All ranks learn who does not keep a node, or not well.
void JobJournal::gather_failures() {
  const auto failures = words_of_all(comm_, failure_);
  const auto troubles = words_of_all(comm_, keeper_ ? keeper_->trouble_at_start() : std::string());
  const auto unreachable = words_of_all(comm_, unreachable_);
  int voters = 0;
  int first = comm_.size();
  const auto states =
      words_of_all(comm_, keeper_ ? (keeper_->votes_at_start() ? "votes" : "copy") : "");
  for (int r = comm_.size() - 1; r >= 0; --r) {
    const auto& state = states[index(r)];
    const bool is_better = first == comm_.size() || states[index(first)] == "copy";
    if (state == "votes" || (state == "copy" && is_better)) first = r;
    if (state == "votes") ++voters;
  }
  is_writer_ = first == comm_.rank();
  has_keepers_ = first < comm_.size();
  for (int r = 0; r < comm_.size(); ++r) {
    const auto& host = domains_.hosts[index(domains_.host_of[index(r)])];
    if (!failures[index(r)].empty())
      warnings_.push_back(host +
                          " does not keep its node of the job journal: " + failures[index(r)]);
    if (!troubles[index(r)].empty()) warnings_.push_back(host + ": " + troubles[index(r)]);
    if (!unreachable[index(r)].empty())
      warnings_.push_back(host +
                          " cannot call other nodes of the job journal: " + unreachable[index(r)]);
  }
  if (2 * voters <= plan_.nodes && !plan_.is_majority_lost)
    warnings_.push_back("the job journal has no majority of its nodes: " + std::to_string(voters) +
                        " of " + std::to_string(plan_.nodes) +
                        " are here and whole; nothing is added to it");
}

void JobJournal::start(const FormerClaim& former) {
  if (!keeper_) return;
  if (!is_writer_) return keeper_->start(std::nullopt, {});
  keeper_->start(entry(Kind::launch, 0, launch_text(comm_.size(), domains_.hosts.size(), launch_)),
                 former);
}

JournalEntry JobJournal::entry(Kind kind, std::uint64_t epoch, std::string text) const {
  return {.kind = kind,
          .incarnation = launch_.incarnation,
          .epoch = epoch,
          .ranks = comm_.size(),
          .text = std::move(text)};
}

std::string JobJournal::take_trouble() { return keeper_ ? keeper_->take_trouble() : std::string(); }

void JobJournal::append(Kind kind, std::uint64_t epoch, std::string text) {
  if (is_writer_) keeper_->append(entry(kind, epoch, std::move(text)));
}

void JobJournal::end(std::string reason, JournalKeeper::Patience patience) {
  if (!keeper_) return;
  std::optional<JournalEntry> ending;
  if (is_writer_) ending = entry(Kind::ending, 0, std::move(reason));
  keeper_->stop(std::move(ending), patience);
}

void JobJournal::end_for_all(std::string reason, JournalKeeper::Patience patience) {
  if (keeper_) return keeper_->stop(entry(Kind::ending, 0, std::move(reason)), patience);
  if (has_keepers_) std::this_thread::sleep_for(patience.with_majority + turns);
}

}  // namespace cairn::ckpt
