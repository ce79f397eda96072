// The job journal over TCP: lost directories, torn bytes, lost majorities.

#include "cairn/consensus/journal.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "journal_cluster.hpp"

using namespace journal_test;
namespace fs = std::filesystem;

namespace {

void put_bytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("an entry survives its text") {
  JournalEntry entry{.kind = JournalEntry::Kind::fault,
                     .incarnation = 2,
                     .epoch = 7,
                     .ranks = 48,
                     .seconds = 1764363600,
                     .node = 3,
                     .text = "rank 5 was killed: \"out of memory\"\n"};
  CHECK(decode_entry(encode_entry(entry, "a")) == entry);
  CHECK(encode_entry(entry, "a") != encode_entry(entry, "b"));
  for (const auto* filling : {"x", "\x01", "\xff", "\xc3\xa9"}) {
    entry.text.clear();
    for (int i = 0; i < 2000; ++i) entry.text += filling;
    const auto line = encode_entry(entry, "mark");
    CHECK(line.size() <= journal_text_max);
    CHECK(decode_entry(line).epoch == 7);
  }
  CHECK_THROWS_AS((void)encode_entry(entry, std::string(journal_text_max, 'm')), cairn::Error);
  for (const auto* bad : {"", "{", "[1]", "7", "{\"kind\":5,\"epoch\":\"x\",\"text\":[]}"})
    CHECK(decode_entry(bad).kind == JournalEntry::Kind::unknown);
}

TEST_CASE("what any node appends is final at all, in one order, and after a restart of all") {
  for (const int count : {1, 2, 3, 4, 7}) {
    CAPTURE(count);
    Cluster cluster(count);
    for (int i = 0; i < count; ++i)
      for (std::uint64_t k = 1; k <= 4; ++k)
        CHECK(cluster[i].append(epoch(10 * static_cast<std::uint64_t>(i) + k)));
    const auto total = 4 * static_cast<std::size_t>(count);
    cluster.until([&] {
      return std::all_of(cluster.nodes.begin(), cluster.nodes.end(),
                         [&](const auto& node) { return node->entries().size() == total; });
    });
    const auto order = cluster[0].entries();
    for (auto& node : cluster.nodes) {
      CHECK(node->entries() == order);
      CHECK(node->status().waiting == 0);
    }
    cluster.kill_all();
    const auto view = read_journal(cluster.directories());
    CHECK(view.entries == order);
    CHECK(view.unsure.empty());
    CHECK(view.counting == count);
    for (int i = 0; i < count; ++i) cluster.revive(i);
    for (auto& node : cluster.nodes) CHECK(node->entries() == order);
    cluster.record(0, 99);
    CHECK(cluster[count - 1].entries().size() == total + 1);
  }
}

TEST_CASE("a directory is made once, and belongs to one node of one job") {
  cairn::test::Scratch scratch;
  const JournalOptions options{.identity = journal_identity("a"), .node = 1, .nodes = 3};
  create_journal(scratch / "n", options);
  CHECK_THROWS_AS(create_journal(scratch / "n", options), cairn::Error);
  auto other = options;
  other.node = 2;
  CHECK_THROWS_AS(JournalReplica(scratch / "n", other), cairn::Error);
  other = options;
  other.identity = journal_identity("b");
  CHECK_THROWS_AS(JournalReplica(scratch / "n", other), cairn::Error);
  other = options;
  other.nodes = 10;
  CHECK_THROWS_AS(create_journal(scratch / "m", other), cairn::Error);
  CHECK(JournalReplica(scratch / "n", options).status().votes);
}

TEST_CASE("a lost directory: the others go on, it gets a copy, and never votes again") {
  Cluster cluster(3);
  cluster.record(0, 1, 60);
  cluster.lose(2);
  CHECK_FALSE(cluster[2].status().votes);
  CHECK(cluster[2].status().trouble.find("does not vote") != std::string::npos);
  cluster.record(1, 61, 70);
  cluster.record(2, 71);  // it may still say something
  CHECK(epochs(cluster[2].entries()) == numbers(1, 71));

  // A restart does not make it whole.
  cluster.kill(2);
  cluster.revive(2);
  CHECK_FALSE(cluster[2].status().votes);
  CHECK(epochs(cluster[2].entries()) == numbers(1, 71));
  const auto view = read_journal(cluster.directories());
  CHECK(view.is_complete);
  CHECK(view.counting == 2);
  CHECK_FALSE(view.directories[2].counts);
  CHECK(epochs(view.entries) == numbers(1, 71));
}

TEST_CASE("a lost log beside a record that is whole: a copy all the same, for ever") {
  Cluster cluster(3);
  cluster.record(0, 1, 5);
  cluster.kill(2);
  fs::remove(cluster.directory(2) / "journal.log");
  for (int life = 0; life < 3; ++life) {
    cluster.revive(2);
    CHECK_FALSE(cluster[2].status().votes);
    cluster.settle(5);
    cluster.kill(2);
  }
  const auto view = read_journal(cluster.directories());
  CHECK(view.counting == 2);
  CHECK(view.directories[2].why.find("a copy") != std::string::npos);
}

TEST_CASE("a lost record beside a log that is whole is no blank one") {
  Cluster cluster(3);
  cluster.record(0, 1, 5);
  cluster.kill(2);
  fs::remove(cluster.directory(2) / "journal.raft");
  CHECK(read_journal(cluster.directories()).counting == 2);
  cluster.revive(2);
  CHECK_FALSE(cluster[2].status().votes);
  cluster.record(0, 6);
}

TEST_CASE("a record that was lost and comes back does not make a copy whole") {
  Cluster cluster(3);
  cluster.record(0, 1, 5);
  cluster.kill(2);
  const auto record = cluster.directory(2) / "journal.raft";
  const auto old = cairn::test::bytes_of(record);
  fs::remove(record);
  cluster.revive(2);
  CHECK_FALSE(cluster[2].status().votes);
  cluster.record(0, 6);  // without its promise
  cluster.kill(2);
  put_bytes(record, old);
  cluster.revive(2);
  CHECK_FALSE(cluster[2].status().votes);
  CHECK(read_journal(std::vector{cluster.directory(2)}).directories[0].why.find("a copy") !=
        std::string::npos);
  cluster.settle(6);
}

TEST_CASE("a text that was lost and comes again does not make a copy whole") {
  Cluster cluster(3);
  cluster.record(0, 1, 40);  // the first ones are behind a snapshot
  cluster.kill(2);
  const auto log = cluster.directory(2) / "journal.log";
  auto bytes = cairn::test::bytes_of(log);
  bytes[bytes.find("\"epoch\":5,")] ^= 4;
  put_bytes(log, bytes);
  for (int life = 0; life < 2; ++life) {
    cluster.revive(2);
    CHECK_FALSE(cluster[2].status().votes);
    cluster.settle(40);
    CHECK(epochs(cluster[2].entries()) == numbers(1, 40));
    cluster.kill(2);
  }
  CHECK(cairn::test::bytes_of(log.string() + ".damaged") == bytes);
}

TEST_CASE("a crash before the copy has its name leaves what is not trusted either") {
  cairn::test::Scratch scratch;
  const auto options = options_of(0, 3);
  create_journal(scratch / "n", options);
  const auto log = scratch / "n" / "journal.log";
  const auto whole = cairn::test::bytes_of(log);
  fs::remove(scratch / "n" / "journal.raft");
  cairn::arm_failpoints("file.rename=EIO", 0, 0);
  CHECK_THROWS_AS(JournalReplica(scratch / "n", options), cairn::Error);
  cairn::arm_failpoints("", 0, 0);
  CHECK(cairn::test::bytes_of(log) == whole);
  CHECK_FALSE(JournalReplica(scratch / "n", options).status().votes);
  CHECK(cairn::test::bytes_of(log) != whole);
  CHECK_FALSE(JournalReplica(scratch / "n", options).status().votes);
}

TEST_CASE("a copy and one node are no majority, and say so; entries wait until there is one") {
  Cluster cluster(3);
  cluster.record(0, 1, 5);
  cluster.lose(2);
  cluster.record(0, 6);
  cluster.kill(1);
  cluster.until(
      [&] { return !cluster[0].status().has_majority && !cluster[2].status().has_majority; });
  CHECK(cluster[0].status().trouble.find("no majority: 1 of 3") != std::string::npos);
  CHECK(cluster[0].append(epoch(7)));
  for (int i = 0; i < 500; ++i) {  // time enough for what must not be
    cluster.poll();
    ::usleep(200);
  }
  CHECK_FALSE(cluster.has(0, 7));
  CHECK(cluster[0].status().waiting == 1);
  cluster.revive(1);
  cluster.settle(7);
  cluster.until([&] { return cluster[0].status().has_majority; });
  CHECK(epochs(cluster[0].entries()) == numbers(1, 7));
}

TEST_CASE("of five, one lost its directory and one is dead: the journal goes on") {
  Cluster cluster(5);
  for (std::uint64_t i = 1; i <= 10; ++i) cluster.record(static_cast<int>(i % 5), i);
  cluster.lose(4);
  cluster.kill(3);
  for (std::uint64_t i = 11; i <= 30; ++i) cluster.record(static_cast<int>(i % 3), i);
  cluster.revive(3);
  cluster.record(3, 31);
  for (int i = 0; i < 5; ++i) CHECK(epochs(cluster[i].entries()) == numbers(1, 31));
}

TEST_CASE("a node that was away for longer than the log holds gets what it missed, and votes") {
  Cluster cluster(3);
  cluster.record(0, 1);
  cluster.kill(1);
  cluster.record(0, 2, 100);
  cluster.revive(1);
  cluster.settle(100);
  // It counts: with one other it is a majority.
  cluster.kill(2);
  cluster.record(0, 101);
  CHECK(epochs(cluster[1].entries()) == numbers(1, 101));
  cluster.kill(0);
  cluster.kill(1);
  // And what it has been sent is on its disk: without any other.
  const std::vector only{cluster.directory(1)};
  CHECK(epochs(read_journal(only).entries) == numbers(1, 101));
}

TEST_CASE("read from some of the directories: a majority has all that was final") {
  Cluster cluster(3);
  cluster.record(0, 1, 40);
  cluster.kill_all();
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      if (a == b) continue;
      const std::vector two{cluster.directory(a), cluster.directory(b)};
      const auto view = read_journal(two);
      CHECK(view.is_complete);
      CHECK(view.trouble.empty());
      auto all = epochs(view.entries);
      for (const auto number : epochs(view.unsure)) all.push_back(number);
      CHECK(all == numbers(1, 40));
    }
    const std::vector one{cluster.directory(a), cluster.directory(a)};
    const auto view = read_journal(one);
    CHECK_FALSE(view.is_complete);
    CHECK(view.trouble.find("majority is lost: 1 of 3") != std::string::npos);
  }
  const std::vector nothing{cluster.scratch / "no", cluster.scratch / "where"};
  CHECK_THROWS_AS((void)read_journal(nothing), cairn::Error);
}

