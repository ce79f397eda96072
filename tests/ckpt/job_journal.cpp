// The job journal of launches whose hosts come and go: each rank is on a host of its own.

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/consensus/journal_reader.hpp"
#include "cairn/core/error.hpp"
#include "fixture.hpp"

namespace {

namespace fs = std::filesystem;
using cairn::ckpt::Checkpointer;
using cairn::test::SharedDirectory;
using cairn::test::world;
using Kind = cairn::consensus::JournalEntry::Kind;

/// One job, launch after launch. All ranks.
class Job {
 public:
  Job() { ::setenv("CAIRN_JOURNAL_SECONDS", "60", 1); }  // however busy the machine is

  /// @param hosts  of the ranks
  /// @param work   with the Checkpointer, after its restore
  template <typename Work>
  void launch(const std::vector<int>& hosts, Work&& work) {
    warnings_.clear();
    const auto mine = hosts[static_cast<std::size_t>(world().rank())];
    Checkpointer ckpt(
        world().native(),
        {.directory = scratch_.path / "shared",
         .every = 1,
         .warn = [this](std::string_view text) { warnings_ += std::string(text) + "\n"; },
         .local = {.host = "n" + std::to_string(mine)},
         .journal_directory = scratch_.path / "%h"});
    ckpt.value("x", x_);
    step_ = ckpt.restore().value_or(0);
    work(ckpt);
  }
  void launch(const std::vector<int>& hosts, int epochs) {
    launch(hosts, [&](Checkpointer& ckpt) {
      for (int i = 0; i < epochs; ++i) ckpt.save(++step_);
    });
    barrier(world());
  }

  void lose(int host) const {
    barrier(world());
    if (world().is_root()) fs::remove_all(scratch_.path / ("n" + std::to_string(host)));
    barrier(world());
  }

  void remove_checkpoints() const {
    barrier(world());
    if (world().is_root()) fs::remove_all(scratch_.path / "shared");
    barrier(world());
  }

  /// On rank 0: what all directories say.
  [[nodiscard]] cairn::consensus::JournalView read(std::size_t hosts) const {
    std::vector<fs::path> directories;
    for (std::size_t h = 0; h < hosts; ++h)
      directories.push_back(scratch_.path / ("n" + std::to_string(h)));
    return cairn::consensus::read_journal(directories);
  }
  [[nodiscard]] const std::string& warnings() const { return warnings_; }

 private:
  SharedDirectory scratch_;
  double x_ = 1;
  std::uint64_t step_ = 0;
  std::string warnings_;
};

std::vector<int> hosts_in_order() {
  std::vector<int> hosts(static_cast<std::size_t>(world().size()));
  std::iota(hosts.begin(), hosts.end(), 0);
  return hosts;
}

/// "launch restart epoch …"
std::string kinds_of(const cairn::consensus::JournalView& view) {
  std::string kinds;
  for (const auto& record : view.entries) kinds += std::string(name_of(record.entry.kind)) + " ";
  return kinds;
}

const std::string two_epochs = "launch restart epoch epoch ending ";

}  // namespace

TEST_CASE("hosts in another order keep what they have; a lost minority is borne") {
  Job job;
  const auto p = world().size();
  const int nodes = std::min(9, p - (p + 1) % 2);
  auto hosts = hosts_in_order();
  job.launch(hosts, 2);
  std::reverse(hosts.begin(), hosts.end());  // with 2 or 4 ranks the lowest one has no node
  job.launch(hosts, 2);
  auto wanted = two_epochs + two_epochs;
  if (world().is_root()) {
    CHECK(job.warnings().empty());
    const auto view = job.read(hosts.size());
    CHECK(view.nodes == nodes);
    CHECK(view.counting == nodes);
    CHECK(kinds_of(view) == wanted);
    std::string epochs;
    for (const auto& [index, term, entry] : view.entries) {
      if (entry.kind == Kind::epoch) epochs += std::to_string(entry.epoch) + " ";
      if (entry.kind == Kind::ending) CHECK(entry.text == "in order");
    }
    CHECK(epochs == "1 2 3 4 ");
  }
  if (nodes < 3) return;
  job.lose(1);
  job.launch(hosts, 2);
  wanted += two_epochs;
  job.lose(1);
  if (!world().is_root()) return;
  CHECK(job.warnings().find("no host has that of node 1, and the others go on") !=
        std::string::npos);
  const auto view = job.read(hosts.size());
  CHECK(view.is_complete);
  CHECK(kinds_of(view) == wanted);
}

