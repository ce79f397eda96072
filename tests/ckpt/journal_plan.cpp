// Who keeps which node of the job journal, and what a launch says of those before it.

#include "journal_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"
#include "job_story.hpp"
#include "scratch.hpp"

namespace {

using cairn::ckpt::FormerClaim;
using cairn::ckpt::JournalFile;
using cairn::ckpt::JournalPlan;
using cairn::ckpt::plan_journal;
using cairn::consensus::JournalEntry;
using cairn::consensus::JournalHead;
using cairn::consensus::JournalIdentity;
using Heads = std::vector<std::optional<JournalHead>>;
using Kind = JournalEntry::Kind;

JournalIdentity identity(int job, int life) {
  JournalIdentity bytes{};
  bytes.front() = static_cast<std::byte>(job);
  bytes.back() = static_cast<std::byte>(life);
  return bytes;
}

const auto own = identity(1, 1);
const auto fresh = identity(1, 9);

std::vector<std::string> names(std::size_t count) {
  std::vector<std::string> hosts;
  for (std::size_t h = 0; h < count; ++h) hosts.push_back("host" + std::to_string(h));
  return hosts;
}

JournalPlan plan(const std::optional<JournalFile>& file, const Heads& heads) {
  return plan_journal(file, {.heads = heads}, names(heads.size()), fresh);
}

JournalFile made(int nodes) { return {own, nodes, JournalFile::State::made}; }

std::string refusal(const std::optional<JournalFile>& file, const Heads& heads) {
  try {
    (void)plan(file, heads);
  } catch (const cairn::Error& error) {
    CHECK(error.code() == cairn::Errc::usage);
    return error.what();
  }
  return {};
}

/// No number twice, and none out of range.
void check_numbers(const JournalPlan& plan) {
  std::set<int> seen;
  for (const int node : plan.node_of_host) {
    if (node < 0) continue;
    CHECK(node < plan.nodes);
    CHECK(seen.insert(node).second);
  }
}

}  // namespace

TEST_CASE("a new journal has an odd number of nodes, on the first hosts") {
  const std::vector<int> wanted{0, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 9};
  for (std::size_t hosts = 1; hosts < wanted.size(); ++hosts) {
    const auto made = plan({}, Heads(hosts));
    CHECK(made.is_new);
    CHECK(made.identity == fresh);
    CHECK(made.nodes == wanted[hosts]);
    CHECK(made.warnings.empty());
    for (std::size_t h = 0; h < hosts; ++h)
      CHECK(made.node_of_host[h] == (static_cast<int>(h) < made.nodes ? static_cast<int>(h) : -1));
  }
}

TEST_CASE("directories keep their numbers wherever they are, and lost numbers are given out") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const cairn::Random random(seed);
    std::uint64_t draws = 0;
    const auto below = [&](int n) {
      return static_cast<int>(random.below(draws++, static_cast<std::uint64_t>(n)));
    };
    const int nodes = 1 + below(9);
    const int hosts = 1 + below(12);
    Heads heads(static_cast<std::size_t>(hosts));
    std::map<int, std::size_t> where;
    for (int node = 0; node < nodes; ++node) {
      const auto host = static_cast<std::size_t>(below(2 * hosts));  // half of them are lost
      if (host >= heads.size() || heads[host]) continue;
      heads[host] = JournalHead{own, node, nodes};
      where[node] = host;
    }
    for (auto& head : heads)
      if (!head && below(6) == 0) head = JournalHead{identity(1, 2), below(3), 3};  // an older life
    const auto free =
        std::count_if(heads.begin(), heads.end(), [](const auto& head) { return !head; });
    CAPTURE(seed);
    const auto made_plan = plan(made(nodes), heads);
    check_numbers(made_plan);
    if (where.empty()) {
      CHECK(made_plan.is_new);
      CHECK(made_plan.identity == fresh);
      continue;
    }
    CHECK_FALSE(made_plan.is_new);
    CHECK(made_plan.identity == own);
    CHECK(made_plan.nodes == nodes);
    for (const auto& [node, host] : where) CHECK(made_plan.node_of_host[host] == node);
    const auto given = std::count_if(made_plan.node_of_host.begin(), made_plan.node_of_host.end(),
                                     [](int node) { return node >= 0; });
    const auto lost = nodes - static_cast<int>(where.size());
    CHECK(given ==
          static_cast<std::ptrdiff_t>(where.size()) + std::min<std::ptrdiff_t>(lost, free));
    for (std::size_t h = 0; h < heads.size(); ++h)
      if (heads[h] && heads[h]->identity != own) CHECK(made_plan.node_of_host[h] == -1);
    CHECK(made_plan.warnings.empty() == (lost == 0));
    if (lost == 0) continue;
    const bool is_majority = 2 * where.size() > static_cast<std::size_t>(nodes);
    CHECK((made_plan.warnings[0].find("the majority is lost") == std::string::npos) == is_majority);
  }
}