namespace {

/// Whoever this program is meanwhile: not one who may read everything.
class AsNobody {
 public:
  AsNobody() { CHECK((!is_root_ || ::seteuid(65534) == 0)); }
  ~AsNobody() { CHECK((!is_root_ || ::seteuid(0) == 0)); }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool is_root_ = ::geteuid() == 0;
};

}  // namespace

TEST_CASE("a directory that may not be read does not hide the others, and is not called lost") {
  Cluster cluster(3);
  cluster.record(0, 1, 5);
  cluster.kill_all();
  fs::permissions(cluster.scratch.path(), fs::perms(0755));
  for (const auto& item : fs::recursive_directory_iterator(cluster.scratch.path()))
    fs::permissions(item, item.is_directory() ? fs::perms(0755) : fs::perms(0644));
  SUBCASE("its folder") { fs::permissions(cluster.directory(0), fs::perms::none); }
  SUBCASE("its log") { fs::permissions(cluster.directory(0) / "journal.log", fs::perms::none); }
  SUBCASE("its record") { fs::permissions(cluster.directory(0) / "journal.raft", fs::perms::none); }
  {
    const AsNobody nobody;
    const auto view = read_journal(cluster.directories());
    CHECK(view.is_complete);
    CHECK(view.counting == 2);
    CHECK(view.directories[0].why.find("ermission denied") != std::string::npos);
    CHECK(view.entries.size() + view.unsure.size() == 5);
  }
  fs::permissions(cluster.directory(0), fs::perms::owner_all);
}