TEST_CASE("copies do not vote: a second minority that is lost is told") {
  const auto p = world().size();
  if (p != 3) return;  // three nodes are enough
  Job job;
  const auto hosts = hosts_in_order();
  job.launch(hosts, 0);
  for (const int host : {1, 2}) {
    job.lose(host);
    job.launch(hosts, 0);
  }
  if (!world().is_root()) return;
  CHECK(job.warnings().find("no host has that of node 2, so the majority is lost") !=
        std::string::npos);
  CHECK(job.warnings().find("the others go on") == std::string::npos);
  CHECK(job.warnings().find("are perhaps not in the job journal") != std::string::npos);
  CHECK_FALSE(job.read(hosts.size()).is_complete);
}

TEST_CASE("a host is back whose number was given away") {
  const auto p = world().size();
  if (p != 3) return;  // three nodes are enough
  Job job;
  const auto hosts = hosts_in_order();
  const auto without = [&](int host) {
    std::vector<int> others;
    for (int h = 0; h <= p; ++h)
      if (h != host) others.push_back(h);
    return others;
  };
  job.launch(hosts, 1);
  job.launch(without(0), 1);  // host 3 gets a copy of node 0
  job.launch(without(2), 1);
  if (!world().is_root()) return;
  const auto keeper_warned = job.warnings().find("of which it has a copy, is kept by n0");
  CHECK(keeper_warned != std::string::npos);
  const auto view = job.read(static_cast<std::size_t>(p) + 1);
  CHECK(view.is_complete);
  std::string kinds;
  for (int launch = 0; launch < 3; ++launch) kinds += "launch restart epoch ending ";
  CHECK(kinds_of(view) == kinds);
}

TEST_CASE("short launches in fresh checkpoint directories, all of incarnation 1") {
  if (world().size() < 3) return;  // the one node waits for nobody
  Job job;
  const auto hosts = hosts_in_order();
  std::string wanted;
  for (int launch = 0; launch < 2; ++launch) {
    job.launch(hosts, 0);
    wanted += "launch restart ending ";
    job.remove_checkpoints();
  }
  if (!world().is_root()) return;
  CHECK(job.warnings().empty());
  CHECK(kinds_of(job.read(hosts.size())) == wanted);
}

TEST_CASE("a launch that an error ends says so") {
  Job job;
  const auto hosts = hosts_in_order();
  try {
    job.launch(hosts, [](Checkpointer&) { throw std::runtime_error("the program's own"); });
  } catch (const std::runtime_error&) {
  }
  barrier(world());
  job.launch(hosts, 1);
  double y = 0;
  try {  // its epochs are those of another program: it has one value more
    job.launch(hosts, [&](Checkpointer& ckpt) {
      ckpt.value("y", y);
      (void)ckpt.restore();
    });
  } catch (const cairn::Error& error) {
    CHECK(error.code() == cairn::Errc::bad_data);
  }
  barrier(world());
  if (!world().is_root()) return;
  const auto view = job.read(hosts.size());
  std::vector<std::string> endings;
  for (const auto& [index, term, entry] : view.entries)
    if (entry.kind == Kind::ending) endings.push_back(entry.text);
  REQUIRE(endings.size() == 3);
  CHECK(endings[0] == "an error of the program");
  CHECK(endings[1] == "in order");
  CHECK(endings[2].starts_with("error: epoch 1 in "));
}
