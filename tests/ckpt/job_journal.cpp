// The job journal of launches whose hosts come and go: each rank is on a host of its own.

#include <mpi.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/consensus/journal_reader.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "fixture.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using cairn::ckpt::Checkpointer;
using cairn::test::SharedDirectory;
using cairn::test::world;
using Kind = cairn::consensus::JournalEntry::Kind;

/// What MPI calls the machine of this rank; empty: what it is called.
std::string& machine() {
  static std::string name;
  return name;
}

/// One job, launch after launch. All ranks.
class Job {
 public:
  explicit Job(std::string journal = "%h") : journal_(std::move(journal)) {
    ::setenv("CAIRN_JOURNAL_SECONDS", "60", 1);
  }  // however busy the machine is

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
         .journal_directory = scratch_.path / journal_});
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

  [[nodiscard]] fs::path path(const std::string& name) const { return scratch_.path / name; }
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
  std::string journal_;
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

bool contains(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

/// Work of rank 0 alone, before and behind which nobody does anything.
template <typename Work>
void at_root(Work&& work) {
  barrier(world());
  if (world().is_root()) work();
  barrier(world());
}

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
}

const std::string two_epochs = "launch restart epoch epoch ending ";

}  // namespace

extern "C" int MPI_Get_processor_name(char* name, int* length) {
  if (machine().empty()) return PMPI_Get_processor_name(name, length);
  *length = static_cast<int>(machine().size());
  std::memcpy(name, machine().c_str(), machine().size() + 1);
  return MPI_SUCCESS;
}

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

TEST_CASE("a journal's files are their owner's alone") {
  if (world().size() != 1) return;
  Job job;
  const auto before = ::umask(0);
  job.launch(hosts_in_order(), 1);
  ::umask(before);
  if (!world().is_root()) return;
  CHECK(mode_of(job.path("shared") / "journal") == 0600);
  CHECK(mode_of(job.path("n0")) == 0700);
  CHECK(mode_of(job.path("n0") / "journal.log") == 0600);
  CHECK(mode_of(job.path("n0") / "journal.raft") == 0600);
}

TEST_CASE("a pipe, a link or a directory that others can write to costs one node, with a warning") {
  if (world().size() != 3) return;
  Job job;
  const auto own = job.path("n0");
  const auto log = own / "journal.log";
  const auto victim = job.path("victim");
  const auto check = [&](std::string_view why) {
    job.launch(hosts_in_order(), 1);
    if (!world().is_root()) return;
    CAPTURE(job.warnings());
    CHECK(contains(job.warnings(), "n0 keeps nothing of the job journal in this launch"));
    CHECK(contains(job.warnings(), why));
  };
  at_root([&] {
    fs::create_directories(own);
    CHECK(::mkfifo(log.c_str(), 0600) == 0);
  });
  check("journal.log is not a file");
  at_root([&] {
    fs::remove(log);
    fs::permissions(own, fs::perms::all);
  });
  check("can be written to by other users");
  at_root([&] {
    CHECK(fs::is_empty(own));
    fs::permissions(own, fs::perms::owner_all);
    std::ofstream(victim) << "treasure";
    fs::create_symlink(victim, log);
  });
  check("journal.log is not a file");
  if (!world().is_root()) return;
  CHECK(cairn::test::bytes_of(victim) == "treasure");
  CHECK(std::distance(fs::directory_iterator(own), {}) == 1);
  const auto view = job.read(3);
  CHECK(view.is_complete);
  CHECK(kinds_of(view) ==
        "launch restart epoch ending launch restart epoch ending "
        "launch restart epoch ending ");
}

TEST_CASE("a name of the journal that cannot be written or read costs the journal, not the run") {
  if (world().size() != 2) return;
  Job job;
  const std::string nobody = "no job journal is kept by this launch: ";
  for (const auto* when : {"1", "2"}) {  // before the directories are made, and behind that
    if (world().is_root())
      cairn::arm_failpoints("file.write=ENOSPC,hit=" + std::string(when), 0, 0);
    job.launch(hosts_in_order(), 1);
    if (world().is_root()) cairn::arm_failpoints("", 0, 0);
    if (world().is_root()) CHECK(contains(job.warnings(), nobody + "write "));
  }
  job.launch(hosts_in_order(), 1);
  at_root([&] {
    CHECK(job.warnings().empty());
    CHECK(kinds_of(job.read(1)) == "launch restart epoch ending ");
    fs::rename(job.path("shared") / "journal", job.path("victim"));
    fs::create_symlink(job.path("victim"), job.path("shared") / "journal");
  });
  job.launch(hosts_in_order(), 1);
  if (world().is_root()) CHECK(contains(job.warnings(), nobody));
  job.launch(hosts_in_order(), [](Checkpointer& ckpt) { CHECK(ckpt.epoch() == 4); });
}

TEST_CASE("one directory for several hosts is refused at once, also where there is one node") {
  if (world().size() != 2) return;
  Job job("one");
  for (int launch = 0; launch < 2; ++launch) {
    try {
      job.launch(hosts_in_order(), 1);
      CHECK(false);
    } catch (const cairn::Error& error) {
      CHECK(error.code() == cairn::Errc::usage);
      CHECK(error.agreed());
    }
  }
}

TEST_CASE("a host whose name says nothing to the others costs its node alone") {
  if (world().size() != 3) return;
  const bool is_unknown = world().rank() == 2;
  machine() = is_unknown ? "no name" : "127.0.0.1";
  {
    Job job;
    if (is_unknown) ::setenv("CAIRN_JOURNAL_SECONDS", "1", 1);  // nobody can tell it anything
    job.launch(hosts_in_order(), 1);
    if (world().is_root()) {
      CAPTURE(job.warnings());
      CHECK(contains(job.warnings(), "n0 cannot call other nodes of the job journal: no name"));
      CHECK(contains(job.warnings(), "n1 cannot call other nodes of the job journal: no name"));
      CHECK_FALSE(contains(job.warnings(), "does not keep"));
      const auto view = job.read(2);
      CHECK(view.is_complete);
      CHECK(kinds_of(view) == "launch restart epoch ending ");
    }
  }
  machine().clear();
}