TEST_CASE("where none can be read, the reason is told, not that there is no journal") {
  cairn::test::Scratch scratch;
  fs::create_directories(scratch / "n" / "journal.log");
  fs::create_directories(scratch / "empty");
  const std::vector both{scratch / "empty", scratch / "n"};
  try {
    (void)read_journal(both);
    FAIL_CHECK("there is none");
  } catch (const cairn::Error& error) {
    CHECK(error.code() == cairn::Errc::bad_data);
  }
}

TEST_CASE("directories of two jobs are not mixed") {
  cairn::test::Scratch scratch;
  create_journal(scratch / "a", {.identity = journal_identity("a"), .node = 0, .nodes = 2});
  create_journal(scratch / "b", {.identity = journal_identity("b"), .node = 1, .nodes = 2});
  const std::vector both{scratch / "a", scratch / "b"};
  CHECK_THROWS_AS((void)read_journal(both), cairn::Error);
}

namespace {

/// Damages one node's directory in many ways; the others must not notice.
template <typename Damage>
void with_damage(Cluster& cluster, const char* name, std::size_t step, Damage&& damage) {
  const auto path = cluster.directory(1) / name;
  const auto whole = cairn::test::bytes_of(path);
  for (std::size_t at = 0; at < whole.size(); at += step) {
    CAPTURE(at);
    auto bytes = whole;
    damage(bytes, at);
    put_bytes(path, bytes);
    const auto view = read_journal(cluster.directories());
    CHECK(view.is_complete);
    CHECK(epochs(view.entries) == numbers(1, 40));
    const std::vector only{cluster.directory(1)};
    // Alone it has a part, in order, or nothing; 0 is an entry that says that its text is lost.
    try {
      const auto alone = epochs(read_journal(only).entries);
      for (std::size_t i = 0; i < alone.size(); ++i) CHECK((alone[i] == i + 1 || alone[i] == 0));
    } catch (const cairn::Error& error) {
      CHECK(error.code() == cairn::Errc::no_input);
    }
  }
  put_bytes(path, whole);
}

}  // namespace

