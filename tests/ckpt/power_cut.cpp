// Every crash of a run that saves epochs, at every operation on its files: what the machine may
// have lost is lost, by a seed, and the newest committed epoch must be there bit for bit. So for
// epochs in the shared directory, and for those on a node's own disk.
//
// After Pillai et al., "All file systems are not created equal: on the complexity of crafting
// crash-consistent applications", OSDI 2014: the operations are recorded once, and the states that
// a crash may leave are made from the record. One rank; kills of the others are for
// tests/faults/kill_anywhere.py.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"
#include "recorded_files.hpp"
#include "scratch.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

using Operations = std::vector<FileOperation>;
using Kind = FileOperation::Kind;

constexpr std::uint64_t epochs = 6;

/// Where the epochs go, and how many are kept.
struct Places {
  enum class Tier { shared, node };

  fs::path top;
  Tier tier = Tier::shared;
  int keep = 1;

  [[nodiscard]] bool on_node() const { return tier == Tier::node; }
  [[nodiscard]] fs::path shared() const { return top / "ckpt"; }
  /// The shared directory while a run saves on the node.
  [[nodiscard]] fs::path shared_then() const { return top / "ckpt-then"; }
  [[nodiscard]] fs::path node() const { return top / "node"; }
  /// Where the epochs lie; on the node that is a folder which the first one makes.
  [[nodiscard]] fs::path epochs() const {
    return on_node() ? fs::directory_iterator(node())->path() : shared();
  }
};

/// A program with a field that changes, one that stays, which is then not written anew, one that is
/// compressed, and a number.
struct Program {
  explicit Program(const Places& places)
      : ckpt(world(), {.directory = places.shared(),
                       .keep = places.keep,
                       .stale_seconds = 0,  // what a forgotten sync has torn is nobody's claim here
                       .pieces = ckpt::Options::Pieces::changed,
                       .local = {.directory = places.on_node() ? places.node() : fs::path(),
                                 .every = 1,
                                 .redundancy = ckpt::Redundancy::none(),
                                 .keep = places.keep}}) {
    ckpt.field("u", u, {{u.size()}, {0}, {u.size()}});
    ckpt.field("constant", constant, {{constant.size()}, {0}, {constant.size()}});
    ckpt.field("packed", packed, {{packed.size()}, {0}, {packed.size()}},
               ckpt::Compression::shuffle_zstd);
    ckpt.value("time", time);
  }
  void save(std::uint64_t step) {
    std::iota(u.begin(), u.end(), static_cast<double>(step) * 1000);
    time = static_cast<double>(step);
    constant.assign(constant.size(), 4.25);
    packed = packed_at(step);
    ckpt.save(step);
  }
  [[nodiscard]] bool holds(std::uint64_t step) const {
    std::vector<double> expected(u.size());
    std::iota(expected.begin(), expected.end(), static_cast<double>(step) * 1000);
    return u == expected && time == static_cast<double>(step) &&
           constant == std::vector<double>(constant.size(), 4.25) && packed == packed_at(step);
  }
  /// Of another length in the file at each step.
  [[nodiscard]] static std::vector<double> packed_at(std::uint64_t step) {
    std::vector<double> values(600, static_cast<double>(step));
    for (std::size_t i = 0; i < 50 * (step % 3); ++i) values[i] = std::sqrt(static_cast<double>(i));
    return values;
  }

  std::vector<double> u = std::vector<double>(700);
  std::vector<double> constant = std::vector<double>(300);
  std::vector<double> packed = std::vector<double>(600);
  double time = 0;
  ckpt::Checkpointer ckpt;
};

/// A run of `epochs` epochs; mark s stands behind the save of step s. What the first one does on a
/// node is not recorded.
Operations record(const Places& places) {
  fs::create_directories(places.shared());
  std::optional<FileRecorder> recorder;
  if (!places.on_node()) recorder.emplace(places.epochs());
  Program program(places);
  for (std::uint64_t step = 1; step <= epochs; ++step) {
    program.save(step);
    if (recorder) recorder->mark(step);
    if (!recorder) recorder.emplace(places.epochs());
  }
  if (places.on_node())
    fs::copy(places.shared(), places.shared_then(), fs::copy_options::recursive);
  return recorder->operations();
}

/// Leaves what the crash has left.
void crash(const Places& places, const Operations& operations, std::size_t cut, Crash kind,
           std::uint64_t seed) {
  write_files(places.epochs(), files_after(operations, cut, kind, seed));
  if (!places.on_node()) return;
  fs::remove_all(places.shared());
  fs::copy(places.shared_then(), places.shared(), fs::copy_options::recursive);
}

/// The last step whose save() had returned before operation `cut`; 0 for none.
std::uint64_t committed_before(const Operations& operations, std::size_t cut) {
  std::uint64_t step = 0;
  for (std::size_t i = 0; i < cut; ++i) {
    if (operations[i].kind == Kind::mark) step = operations[i].offset;
  }
  return step;
}

