#include "cairn/program/checkpoint_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "cairn/ckpt/inspect.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "cairn/program/places.hpp"

namespace cairn::program {

namespace {

using SystemClock = std::chrono::system_clock;
const auto process_begin = SystemClock::now();

/// A number that is not negative, and nothing behind it.
template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0)) return {};
  return value;
}

/// A century stands for all that is longer: the clock counts nanoseconds until 2262.
SystemClock::duration duration_of(double seconds) {
  constexpr double century = 100 * 366 * 86400.0;
  return std::chrono::duration_cast<SystemClock::duration>(
      std::chrono::duration<double>(std::min(seconds, century)));
}

[[noreturn]] void refuse(const std::string& why) {
  Error error(Errc::usage, why);
  error.mark_agreed();  // all ranks have the same options
  throw error;
}

/// The first line that the command prints; empty when there is none.
std::string first_line_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             ::pclose);
  std::array<char, 128> line{};
  if (!pipe || std::fgets(line.data(), line.size(), pipe.get()) == nullptr) return {};
  std::string text(line.data());
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

/// From any thread, in one piece.
void write_line(std::string_view text) {
  const auto line = std::string(text) + "\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Rank 0's: the job's environment may not be that of all ranks.
std::optional<SystemClock::time_point> slurm_limit_everywhere(const Communicator& comm) {
  std::int64_t seconds = 0;
  if (comm.is_root()) {
    if (const auto limit = slurm_time_limit())
      seconds = std::chrono::floor<std::chrono::seconds>(limit->time_since_epoch()).count();
  }
  seconds = bcast(comm, seconds);
  if (seconds == 0) return {};
  return SystemClock::time_point(std::chrono::seconds(seconds));
}

bool is_by_time(const ckpt::Options& options) {
  return options.interval_seconds > 0 || options.interval == ckpt::Options::Interval::automatic;
}

}  // namespace

