// Every crash of a run that saves epochs, at every operation on its files: what the machine may
// have lost is lost, by a seed, and the newest committed epoch must be there bit for bit.
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

/// A program with a field that changes, one that stays, which is then not written anew, one that is
/// compressed, a number, and a Checkpointer that keeps so many epochs.
struct Program {
  Program(const fs::path& directory, int keep)
      : ckpt(world(),
             {.directory = directory,
              .keep = keep,
              .stale_seconds = 0,  // a claim that a forgotten sync has torn is nobody's here
              .pieces = ckpt::Options::Pieces::changed}) {
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

/// A run of `epochs` epochs; mark s stands behind the save of step s.
Operations record(const fs::path& directory, int keep) {
  fs::create_directories(directory);
  FileRecorder recorder(directory);
  Program program(directory, keep);
  for (std::uint64_t step = 1; step <= epochs; ++step) {
    program.save(step);
    recorder.mark(step);
  }
  return recorder.operations();
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
std::string problem_after(const fs::path& directory, int keep, std::uint64_t committed) {
  std::uint64_t found = 0;
  try {
    Program program(directory, keep);
    try {
      found = program.ckpt.restore().value_or(0);
    } catch (const Error& error) {
      // Of a first epoch that was cut short a record may stand there without its data.
      return committed == 0 && error.code() == Errc::bad_data ? "" : error.what();
    }
    if (found < committed) return "an older epoch than the newest committed one";
    if (found > committed + 1) return "an epoch of the future";
    if (found != 0 && !program.holds(found)) return "wrong data";
    program.save(found + 1);  // goes on, whatever the crash has left behind
  } catch (const Error& error) {
    return std::string("it cannot go on: ") + error.what();
  }
  Program program(directory, keep);
  if (program.ckpt.restore() != found + 1 || !program.holds(found + 1))
    return "the epoch after the restart is lost";
  return "";
}

struct Tally {
  std::size_t crashes = 0;
  std::size_t failures = 0;
  std::string first;  ///< what was wrong first
};

/// Crashes before every operation, `seeds` times in each way.
Tally crash_everywhere(const Operations& operations, int keep, std::uint64_t seeds) {
  // In memory: what a sync of the restarts is worth is not the question here, but their number is.
  const bool has_memory = fs::exists("/dev/shm");
  const Scratch scratch(has_memory ? "/dev/shm" : fs::temp_directory_path());
  const auto directory = scratch / "ckpt";
  Tally tally;
  for (std::size_t cut = 0; cut <= operations.size(); ++cut) {
    const auto committed = committed_before(operations, cut);
    for (const auto crash : {Crash::kill, Crash::power_cut, Crash::any_subset}) {
      for (std::uint64_t seed = 0; seed < (crash == Crash::kill ? 1 : seeds); ++seed) {
        write_files(directory, files_after(operations, cut, crash, seed));
        const auto problem = problem_after(directory, keep, committed);
        ++tally.crashes;
        if (problem.empty()) continue;
        if (tally.failures++ == 0) {
          tally.first = problem + ", crash " + std::to_string(static_cast<int>(crash)) +
                        " before operation " + std::to_string(cut) + ", seed " +
                        std::to_string(seed);
        }
      }
    }
  }
  return tally;
}

std::uint64_t seeds() { return std::getenv("CAIRN_TEST_LONG") != nullptr ? 60 : 3; }

/// The record without the operations of one kind: a program that forgets them.
Operations without(Operations operations, Kind kind) {
  std::erase_if(operations, [&](const FileOperation& one) { return one.kind == kind; });
  return operations;
}

}  // namespace

TEST_CASE("after a crash anywhere the newest committed epoch is there, bit for bit") {
  for (const int keep : {1, 2}) {
    const Scratch scratch;
    const auto operations = record(scratch / "ckpt", keep);
    CHECK(committed_before(operations, operations.size()) == epochs);
    const auto tally = crash_everywhere(operations, keep, seeds());
    CAPTURE(tally.first);
    CHECK(tally.failures == 0);
    MESSAGE("keep " << keep << ": " << tally.crashes << " crashes at " << operations.size()
                    << " operations");
  }
}

TEST_CASE("a program that forgets a sync, or removes old epochs too early, is caught") {
  const Scratch scratch;
  const auto operations = record(scratch / "ckpt", 1);
  CHECK(crash_everywhere(without(operations, Kind::sync_file), 1, 3).failures > 0);
  CHECK(crash_everywhere(without(operations, Kind::sync_directory), 1, 3).failures > 0);

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
  CHECK(crash_everywhere(early, 1, 3).failures > 0);

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
  CHECK(crash_everywhere(hasty, 1, 3).failures > 0);
}
