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

/// How many nodes a journal has that is made on so many hosts.
int nodes_for(std::size_t hosts) {
  const int count = static_cast<int>(std::min<std::size_t>(hosts, nodes_max));
  return count - (count > 0 && count % 2 == 0 ? 1 : 0);
}

/// The numbers that are found. @throws Error{Errc::usage} for one that is found twice
void take_found(JournalPlan& plan, const Heads& heads, const std::vector<std::string>& hosts) {
  std::map<int, std::size_t> host_of;
  for (std::size_t h = 0; h < heads.size(); ++h) {
    if (!heads[h] || heads[h]->identity != plan.identity || heads[h]->nodes != plan.nodes) continue;
    const int node = heads[h]->node;
    const auto [other, is_first] = host_of.emplace(node, h);
    if (!is_first) {
      throw Error(Errc::usage, "the hosts " + hosts[other->second] + " and " + hosts[h] +
                                   " have the same journal directory; name one that is local to "
                                   "each, with %h in it for the name of the host");
    }
    plan.node_of_host[h] = node;
  }
}

/// Gives the numbers from `numbers` to hosts that have no journal of any kind.
void give_out(JournalPlan& plan, std::vector<int> numbers, const Heads& heads) {
  std::reverse(numbers.begin(), numbers.end());
  for (std::size_t h = 0; h < heads.size() && !numbers.empty(); ++h) {
    if (plan.node_of_host[h] >= 0 || heads[h]) continue;
    plan.node_of_host[h] = numbers.back();
    numbers.pop_back();
  }
}

void begin_anew(JournalPlan& plan, const Heads& heads, const JournalIdentity& fresh) {
  plan.is_new = true;
  plan.identity = fresh;
  plan.nodes = nodes_for(static_cast<std::size_t>(
      std::count_if(heads.begin(), heads.end(), [](const auto& head) { return !head; })));
  std::vector<int> numbers;
  for (int node = 0; node < plan.nodes; ++node) numbers.push_back(node);
  give_out(plan, std::move(numbers), heads);
  if (plan.nodes == 0)
    plan.warnings.emplace_back(
        "no host can keep the job journal: all their journal directories hold older ones; remove "
        "those");
}

void go_on(JournalPlan& plan, const Heads& heads, const std::vector<std::string>& hosts) {
  take_found(plan, heads, hosts);
  std::vector<int> lost;
  std::string names;
  for (int node = 0; node < plan.nodes; ++node) {
    if (std::count(plan.node_of_host.begin(), plan.node_of_host.end(), node) != 0) continue;
    lost.push_back(node);
    names += (names.empty() ? "" : ", ") + std::to_string(node);
  }
  if (lost.empty()) return;
  const auto found = plan.nodes - static_cast<int>(lost.size());
  give_out(plan, lost, heads);
  plan.warnings.push_back(
      "of the " + std::to_string(plan.nodes) + " directories of the job journal " +
      std::to_string(found) + (found == 1 ? " is" : " are") + " here; no host has that of node " +
      names +
      (2 * found > plan.nodes ? ", and the others go on"
                              : ", so the majority is lost: nothing is added to the journal until "
                                "it is back, or all are removed"));
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

JournalPlan plan_journal(const std::optional<JournalFile>& file, const Heads& found,
                         const std::vector<std::string>& hosts, const JournalIdentity& fresh) {
  auto heads = found;
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
      go_on(plan, heads, hosts);
      return plan;
    }
    plan.warnings.emplace_back(
        "no host has its directory of the job journal any more, and a new journal begins");
  } else if (const auto best = is_unfinished ? std::nullopt : most_of(heads, fresh)) {
    plan.identity = best->identity;
    plan.nodes = best->nodes;
    go_on(plan, heads, hosts);
    return plan;
  }
  begin_anew(plan, heads, fresh);
  return plan;
}

}  // namespace cairn::ckpt
