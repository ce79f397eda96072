// Replicas of a journal whose messages, ticks and disks are moved by hand.

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>

#include "cairn/core/error.hpp"
#include "disk_calls.hpp"
#include "journal_cluster.hpp"
#include "journal_disk.hpp"
#include "journal_pace.hpp"

using namespace journal_test;
using cairn::test::DiskCalls;
namespace fs = std::filesystem;

namespace {

/// Nodes whose messages arrive at once.
class Circle {
 public:
  explicit Circle(int count) : replicas_(static_cast<std::size_t>(count)) {
    for (int i = 0; i < count; ++i) {
      create_journal(directory(i), options_of(i, count));
      replica(i) = std::make_unique<JournalReplica>(directory(i), options_of(i, count));
    }
    until([&] { return leader() >= 0; });
  }
  ~Circle() {
    DiskCalls::all().let_go();
    DiskCalls::all().be_well();
    DiskCalls::all().slow_down({});
  }
  Circle(const Circle&) = delete;
  Circle& operator=(const Circle&) = delete;

  [[nodiscard]] fs::path directory(int i) const { return scratch_ / std::to_string(i); }
  JournalReplica& operator[](int i) { return *replica(i); }
  void kill(int i) { replica(i).reset(); }

  /// The one that leads, and that a majority knows of; -1 for none.
  [[nodiscard]] int leader() {
    for (int i = 0; i < size(); ++i)
      if (replica(i) && replica(i)->status().role == Raft::Role::leader &&
          replica(i)->status().has_majority)
        return i;
    return -1;
  }
  [[nodiscard]] int any_follower() { return (leader() + 1) % size(); }

  void turn() {
    for (int i = 0; i < size(); ++i) {
      if (!replica(i)) continue;
      replica(i)->tick();
      replica(i)->advance();
      const auto messages = std::exchange(replica(i)->outbox(), {});
      for (const auto& envelope : messages)
        if (replica(envelope.to)) replica(envelope.to)->step(envelope);
    }
  }
  template <typename Condition>
  void until(Condition&& holds) {
    const cairn::test::Deadline deadline;
    while (!holds()) {
      deadline.check([&] { return describe_all(replicas_); });
      turn();
      std::this_thread::sleep_for(std::chrono::microseconds(200));  // the disks are real
    }
  }

 private:
  [[nodiscard]] int size() const { return static_cast<int>(replicas_.size()); }
  std::unique_ptr<JournalReplica>& replica(int i) { return replicas_[static_cast<std::size_t>(i)]; }