std::optional<double> parse_duration(std::string_view text) {
  double days = 0;
  std::vector<double> parts;
  const auto dash = text.find('-');
  if (dash != std::string_view::npos) {
    const auto number = parse_number<std::uint32_t>(text.substr(0, dash));
    if (!number) return {};
    days = *number;
    text.remove_prefix(dash + 1);
  } else if (const auto seconds = parse_number<double>(text)) {
    return seconds;
  }
  while (true) {
    const auto colon = text.find(':');
    const auto number = parse_number<std::uint32_t>(text.substr(0, colon));
    if (!number) return {};
    parts.push_back(*number);
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  if (parts.size() > 3 || (dash == std::string_view::npos && parts.size() < 2)) return {};
  if (dash != std::string_view::npos) {
    parts.resize(3);  // hours first
  } else if (parts.size() == 2) {
    parts.insert(parts.begin(), 0);  // minutes and seconds
  }
  return ((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2];
}

std::optional<SystemClock::time_point> slurm_time_limit() {
  if (const auto end = parse_number<std::int64_t>(variable("SLURM_JOB_END_TIME")))
    return SystemClock::time_point(std::chrono::seconds(std::min<std::int64_t>(*end, 9000000000)));
  const auto job = variable("SLURM_JOB_ID");
  if (!parse_number<std::uint64_t>(job)) return {};
  const auto left = parse_duration(first_line_of("squeue -h -o %L -j " + job + " 2>/dev/null"));
  if (!left) return {};  // UNLIMITED, or no squeue here
  return SystemClock::now() + duration_of(*left);
}

void CheckpointOptions::declare(Options& options, std::string_view steps) {
  options.add("ckpt-dir", directory, "folder for checkpoints; a run restarts from what it holds")
      .add("ckpt-every", every,
           fmt::format("{} between checkpoints; 0: only by --ckpt-interval and on a stop signal",
                       steps))
      .add(
          "ckpt-interval", interval,
          "seconds between checkpoints, or auto: by what a checkpoint costs and by --ckpt-mtbf; 0: "
          "not by time")
      .add("ckpt-mtbf", mtbf_hours, "mean hours between failures of the whole job")
      .add("ckpt-mode", mode,
           "sync, or async: write a copy in the background, which costs its memory")
      .add("ckpt-driver", driver,
           "posix: each rank writes its own part; mpio: all together through MPI-IO, not in mode "
           "async")
      .add("ckpt-direct", direct,
           "writes past the page cache: on, off, or auto, where that is faster")
      .add("ckpt-compress", compression,
           "none, zstd, lz4 or deflate: compress checkpoints, without loss; h5dump and h5py read "
           "deflate as they are, the others with a plugin")
      .add("ckpt-key-file", key_file,
           "encrypt checkpoints with the key in this file: 32 bytes or 64 hexadecimal digits, of "
           "mode 600; without it CAIRN_CKPT_KEY counts, if it is set")
      .flag("ckpt-changes", changes_only,
            "write only the MiB that have changed since the checkpoint that is written over")
      .flag("ckpt-accept-plain", accept_plain,
            "with a key, also restart from a checkpoint that is not encrypted")
      .add("ckpt-on-error", on_error,
           "when a checkpoint cannot be written: stop, or continue with a warning")
      .add("ckpt-patience", patience,
           "seconds that a checkpoint waits for a rank that does not answer, before it is given up "
           "and the run goes on; when the rank stays away for twice as long and a step, the run "
           "leaves with exit code 75; 0: for ever")
      .add(
          "ckpt-give-up", most_given_up,
          "with a patience: leave with exit code 75 when so many checkpoints in a row are given up")
      .add("ckpt-local", local_directory,
           "folder on each node for checkpoints in between, %h in it is the node's name; in "
           "/dev/shm "
           "it is memory")
      .add("ckpt-local-every", local_every, fmt::format("{} between those", steps))
      .add("ckpt-redundancy", redundancy,
           "lost nodes that those bear: none, partner (one of two), xor (one of eight), or rs:K+M "
           "(M "
           "of K+M)")
      .add("ckpt-journal", journal_directory,
           "folder on each node for its copy of the job journal, which cairn journal shows; %h in "
           "it is the node's name")
      .add(
          "time-limit", time_limit,
          "SECONDS or [D-]HH:MM:SS until the job is ended, or slurm: as Slurm says; shortly "
          "before, by 5 seconds and what a step and two checkpoints take, "
          "the run saves and leaves with exit code 75. Without it the job's SLURM_JOB_END_TIME, if "
          "there is one")
      .hide_default("ckpt-key-file")
      .hide_default("time-limit");
}

void CheckpointOptions::declare_with_cuts(Options& options) {
  has_cuts = true;
  options.add("cut-every", cut_every,
              "tasks of all ranks, about, after which all stand still for a moment, so that a "
              "checkpoint can be made; 0: when --ckpt-interval or a stop signal asks for one");
  declare(options, "cuts");
}

/// Where nothing else says when, each cut is saved; and what counts cuts needs some.
void CheckpointOptions::count_cuts(ckpt::Options& options) const {
  if (is_by_time(options)) return;
  if (cut_every == 0 && (every != 0 || local_every != 0))
    refuse(
        "--ckpt-every and --ckpt-local-every count cuts; say with --cut-every TASKS when there "
        "is one");
  if (cut_every != 0 && every == 0) options.every = 1;
}

/// Without a folder for checkpoints nobody asks for any.
void CheckpointOptions::expect_none_wanted(const ckpt::Options& options) const {
  const std::pair<const char*, bool> wishes[] = {{"--ckpt-every", every != 0},
                                                 {"--ckpt-interval", is_by_time(options)},
                                                 {"--cut-every", cut_every != 0},
                                                 {"--ckpt-local", !local_directory.empty()},
                                                 {"--ckpt-local-every", local_every != 0},
                                                 {"--ckpt-journal", !journal_directory.empty()}};
  for (const auto& [option, is_given] : wishes) {
    if (is_given) refuse(option + std::string(" needs --ckpt-dir, the folder for checkpoints"));
  }
}

ckpt::Options CheckpointOptions::resolve(const Context& context, std::string program,
                                         std::string identity) const {
  ckpt::Options options{.directory = directory,
                        .every = every,
                        .mtbf_seconds = mtbf_hours * 3600,
                        .program = std::move(program),
                        .identity = std::move(identity),
                        .warn = [log = &context.log](std::string_view text) { log->warning(text); },
                        .mode = ckpt::mode_of(mode),
                        .key_file = key_file,
                        .driver = ckpt::driver_of(driver),
                        .direct = ckpt::direct_of(direct),
                        .compression = ckpt::compression_of(compression),
                        .on_error = ckpt::on_error_of(on_error),
                        .patience_seconds = patience,
                        .most_given_up = most_given_up,
                        .last_words = write_line,
                        .local = {.directory = local_directory,
                                  .every = local_every,
                                  .redundancy = ckpt::redundancy_of(redundancy)},
                        .journal_directory = journal_directory};
  if (changes_only) options.pieces = ckpt::Options::Pieces::changed;
  if (accept_plain) options.plain_epochs = ckpt::Options::PlainEpochs::accept;
  if (interval == "auto") {
    options.interval = ckpt::Options::Interval::automatic;
  } else if (const auto seconds = parse_duration(interval)) {
    options.interval_seconds = *seconds;
  } else {
    refuse("--ckpt-interval is a number of seconds or auto, not '" + interval + "'");
  }
  if (directory.empty()) expect_none_wanted(options);
  if (local_every != 0 && local_directory.empty())
    refuse("--ckpt-local-every needs --ckpt-local, where those checkpoints stand");
  if (has_cuts) count_cuts(options);
  if (!(patience >= 0)) refuse(fmt::format("--ckpt-patience {} is below 0", patience));
  if (most_given_up < 1) refuse(fmt::format("--ckpt-give-up {} is below 1", most_given_up));
  if (!(mtbf_hours > 0)) refuse(fmt::format("--ckpt-mtbf {} is not above 0", mtbf_hours));
  if (const auto seconds = parse_duration(time_limit)) {
    options.time_limit = process_begin + duration_of(*seconds);
  } else if (time_limit == "slurm" ||
             (time_limit.empty() && !variable("SLURM_JOB_END_TIME").empty())) {
    options.time_limit = slurm_limit_everywhere(context.world);
  } else if (!time_limit.empty()) {
    refuse("--time-limit is SECONDS, [D-]HH:MM:SS or slurm, not '" + time_limit + "'");
  }
  return options;
}

void CheckpointOptions::check_places(const Context& context,
                                     std::initializer_list<std::filesystem::path> outputs,
                                     std::vector<std::filesystem::path> inputs) const {
  inputs.push_back(key_file);
  program::check_places(context, outputs, std::move(inputs));
  together(context.world, [&] {
    if (!context.world.is_root() || directory.empty()) return;
    for (const auto& output : outputs) {
      if (!output.empty()) ckpt::expect_foreign_name(directory, place_of(output));
    }
  });
}

}  // namespace cairn::program