TEST_CASE("bytes of one directory torn off or changed: nothing is lost, nothing is invented") {
  Cluster cluster(3);
  cluster.record(0, 1, 40);
  cluster.kill_all();
  const auto cut = [](std::string& bytes, std::size_t at) { bytes.resize(at); };
  const auto flip = [](std::string& bytes, std::size_t at) { bytes[at] ^= 4; };
  const auto wipe = [](std::string& bytes, std::size_t at) {
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                std::min<std::size_t>(512, bytes.size() - at), '\0');
  };
  for (const auto* name : {"journal.log", "journal.raft"}) {
    with_damage(cluster, name, 131, cut);
    with_damage(cluster, name, 131, flip);
    with_damage(cluster, name, 509, wipe);
  }
}

TEST_CASE("a node whose bytes were torn votes only when it knows all that it has vouched for") {
  Cluster cluster(3);
  cluster.record(0, 1, 40);
  cluster.kill_all();
  const auto path = cluster.directory(1) / "journal.log";
  const auto whole = cairn::test::bytes_of(path);

  // A write that was cut off at the end, of something that nobody has vouched for.
  put_bytes(path, whole + std::string("JREC\0\0\0\0abc", 11));
  CHECK(JournalReplica(cluster.directory(1), cluster.options(1)).status().votes);
  for (std::size_t part = 0; part < 20; ++part) {
    const auto size = whole.size() * part / 20;
    put_bytes(path, whole.substr(0, size));
    fs::remove(path.string() + ".damaged");
    const JournalReplica torn(cluster.directory(1), cluster.options(1));
    CAPTURE(size);
    CHECK_FALSE(torn.status().votes);
  }
  // The rest of it comes back as a copy.
  put_bytes(path, whole.substr(0, whole.size() / 2));
  for (int i = 0; i < 3; ++i) cluster.revive(i);
  CHECK_FALSE(cluster[1].status().votes);
  cluster.record(1, 41);
  CHECK(epochs(cluster[1].entries()) == numbers(1, 41));
}
