// An error of the file system at every system call of a save, on every rank: by policy the save is
// an error on all ranks alike or a warning, nothing is left behind, the older epoch is there bit
// for bit, and the next save works.

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>

#include "cairn/ckpt/inspect.hpp"
#include "cairn/core/error.hpp"
#include "file_calls.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

using OnError = ckpt::Options::OnError;
using Mode = ckpt::Options::Mode;

/// A field that follows from the step, and its Checkpointer.
struct Program {
  Program(const fs::path& directory, OnError on_error, Mode mode = Mode::sync)
      : u(world(), 14, 9),
        ckpt(world(), {.directory = directory,
                       .warn = [this](std::string_view text) { warnings.emplace_back(text); },
                       .mode = mode,
                       .signals = ckpt::Options::Signals::leave_alone,
                       .on_error = on_error}) {
    ckpt.field("u", u.data, u.block);
  }
  void save(std::uint64_t step) {
    u.fill(static_cast<int>(step));
    ckpt.save(step);
    ckpt.wait();
  }

  std::vector<std::string> warnings;  // rank 0
  GridField u;
  ckpt::Checkpointer ckpt;
};

/// The step of the newest epoch, 0 for wrong data; equal on all ranks.
std::uint64_t restored(const fs::path& directory) {
  Program program(directory, OnError::stop);
  const auto step = program.ckpt.restore().value_or(0);
  const int good = program.u.holds(static_cast<int>(step)) ? 1 : 0;
  return all_reduce(world(), good, Minimum{}) == 1 ? step : 0;
}

/// Names that belong to no epoch. A record has its data; the spare, the lock and the claims are
/// the store's own.
std::set<std::string> litter(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const auto& path = entry.path();
    const auto other =
        fs::path(path).replace_extension(path.extension() == ".h5" ? ".record" : ".h5");
    const auto name = path.filename().string();
    if (name != "lock" && name != "spare.h5" && !name.starts_with("inc.") &&
        !(name.starts_with("epoch-") && fs::exists(other)))
      names.insert(name);
  }
  return names;
}

/// What a failed call did to a save.
enum class Outcome { saved, warned, thrown, different };

/// Whether no epoch may come of a save in which the last of these calls failed: it is one of those
/// up to the commit, and changes something or promises that it is durable.
bool forbids_epoch(const std::vector<FileCall>& calls) {
  const auto& [function, name] = calls.back();
  bool committing = false;
  for (std::size_t i = 0; i + 1 < calls.size(); ++i) {
    committing |= calls[i].function == "rename" && calls[i].name.ends_with(".record");
    if (committing && calls[i].function == "fsync")
      return false;  // what follows retires old epochs
  }
  if (function != "close") return function != "unlink" && name != "spare.h5";
  return calls.size() > 1 && calls[calls.size() - 2].function == "fdatasync";
}

/// A save with a fault in it; equal on all ranks.
struct Faulty {
  Outcome outcome = Outcome::saved;
  bool reached = false;        ///< the fault was met
  bool forbids_epoch = false;  ///< and had to end the save
};

/// Saves with call number `at` of rank `rank` failing.
Faulty save_with_fault(FileCalls& calls, Program& program, std::uint64_t step, int rank,
                       std::size_t at, int error_number) {
  program.warnings.clear();
  const auto before = program.ckpt.epoch();
  barrier(world());
  calls.fail(world().rank() == rank ? at : SIZE_MAX, error_number);
  auto outcome = Outcome::saved;
  try {
    program.save(step);
    if (program.ckpt.epoch() == before) outcome = Outcome::warned;
  } catch (const Error& error) {
    outcome = error.agreed() ? Outcome::thrown : Outcome::different;
  }
  auto made = calls.calls();
  calls.disarm();
  const bool reached = bcast(world(), made.size() > at ? 1 : 0, rank) == 1;
  made.resize(std::min(made.size(), at + 1));
  const bool forbids =
      bcast(world(), reached && world().rank() == rank && forbids_epoch(made) ? 1 : 0, rank) == 1;
  const int mine = static_cast<int>(outcome);
  const bool same = all_reduce(world(), mine, Minimum{}) == all_reduce(world(), mine, Maximum{});
  return {same ? outcome : Outcome::different, reached, forbids};
}

struct Tally {
  std::size_t saved = 0;
  std::size_t failed = 0;
};

/// The step of the newest epoch, 0 if one of its bytes is wrong. Rank 0, beside the running job.
std::uint64_t newest_whole_step(const fs::path& directory, const Program& program) {
  std::optional<ckpt::EpochInfo> newest;
  for (const auto& entry : ckpt::epochs_in(directory)) {
    if (entry.verdict == ckpt::Verdict::committed) newest = entry.info;
  }
  if (!newest) return 0;
  const ckpt::EpochReader reader(directory, newest->epoch);
  const auto& global = program.u.block.global;
  std::vector<double> u(ckpt::volume(global));
  reader.read(0, {{0, 0}, global}, std::as_writable_bytes(std::span(u)));
  for (std::size_t i = 0; i < u.size(); ++i) {
    const auto expected =
        GridField::expected(i / global[1], i % global[1], static_cast<int>(newest->step));
    if (u[i] != expected) return 0;
  }
  return newest->step;
}

