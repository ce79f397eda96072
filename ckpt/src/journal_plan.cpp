#include "journal_plan.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <random>
#include <utility>

#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/private_files.hpp"
#include "hex.hpp"

namespace cairn::ckpt {

using consensus::JournalHead;
using consensus::JournalIdentity;
using Heads = std::vector<std::optional<JournalHead>>;

namespace {

constexpr std::string_view magic = "cairn-journal 1 ";
constexpr int nodes_max = 9;

std::optional<JournalIdentity> identity_of(std::string_view hex) {
  JournalIdentity identity;
  if (hex.size() != 2 * identity.size()) return std::nullopt;
  for (std::size_t i = 0; i < identity.size(); ++i) {
    unsigned value = 0;
    const auto* const begin = hex.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, value, 16);
    if (error != std::errc{} || end != begin + 2) return std::nullopt;
    identity[i] = static_cast<std::byte>(value);
  }
  return identity;
}

std::string text_of(const JournalFile& file) {
  return std::string(magic) + hex_of(file.identity) + ' ' + std::to_string(file.nodes) +
         (file.state == JournalFile::State::made ? " made\n" : " begun\n");
}

/// Whether both are of one checkpoint directory.
bool are_of_one_job(const JournalIdentity& a, const JournalIdentity& b) {
  return std::equal(a.begin(), a.begin() + a.size() / 2, b.begin());
}

/// The journal that most directories are of, among those of this job; nothing when there are none.
std::optional<JournalHead> most_of(const Heads& heads, const JournalIdentity& fresh) {
  std::map<JournalIdentity, int> counts;
  std::optional<JournalHead> best;
  for (const auto& head : heads) {
    if (!head || !are_of_one_job(head->identity, fresh)) continue;
    const int count = ++counts[head->identity];
    if (!best || count > counts[best->identity]) best = head;
  }
  return best;
}

void refuse_other_jobs(const Heads& heads, const std::vector<std::string>& hosts,
                       const JournalIdentity& own, const JournalIdentity& fresh) {
  for (std::size_t h = 0; h < heads.size(); ++h) {
    if (!heads[h] || heads[h]->identity == own || are_of_one_job(heads[h]->identity, fresh))
      continue;
    throw Error(Errc::usage, "the journal directory of " + hosts[h] +
                                 " holds the journal of another job, or of a checkpoint directory "
                                 "that was moved away; name another one, or remove it");
  }
}

/// Whether the host has no journal of any kind.
bool is_free(const FoundHeads& found, std::size_t host) {
  return !found.heads[host] && (found.unreadable.empty() || found.unreadable[host] == 0);
}

/// How many nodes a journal has that is made on so many hosts.
int nodes_for(std::size_t hosts) {
  const int count = static_cast<int>(std::min<std::size_t>(hosts, nodes_max));
  return count - (count > 0 && count % 2 == 0 ? 1 : 0);
}

/// Of two directories with one number: why the host of the second keeps nothing.
std::string why_not(const JournalHead& kept, const JournalHead& other, const std::string& keeper,
                    const std::string& host) {
  if (!kept.is_copy && !other.is_copy)
    return "the hosts " + keeper + " and " + host +
           " have the same journal directory, or one a copy of the other's, and " + host +
           " keeps nothing in this launch; name one that is local to each, with %h in it for the "
           "name of the host";
  return host + " keeps nothing of the job journal in this launch: node " +
         std::to_string(other.node) + ", of which it has a copy, is kept by " + keeper;
}

/// The numbers that are found: an original has its own, of copies the first.
void take_found(JournalPlan& plan, const Heads& heads, const std::vector<std::string>& hosts) {
  std::map<int, std::size_t> host_of;
  const auto is_of_plan = [&](const auto& head) {
    return head && head->identity == plan.identity && head->nodes == plan.nodes;
  };
  for (const bool are_copies : {false, true})
    for (std::size_t h = 0; h < heads.size(); ++h)
      if (is_of_plan(heads[h]) && heads[h]->is_copy == are_copies)
        host_of.emplace(heads[h]->node, h);
  for (std::size_t h = 0; h < heads.size(); ++h) {
    if (!is_of_plan(heads[h])) continue;
    const auto keeper = host_of.at(heads[h]->node);
    if (keeper == h)
      plan.node_of_host[h] = heads[h]->node;
    else
      plan.warnings.push_back(why_not(*heads[keeper], *heads[h], hosts[keeper], hosts[h]));
  }
}

/// Gives the numbers from `numbers` to hosts that have no journal of any kind.
void give_out(JournalPlan& plan, std::vector<int> numbers, const FoundHeads& found) {
  std::reverse(numbers.begin(), numbers.end());
  for (std::size_t h = 0; h < found.heads.size() && !numbers.empty(); ++h) {
    if (plan.node_of_host[h] >= 0 || !is_free(found, h)) continue;
    plan.node_of_host[h] = numbers.back();
    numbers.pop_back();
  }
}

void begin_anew(JournalPlan& plan, const FoundHeads& found, const JournalIdentity& fresh) {
  plan.is_new = true;
  plan.identity = fresh;
  std::size_t free = 0;
  for (std::size_t h = 0; h < found.heads.size(); ++h)
    if (is_free(found, h)) ++free;
  plan.nodes = nodes_for(free);
  std::vector<int> numbers;
  for (int node = 0; node < plan.nodes; ++node) numbers.push_back(node);
  give_out(plan, std::move(numbers), found);
  if (plan.nodes == 0)
    plan.warnings.emplace_back(
        "no host can keep the job journal: all their journal directories hold older ones, or "
        "cannot be read; remove those");
}

/// What there is to say when `lost` are kept by no host that has brought them.
std::string warning_of_loss(const JournalPlan& plan, const std::vector<int>& lost, int copies) {
  const auto originals = plan.nodes - static_cast<int>(lost.size()) - copies;
  std::string names;
  for (const int node : lost) names += (names.empty() ? "" : ", ") + std::to_string(node);
  auto text = "of the " + std::to_string(plan.nodes) + " directories of the job journal " +
              std::to_string(originals) + (originals == 1 ? " is" : " are") + " here";
  if (copies > 0) text += ", with copies of " + std::to_string(copies) + ", which do not vote";
  return text + "; no host has that of node " + names +
         (plan.is_majority_lost ? ", so the majority is lost: nothing is added to the journal "
                                  "until it is back, or all are removed"
                                : ", and the others go on");
}

void go_on(JournalPlan& plan, const FoundHeads& found, const std::vector<std::string>& hosts) {
  take_found(plan, found.heads, hosts);
  int copies = 0;
  std::vector<int> lost;
  for (int node = 0; node < plan.nodes; ++node) {
    const auto keeper = std::find(plan.node_of_host.begin(), plan.node_of_host.end(), node);
    if (keeper == plan.node_of_host.end())
      lost.push_back(node);
    else if (found.heads[static_cast<std::size_t>(keeper - plan.node_of_host.begin())]->is_copy)
      ++copies;
  }
  if (lost.empty()) return;
  plan.is_majority_lost = 2 * (plan.nodes - static_cast<int>(lost.size()) - copies) <= plan.nodes;
  plan.warnings.push_back(warning_of_loss(plan, lost, copies));
  give_out(plan, std::move(lost), found);
}

}  // namespace