/// What is wrong after the crash; empty for nothing.
std::string problem_after(const Places& places, std::uint64_t committed) {
  std::uint64_t found = 0;
  try {
    Program program(places);
    try {
      found = program.ckpt.restore().value_or(0);
    } catch (const Error& error) {
      // Of a first epoch that was cut short a record may stand there without its data.
      return committed == 0 && error.code() == Errc::bad_data ? "" : error.what();
    }
    if (found < committed) return "an older epoch than the newest committed one";
    const std::uint64_t unrecorded = places.on_node() ? 1 : 0;
    if (found > std::max(committed, unrecorded) + 1) return "an epoch of the future";
    if (found != 0 && !program.holds(found)) return "wrong data";
    program.save(found + 1);  // goes on, whatever the crash has left behind
  } catch (const Error& error) {
    return std::string("it cannot go on: ") + error.what();
  }
  Program program(places);
  if (program.ckpt.restore() != found + 1 || !program.holds(found + 1))
    return "the epoch after the restart is lost";
  return "";
}

struct Tally {
  std::size_t crashes = 0;
  std::size_t failures = 0;
  std::string first;  ///< what was wrong first
};

/// Crashes before every operation, `seeds` times in each way; when failures are looked for, until
/// the first.
enum class Looking { at_all, for_a_failure };
Tally crash_everywhere(const Places& places, const Operations& operations, std::uint64_t seeds,
                       Looking looking = Looking::at_all) {
  Tally tally;
  for (std::size_t cut = 0; cut <= operations.size(); ++cut) {
    const auto committed = committed_before(operations, cut);
    for (const auto kind : {Crash::kill, Crash::power_cut, Crash::any_subset}) {
      for (std::uint64_t seed = 0; seed < (kind == Crash::kill ? 1 : seeds); ++seed) {
        crash(places, operations, cut, kind, seed);
        const auto problem = problem_after(places, committed);
        ++tally.crashes;
        if (problem.empty()) continue;
        if (looking == Looking::for_a_failure) return {tally.crashes, 1, problem};
        if (tally.failures++ == 0) {
          tally.first = problem + ", crash " + std::to_string(static_cast<int>(kind)) +
                        " before operation " + std::to_string(cut) + ", seed " +
                        std::to_string(seed);
        }
      }
    }
  }
  return tally;
}

bool is_long() { return std::getenv("CAIRN_TEST_LONG") != nullptr; }

/// The record without the operations of one kind: a program that forgets them.
Operations without(Operations operations, Kind kind) {
  std::erase_if(operations, [&](const FileOperation& one) { return one.kind == kind; });
  return operations;
}

/// In memory: what a sync of the restarts is worth is not the question here, but their number is.
fs::path scratch_above() {
  return fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
}

}  // namespace

TEST_CASE("after a crash anywhere the newest committed epoch is there, bit for bit") {
  for (const auto tier : {Places::Tier::shared, Places::Tier::node}) {
    for (const int keep : {1, 2}) {
      if (tier == Places::Tier::node && keep == 2 && !is_long()) continue;
      const Scratch scratch(scratch_above());
      const Places places{scratch.path(), tier, keep};
      const auto operations = record(places);
      CHECK(committed_before(operations, operations.size()) == epochs);
      const auto tally = crash_everywhere(places, operations, is_long() ? 60 : 3);
      CAPTURE(tally.first);
      CHECK(tally.failures == 0);
      MESSAGE(std::string(places.on_node() ? "on a node" : "shared")
              << ", keep " << keep << ": " << tally.crashes << " crashes at " << operations.size()
              << " operations");
    }
  }
}

TEST_CASE("a program that forgets a sync on its node's disk is caught") {
  const Scratch scratch(scratch_above());
  const Places places{scratch.path(), Places::Tier::node, 1};
  const auto operations = record(places);
  const auto is_caught = [&](const Operations& mutant) {
    return crash_everywhere(places, mutant, 3, Looking::for_a_failure).failures > 0;
  };
  CHECK(is_caught(without(operations, Kind::sync_file)));
  CHECK(is_caught(without(operations, Kind::sync_directory)));
}

TEST_CASE("a program that forgets a sync, or removes old epochs too early, is caught") {
  const Scratch scratch(scratch_above());
  const Places places{scratch.path(), Places::Tier::shared, 1};
  const auto operations = record(places);
  const auto is_caught = [&](const Operations& mutant) {
    return crash_everywhere(places, mutant, 3, Looking::for_a_failure).failures > 0;
  };
  CHECK(is_caught(without(operations, Kind::sync_file)));
  CHECK(is_caught(without(operations, Kind::sync_directory)));

  // The record of step s - 1 goes before that of step s has come.
  auto early = operations;
  const auto is_retirement = [](const FileOperation& one) {
    return one.kind == Kind::unlink && one.name.ends_with(".record");
  };
  for (std::size_t i = 0; i < early.size(); ++i) {
    if (!is_retirement(early[i])) continue;
    std::size_t publication = i;
    while (early[publication].kind != Kind::rename || !early[publication].to.ends_with(".record"))
      --publication;
    std::rotate(early.begin() + static_cast<std::ptrdiff_t>(publication),
                early.begin() + static_cast<std::ptrdiff_t>(i),
                early.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
  CHECK(is_caught(early));

  // The record comes before the data, which are made durable only once save() has returned.
  auto hasty = operations;
  for (std::size_t i = 0, data_sync = 0; i < hasty.size(); ++i) {
    const auto& one = hasty[i];
    if (one.kind == Kind::sync_file && data_sync == 0) data_sync = i;  // that of the record is next
    if (one.kind != Kind::mark) continue;
    std::rotate(hasty.begin() + static_cast<std::ptrdiff_t>(data_sync),
                hasty.begin() + static_cast<std::ptrdiff_t>(data_sync) + 1,
                hasty.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    data_sync = 0;
  }
  CHECK(is_caught(hasty));
}