  cairn::test::Scratch scratch_;
  std::vector<std::unique_ptr<JournalReplica>> replicas_;
};

/// A text for `to` to keep: one write to its disk.
Envelope<JournalMessage> text_for(int to, const std::string& text) {
  JournalMessage message{.kind = JournalMessage::Kind::text};
  for (const char letter : text) message.text.push_back(letter);
  return {to == 0 ? 1 : 0, to, message};
}

bool has(const JournalReplica& replica, std::uint64_t number) {
  const auto all = epochs(replica.entries());
  return std::find(all.begin(), all.end(), number) != all.end();
}

bool says(const JournalReplica& replica, const char* words) {
  return replica.status().trouble.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a disk that hangs in a write: its node says so, and the others do not count on it") {
  Circle circle(3);
  const int slow = circle.any_follower();
  const int leader = circle.leader();
  for (const int node : {slow, leader})
    circle.until([&] { return circle[node].status().voters_heard == 3; });
  DiskCalls::all().hold(circle.directory(slow));
  circle[slow].step(text_for(slow, "a text"));
  // Disks that are well catch up with the ticks.
  circle.until([&] { return says(circle[slow], "lags behind"); });
  circle.until([&] { return circle[slow].status().voters_heard == 2; });
  circle.until([&] { return circle[leader].status().voters_heard == 2; });
  CHECK(circle[leader].status().has_majority);
  circle.until([&] { return says(circle[slow], "lags behind"); });
  CHECK(circle[slow].status().votes);  // its directory is whole

  circle.kill(3 - slow - leader);
  circle.until([&] { return !circle[leader].status().has_majority; });
  circle.until([&] { return !circle[slow].status().has_majority; });
  DiskCalls::all().let_go();
  circle.until([&] { return circle.leader() >= 0; });
  circle.until([&] { return circle[slow].status().trouble.empty(); });
}

TEST_CASE("a disk that lags by many writes: its node is no voter at once") {
  Circle circle(3);
  const int slow = circle.any_follower();
  circle.until([&] { return circle[slow].status().voters_heard == 3; });
  DiskCalls::all().hold(circle.directory(slow));
  for (int i = 0; i < 40; ++i) circle[slow].step(text_for(slow, "text " + std::to_string(i)));
  CHECK(circle[slow].status().voters_heard == 2);
  CHECK(says(circle[slow], "lags behind"));
  DiskCalls::all().let_go();
  circle.until([&] { return circle[slow].status().voters_heard == 3; });
  CHECK(circle[slow].status().trouble.empty());
}

TEST_CASE("disks slower than an election of fast ones: there is a leader, entries are final") {
  // A turn takes a fifth of a millisecond: elections begin after 2 to 4 ms, and last two writes.
  for (const auto time : {std::chrono::milliseconds(3), std::chrono::milliseconds(20)}) {
    CAPTURE(time.count());
    DiskCalls::all().slow_down(time);
    Circle circle(3);
    for (std::uint64_t i = 1; i <= 3; ++i) {
      CHECK(circle[static_cast<int>(i % 3)].append(epoch(i)));
      circle.until([&] { return has(circle[0], i) && has(circle[1], i) && has(circle[2], i); });
    }
  }
}

TEST_CASE("of five, one disk hangs and the leader dies: another one leads") {
  Circle circle(5);
  const int leader = circle.leader();
  const int slow = circle.any_follower();
  DiskCalls::all().hold(circle.directory(slow));
  circle[slow].step(text_for(slow, "a text"));
  circle.until([&] { return says(circle[slow], "lags behind"); });
  circle.kill(leader);
  const int other = (slow + 1) % 5;
  CHECK(circle[other].append(epoch(1)));
  circle.until([&] { return circle[other].status().waiting == 0; });
}

TEST_CASE("time passes as the fastest majority of disks needs it") {
  using cairn::consensus::journal::Pace;
  const auto ticks_of = [](std::vector<std::uint32_t> lags, std::size_t majority) {
    Pace pace;
    int due = 0;
    for (int i = 0; i < 1000; ++i) {
      auto all = lags;
      due += pace.is_due(all, majority) ? 1 : 0;
    }
    return due;
  };
  CHECK(ticks_of({0, 1, 3}, 2) == 1000);
  CHECK(ticks_of({3, 400, 3}, 2) == 1000);  // one may hang
  CHECK(ticks_of({400, 0}, 2) == 9);        // but not two of three
  CHECK(ticks_of({16}, 2) == 200);
  CHECK(ticks_of({4, 8, 12, 16, 20}, 3) == 250);
  CHECK(ticks_of({4000000000}, 1) == 9);

  Pace pace;
  for (std::uint64_t lasted = 1; lasted <= 100; ++lasted) pace.see(lasted);
  CHECK(pace.lag() == 100);
  for (int i = 0; i < 216; ++i) pace.see(0);
  CHECK(pace.lag() == 75);
  for (int i = 0; i < 2000; ++i) pace.see(0);
  CHECK(pace.lag() == 0);  // forgotten
  pace.see(1'000'000);
  CHECK(pace.lag() == 400);
}

TEST_CASE("a node whose disk has failed does not rely on the leader that it knew") {
  Circle circle(5);
  const int leader = circle.leader();
  const int failed = circle.any_follower();
  circle.until([&] { return circle[failed].status().leader == leader; });
  DiskCalls::all().fail(circle.directory(failed));
  circle[failed].step(text_for(failed, "a text"));
  circle.until([&] { return says(circle[failed], "cannot be written"); });
  CHECK(circle[failed].status().leader == leader);
  circle.kill(leader);
  CHECK(circle[failed].append(epoch(7)));
  circle.until([&] { return has(circle[failed], 7); });
  CHECK(circle[failed].status().waiting == 0);
}

TEST_CASE("messages whose sizes cannot be are passed over") {
  Circle circle(3);
  const int self = circle.any_follower();
  const int from = circle.leader();
  using Kind = JournalMessage::Kind;
  for (const auto kind : {Kind::raft, Kind::text, Kind::submit, Kind::final_entry}) {
    Envelope<JournalMessage> bad{from, self, {.kind = kind}};
    // As a node of another program could write them into a frame.
    std::memset(reinterpret_cast<std::byte*>(&bad.message.text), 0xff, sizeof bad.message.text);
    circle[self].step(bad);
    bad.message = {.kind = kind};
    std::memset(reinterpret_cast<std::byte*>(&bad.message.raft.entries), 0x7f,
                sizeof bad.message.raft.entries);
    circle[self].step(bad);
  }
  CHECK(circle[self].append(epoch(1)));
  circle.until([&] { return has(circle[self], 1); });
}

TEST_CASE("a directory is one replica's at a time") {
  cairn::test::Scratch scratch;
  create_journal(scratch / "n", options_of(0, 1));
  {
    const JournalReplica first(scratch / "n", options_of(0, 1));
    try {
      const JournalReplica second(scratch / "n", options_of(0, 1));
      FAIL_CHECK("there are two");
    } catch (const cairn::Error& error) {
      CHECK(error.code() == cairn::Errc::unavailable);
    }
  }
  CHECK(JournalReplica(scratch / "n", options_of(0, 1)).status().votes);
}

TEST_CASE("a new directory is there for good: those above it are synced") {
  cairn::test::Scratch scratch;
  (void)DiskCalls::all().take_synced();
  create_journal(scratch / "a" / "b", options_of(0, 1));
  const auto synced = DiskCalls::all().take_synced();
  CHECK(synced.contains(scratch.path()));
  CHECK(synced.contains(scratch / "a"));
  CHECK(synced.contains(scratch / "a" / "b"));
}

TEST_CASE("a copy has no slots, and no record is written there") {
  cairn::test::Scratch scratch;
  journal::Disk disk(scratch.file("journal.log", ""), {});
  CHECK_THROWS_AS(disk.begin({.record = journal::Bytes(8), .token = 1}), cairn::Error);
  disk.begin({.appended = journal::Bytes(8)});
  while (disk.completed() == 0) std::this_thread::yield();
  CHECK(disk.durable() == 0);
  CHECK(disk.failure().empty());
}

namespace {

std::set<std::string> threads() {
  std::set<std::string> all;
  for (const auto& task : fs::directory_iterator("/proc/self/task"))
    all.insert(task.path().filename());
  return all;
}

/// As in proc(5): the signals that a thread blocks, as bits.
std::uint64_t blocked_signals(const std::string& thread) {
  std::ifstream file("/proc/self/task/" + thread + "/status");
  for (std::string word; file >> word;)
    if (word == "SigBlk:" && file >> word) return std::stoull(word, nullptr, 16);
  return 0;
}

}  // namespace

TEST_CASE("the thread of a disk leaves the signals to the program") {
  cairn::test::Scratch scratch;
  create_journal(scratch / "n", options_of(0, 1));
  const auto before = threads();
  const JournalReplica replica(scratch / "n", options_of(0, 1));
  std::size_t fresh = 0;
  for (const auto& thread : threads()) {
    if (before.contains(thread)) continue;
    ++fresh;
    for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD})
      CHECK((blocked_signals(thread) >> (number - 1) & 1) == 1);
  }
  CHECK(fresh >= 1);
}
