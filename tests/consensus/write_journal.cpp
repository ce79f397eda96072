// Makes a journal of three nodes below a folder, for the tests of `cairn journal`.
//
// usage: write-journal FOLDER EPOCHS

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "journal_cluster.hpp"

int main(int argc, char** argv) {
  using namespace journal_test;
  if (argc != 3) return 64;
  Cluster cluster(3);
  std::uint64_t count = 0;
  const auto say = [&](int at, JournalEntry entry) {
    if (entry.seconds == 0) entry.seconds = 1764363600 + static_cast<std::int64_t>(count);
    ++count;
    (void)cluster[at].append(entry);
    cluster.until([&] {
      for (const auto& node : cluster.nodes)
        if (node->entries().size() != count) return false;
      return true;
    });
  };
  say(0, {.kind = JournalEntry::Kind::launch, .incarnation = 1, .ranks = 48, .text = "heat"});
  for (std::uint64_t i = 1; i <= std::strtoull(argv[2], nullptr, 10); ++i)
    say(static_cast<int>(i % 3), epoch(i));
  say(2,
      {.kind = JournalEntry::Kind::fault, .incarnation = 1, .text = "rank 5 was \x1b[31mkilled\n"});
  say(1, {.kind = JournalEntry::Kind::operation, .text = "fenced by ada"});
  say(0, {.kind = JournalEntry::Kind::ending, .seconds = std::numeric_limits<std::int64_t>::max()});
  say(0, {.kind = JournalEntry::Kind::ending, .seconds = std::numeric_limits<std::int64_t>::min()});
  cluster.kill_all();
  for (int i = 0; i < 3; ++i)
    std::filesystem::copy(cluster.directory(i),
                          std::filesystem::path(argv[1]) / ("node-" + std::to_string(i)),
                          std::filesystem::copy_options::recursive);
  return 0;
}