/// Call after call of one rank, until a save passes without meeting the fault. All in one run,
/// which has a spare and an old epoch to retire each time, so that it passes all that a save can
/// pass.
void fail_everywhere(OnError on_error, Mode mode, int rank, int error_number, Tally& tally) {
  const SharedDirectory scratch;
  FileCalls calls(scratch.path);
  Program program(scratch.path, on_error, mode);
  std::uint64_t step = 1;
  for (; step <= 3; ++step) program.save(step);
  std::uint64_t committed = step - 1;
  bool reached = true;
  for (std::size_t at = 0; reached; ++at) {
    const auto [outcome, was_reached, forbids] =
        save_with_fault(calls, program, step, rank, at, error_number);
    reached = was_reached;
    CAPTURE(rank);
    CAPTURE(at);
    CAPTURE(error_number);
    const bool failed = outcome == (on_error == OnError::stop ? Outcome::thrown : Outcome::warned);
    CHECK((failed || (outcome == Outcome::saved && !forbids)));
    ++(failed ? tally.failed : tally.saved);
    if (world().is_root()) {
      const auto newest = newest_whole_step(scratch.path, program);
      CHECK((newest == step || (failed && newest == committed)));
      if (failed) CHECK(litter(scratch.path) == std::set<std::string>{});
      if (failed && on_error == OnError::go_on) {
        CHECK(program.warnings.size() == 1);
        CHECK(program.warnings.front().find("goes on without it") != std::string::npos);
      }
    }
    barrier(world());
    committed = ++step;
    program.save(step);
    if (world().is_root()) {
      CHECK(newest_whole_step(scratch.path, program) == step);
      CHECK(litter(scratch.path) == std::set<std::string>{});
    }
    ++step;
  }
}

struct Case {
  OnError on_error;
  Mode mode;
  int error_number;
};

std::vector<Case> cases() {
  if (std::getenv("CAIRN_TEST_LONG") == nullptr) {
    std::vector<Case> some{{OnError::go_on, Mode::sync, ENOSPC}, {OnError::stop, Mode::async, EIO}};
    if (world().size() > 2) return some;  // a third rank does what the second does
    some.push_back({OnError::stop, Mode::sync, EROFS});
    some.push_back({OnError::go_on, Mode::async, EDQUOT});
    return some;
  }
  std::vector<Case> all;
  for (const auto on_error : {OnError::stop, OnError::go_on}) {
    for (const auto mode : {Mode::sync, Mode::async}) {
      for (const int error_number : {ENOSPC, EIO, EDQUOT, EROFS, EACCES, ENOENT})
        all.push_back({on_error, mode, error_number});
    }
  }
  return all;
}

}  // namespace

TEST_CASE("an error at any system call of a save, on any rank") {
  Tally tally;
  for (const auto& [on_error, mode, error_number] : cases()) {
    for (int rank = 0; rank < world().size(); ++rank)
      fail_everywhere(on_error, mode, rank, error_number, tally);
  }
  CHECK(tally.failed > 0);
  if (world().is_root())
    MESSAGE(tally.failed << " failed saves, " << tally.saved << " that got over it");
}

TEST_CASE("a run whose directory vanishes goes on, and saves again when it is back") {
  for (const bool by_file : {false, true}) {
    const SharedDirectory scratch;
    const auto directory = scratch.path / "ckpt";
    {
      Program program(directory, OnError::go_on);
      program.save(1);
      program.save(2);
      barrier(world());
      if (world().is_root()) {
        fs::rename(directory, scratch.path / "away");
        if (by_file) std::ofstream(directory) << "a file";
      }
      program.save(3);
      program.save(4);
      if (world().is_root()) CHECK(program.warnings.size() == 2);
      CHECK(program.ckpt.epoch() == 2);
      if (world().is_root()) {
        CHECK(fs::exists(directory) == by_file);
        fs::remove(directory);
        fs::rename(scratch.path / "away", directory);
        CHECK(litter(directory) == std::set<std::string>{});
      }
      program.save(5);
      CHECK(program.ckpt.epoch() == 3);
      if (world().is_root()) CHECK(program.warnings.size() == 2);
    }
    CHECK(restored(directory) == 5);
  }
}

TEST_CASE("by default the run stops when its directory is gone") {
  const SharedDirectory scratch;
  const auto directory = scratch.path / "ckpt";
  Program program(directory, OnError::stop);
  program.save(1);
  barrier(world());
  if (world().is_root()) fs::remove_all(directory);
  try {
    program.save(2);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::no_input);
  }
}

TEST_CASE("what is no error of files is thrown whatever the policy says") {
  const SharedDirectory scratch;
  Program(scratch.path, OnError::go_on).save(1);
  barrier(world());
  ckpt::Checkpointer other(world(), {.directory = scratch.path,
                                     .program = "another",
                                     .signals = ckpt::Options::Signals::leave_alone,
                                     .on_error = OnError::go_on});
  CHECK_THROWS_AS(other.save(2), Error);
  CHECK(ckpt::on_error_of("continue") == OnError::go_on);
  CHECK(ckpt::on_error_of("stop") == OnError::stop);
  CHECK_THROWS_AS((void)ckpt::on_error_of("go on"), Error);
}