TEST_CASE("what was never finished is made again, under another name") {
  const JournalFile begun{own, 3, JournalFile::State::begun};
  const auto again = plan(begun, {JournalHead{own, 0, 3}, {}, {}});
  CHECK(again.is_new);
  CHECK(again.identity == fresh);
  CHECK(again.node_of_host == std::vector<int>{0, 1, 2});
  CHECK(again.has_remains == std::vector<char>{1, 0, 0});
}

TEST_CASE("without the file the journal of most directories goes on, if it is this job's") {
  const JournalHead old{identity(1, 2), 0, 3};
  const auto adopted = plan({}, {old, JournalHead{own, 2, 3}, JournalHead{own, 0, 3}, {}});
  CHECK_FALSE(adopted.is_new);
  CHECK(adopted.identity == own);
  CHECK(adopted.node_of_host == std::vector<int>{-1, 2, 0, 1});
}

TEST_CASE("a host that is back after its number was given away: the original has it") {
  const auto original = [](int node) { return JournalHead{own, node, 3}; };
  const auto copy = [](int node) { return JournalHead{own, node, 3, true}; };
  const auto back = plan(made(3), {copy(0), original(1), original(0), copy(0)});
  CHECK(back.node_of_host == std::vector<int>{-1, 1, 0, -1});
  REQUIRE(back.warnings.size() == 3);
  CHECK(back.warnings[0].find("host0 keeps nothing") == 0);
  CHECK(back.warnings[0].find("node 0, of which it has a copy, is kept by host2") !=
        std::string::npos);
  CHECK(back.warnings[1].find("host3 keeps nothing") == 0);
  CHECK(back.warnings[2].find("2 are here; no host has that of node 2, and the others go on") !=
        std::string::npos);
  const auto copies = plan(made(3), {original(1), copy(0), original(2), copy(0)});
  CHECK(copies.node_of_host == std::vector<int>{1, 0, 2, -1});
  CHECK(copies.warnings.size() == 1);
}

TEST_CASE("copies do not vote: a second minority that is lost may be the majority") {
  const JournalHead first{own, 0, 3};
  const JournalHead copy{own, 1, 3, true};
  const auto lost = plan(made(3), {first, copy, {}});
  CHECK(lost.node_of_host == std::vector<int>{0, 1, 2});
  CHECK(lost.is_majority_lost);
  REQUIRE(lost.warnings.size() == 1);
  CHECK(lost.warnings[0].find("1 is here, with copies of 1") != std::string::npos);
  CHECK(lost.warnings[0].find("that of node 2, so the majority is lost") != std::string::npos);
  CHECK_FALSE(plan(made(3), {first, copy, JournalHead{own, 2, 3}}).is_majority_lost);
}

TEST_CASE("a host whose directory cannot be read keeps nothing and gets nothing") {
  const auto planned = [](const std::optional<JournalFile>& file, const Heads& heads) {
    return plan_journal(file, {.heads = heads, .unreadable = {1, 0, 0}}, names(3), fresh);
  };
  CHECK(planned({}, Heads(3)).node_of_host == std::vector<int>{-1, 0, -1});
  CHECK(planned(made(3), {{}, JournalHead{own, 1, 3}, {}}).node_of_host ==
        std::vector<int>{-1, 1, 0});
  const auto unknown = planned(made(3), Heads(3));  // it may be the journal's: no new one begins
  CHECK(unknown.nodes == 0);
  CHECK_FALSE(unknown.is_new);
  CHECK(unknown.warnings.size() == 1);
}

TEST_CASE("other jobs' directories are refused; of two hosts with the same one keeps it") {
  const JournalHead foreign{identity(2, 1), 0, 3};
  CHECK(refusal({}, {foreign, {}, {}}).find("host0 holds the journal of another job") !=
        std::string::npos);
  CHECK(refusal(made(3), {JournalHead{own, 0, 3}, foreign}).find("host1 holds") !=
        std::string::npos);
  const JournalHead same{own, 1, 3};
  const auto shared = plan(made(3), {same, JournalHead{own, 0, 3}, same});
  CHECK(shared.node_of_host == std::vector<int>{1, 0, -1});
  CHECK(shared.warnings[0].find("hosts host0 and host2 have the same") != std::string::npos);
  // The file names a journal that was made elsewhere: the checkpoint directory was moved.
  const auto moved = identity(3, 1);
  const auto found =
      plan(JournalFile{moved, 1, JournalFile::State::made}, {JournalHead{moved, 0, 1}});
  CHECK(found.node_of_host == std::vector<int>{0});
}