std::optional<JournalFile> read_journal_file(const std::filesystem::path& directory) {
  const auto path = directory / JournalFile::file_name;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::nullopt;
  const auto text = read_regular_file(path);
  if (text.size() < magic.size() + 34) return std::nullopt;
  const auto identity = identity_of(std::string_view(text).substr(magic.size(), 32));
  const int nodes = text[magic.size() + 33] - '0';
  if (!identity || nodes < 1 || nodes > nodes_max) return std::nullopt;
  for (const auto state : {JournalFile::State::begun, JournalFile::State::made}) {
    const JournalFile file{*identity, nodes, state};
    if (text_of(file) == text) return file;
  }
  return std::nullopt;
}

void write_journal_file(const std::filesystem::path& directory, const JournalFile& file) {
  write_file_atomically(directory / JournalFile::file_name, text_of(file), FileAccess::owner);
}

JournalIdentity fresh_journal_identity(const std::filesystem::path& checkpoint_directory) {
  auto identity =
      consensus::journal_identity(std::filesystem::weakly_canonical(checkpoint_directory).string());
  std::random_device device;
  for (auto byte = identity.begin() + identity.size() / 2; byte != identity.end(); ++byte)
    *byte = static_cast<std::byte>(device());
  return identity;
}

JournalPlan plan_journal(const std::optional<JournalFile>& file, const FoundHeads& all,
                         const std::vector<std::string>& hosts, const JournalIdentity& fresh) {
  auto found = all;
  auto& heads = found.heads;
  JournalPlan plan;
  plan.node_of_host.assign(heads.size(), -1);
  plan.has_remains.assign(heads.size(), 0);
  const bool is_unfinished = file && file->state == JournalFile::State::begun;
  if (is_unfinished) {
    for (std::size_t h = 0; h < heads.size(); ++h) {
      if (!heads[h] || heads[h]->identity != file->identity) continue;
      plan.has_remains[h] = 1;
      heads[h].reset();
    }
  }
  refuse_other_jobs(heads, hosts, file ? file->identity : fresh, fresh);
  if (file && !is_unfinished) {
    plan.identity = file->identity;
    plan.nodes = file->nodes;
    const auto is_own = [&](const auto& head) { return head && head->identity == plan.identity; };
    if (std::any_of(heads.begin(), heads.end(), is_own)) {
      go_on(plan, found, hosts);
      return plan;
    }
    if (std::count(found.unreadable.begin(), found.unreadable.end(), 0) !=
        std::ssize(found.unreadable)) {
      plan.nodes = 0;  // those that cannot be read may be the journal's
      plan.warnings.emplace_back("the job journal is not kept in this launch");
      return plan;
    }
    plan.warnings.emplace_back(
        "no host has its directory of the job journal any more, and a new journal begins");
  } else if (const auto best = is_unfinished ? std::nullopt : most_of(heads, fresh)) {
    plan.identity = best->identity;
    plan.nodes = best->nodes;
    go_on(plan, found, hosts);
    return plan;
  }
  begin_anew(plan, found, fresh);
  return plan;
}

}  // namespace cairn::ckpt