TEST_CASE("the file that names a journal") {
  const cairn::test::Scratch scratch;
  CHECK_FALSE(cairn::ckpt::read_journal_file(scratch.path()));
  const auto path = scratch / JournalFile::file_name;
  for (const auto state : {JournalFile::State::begun, JournalFile::State::made}) {
    const JournalFile file{cairn::ckpt::fresh_journal_identity(scratch.path()), 9, state};
    cairn::ckpt::write_journal_file(scratch.path(), file);
    CHECK(cairn::ckpt::read_journal_file(scratch.path()) == file);
    const auto size = std::filesystem::file_size(path);
    std::filesystem::resize_file(path, size - 1);
    CHECK_FALSE(cairn::ckpt::read_journal_file(scratch.path()));
  }
}

TEST_CASE("a launch says what those before have left unsaid") {
  const auto record = [](JournalEntry entry) {
    return cairn::consensus::JournalRecord{1, 1, entry};
  };
  const JournalEntry launch{.kind = Kind::launch, .incarnation = 4, .ranks = 4};
  const auto said = [&](std::vector<cairn::consensus::JournalRecord> before,
                        const FormerClaim& former) {
    return cairn::ckpt::left_unsaid(before, former, launch);
  };
  const cairn::ckpt::LaunchName third{.incarnation = 3, .nonce = "0123456789abcdef"};
  const auto first = record({.kind = Kind::launch,
                             .incarnation = 3,
                             .ranks = 4,
                             .text = cairn::ckpt::launch_text(4, 2, third)});
  const auto ended = record({.kind = Kind::ending, .incarnation = 3});
  const FormerClaim in_order{.incarnation = 3, .is_released = true, .nonce = third.nonce};
  const FormerClaim dead{.incarnation = 3, .nonce = third.nonce};
  const FormerClaim another{.incarnation = 3, .nonce = "fedcba9876543210"};

  CHECK(said({}, {}).empty());
  CHECK(said({first, ended}, in_order).empty());
  const auto killed =
      said({first, record({.kind = Kind::epoch, .incarnation = 3, .epoch = 7})}, dead);
  REQUIRE(killed.size() == 1);
  CHECK(killed[0].kind == Kind::fault);
  CHECK(killed[0].incarnation == 3);
  CHECK(killed[0].epoch == 7);

  CHECK(said({first}, {.incarnation = 5}).size() == 2);  // one came between them, and died

  // A thread has ended the process, and has said so: it could not release its claim.
  CHECK(said({first, ended}, dead).empty());

  // It died before an entry was final; its number may be that of an older launch.
  for (const auto& before :
       {std::vector{first, ended}, std::vector<cairn::consensus::JournalRecord>{}}) {
    const auto silent = said(before, another);
    REQUIRE(silent.size() == 1);
    CHECK(silent[0].kind == Kind::fault);
    CHECK(silent[0].text.find("nothing of it has come here") != std::string::npos);
  }

  const auto changed =
      said({record({.kind = Kind::launch, .incarnation = 3, .ranks = 2}), ended}, in_order);
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].kind == Kind::ranks);
  CHECK(changed[0].ranks == 4);
  CHECK(changed[0].text == "4 instead of 2");

  const auto fenced =
      said({first}, {.incarnation = 3, .kind = FormerClaim::Kind::by_operator, .owner = "ada"});
  REQUIRE(fenced.size() == 2);
  CHECK(fenced[0].kind == Kind::fault);
  CHECK(fenced[1].kind == Kind::operation);
  CHECK(fenced[1].text.find("ada") != std::string::npos);
}

TEST_CASE("an ending is that of a launch when it stands behind its entry") {
  using cairn::ckpt::has_ended;
  using cairn::ckpt::LaunchName;
  const LaunchName old{.incarnation = 1, .nonce = "0123456789abcdef"};
  const LaunchName now{.incarnation = 1, .nonce = "fedcba9876543210"};  // in a fresh directory
  std::vector<cairn::consensus::JournalRecord> records;
  const auto add = [&](JournalEntry entry) { records.push_back({records.size() + 1, 1, entry}); };
  CHECK_FALSE(has_ended(records, old));
  add({.kind = Kind::launch, .incarnation = 1, .text = cairn::ckpt::launch_text(1, 1, old)});
  CHECK(records.back().entry.text == "1 rank on 1 node, claim 01234567");
  CHECK_FALSE(has_ended(records, old));
  add({.kind = Kind::ending, .incarnation = 1});
  CHECK(has_ended(records, old));
  CHECK_FALSE(has_ended(records, now));
  add({.kind = Kind::launch, .incarnation = 1, .text = cairn::ckpt::launch_text(1, 1, now)});
  CHECK_FALSE(has_ended(records, now));
  add({.kind = Kind::epoch, .incarnation = 1});
  add({.kind = Kind::ending, .incarnation = 1});
  CHECK(has_ended(records, now));
  CHECK_FALSE(has_ended(records, old));
}
