#include "cairn/program/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <new>
#include <thread>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "terminal.hpp"
#include "threads.hpp"

namespace cairn::program {

namespace {

/// One line, whatever the text holds.
void print_error(const std::string& program, const std::string& rank_mark, std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  write_stderr(program + ": " + rank_mark + "error: " + text + "\n");
}

/// GivenOptions as one text of NUL-terminated words, for a broadcast.
std::string flatten(const GivenOptions& given) {
  std::string flat;
  const auto append = [&](const std::string& word) { flat.append(word).push_back('\0'); };
  for (const auto& [name, option] : given) {
    append(name);
    append(option.source);
    append(std::to_string(option.values.size()));
    for (const auto& value : option.values) append(value);
  }
  return flat;
}

GivenOptions unflatten(std::string_view flat) {
  const auto next = [&] {
    const auto end = flat.find('\0');
    std::string word(flat.substr(0, end));
    flat.remove_prefix(end + 1);
    return word;
  };
  GivenOptions given;
  while (!flat.empty()) {
    auto& option = given[next()];
    option.source = next();
    option.values.resize(std::stoul(next()));
    for (auto& value : option.values) value = next();
  }
  return given;
}

/// Reads the options on rank 0 alone, so that environment and file are the same for all; every rank
/// then converts the same words. Errors are agreed, and told without a rank.
void parse_on_root(const Communicator& world, int argc, char** argv, Options& options) {
  const auto without_rank = [](auto&& work) {
    try {
      return work();
    } catch (Error& error) {
      error.mark_agreed();  // together() makes it true
      throw;
    }
  };
  auto flat = together(world, [&] {
    return without_rank(
        [&] { return world.is_root() ? flatten(options.collect(argc, argv)) : ""; });
  });
  flat.resize(bcast(world, flat.size()));
  bcast(world, std::span<char>(flat));
  together(world, [&] { without_rank([&] { options.assign(unflatten(flat)); }); });
}

/// Answers --help and the like; true if it did.
bool answered(const Communicator& world, const Options& options) {
  const auto& general = options.general();
  std::string answer;
  if (general.help) {
    answer = options.help();
  } else if (general.version) {
    answer = options.version_line();
  } else if (general.list_failpoints) {
    for (const auto& name : failpoint_names()) answer += name + "\n";
  } else {
    return false;
  }
  if (world.is_root()) std::cout << answer << std::flush;
  return true;
}

int run_body(Runtime& runtime, int argc, char** argv, Options& options,
             const std::function<int(Context&)>& body) {
  const auto& world = runtime.world();
  parse_on_root(world, argc, argv, options);
  if (answered(world, options)) return 0;
  const auto& general = options.general();
  const auto named = level_from_name(general.log_level).value_or(Level::info);
  const auto level = general.quiet ? std::max(named, Level::warning) : named;
  Log log(options.name(), level, world.rank(), world.size());
  Context context{
      runtime,       world, log, set_threads(world, general.threads), general.progress_every,
      general.config};
  return body(context);
}

std::string rank_mark(const Communicator& world) {
  return world.size() == 1 ? "" : "[rank " + std::to_string(world.rank()) + "] ";
}

/// Ends the job for an error that this rank met alone; the others may be waiting for it. A single
/// rank leaves in peace.
int leave_alone(Runtime& runtime, const Options& options, int exit_code, const char* what) {
  print_error(options.name(), rank_mark(runtime.world()), what);
  std::cout.flush();
  std::fflush(nullptr);
  if (runtime.world().size() > 1) runtime.abort(exit_code);
  return exit_code;
}

/// Where the ranks of a sub-communicator agreed on an error, its rank 0 speaks and ends the job.
/// The others give it the time to do so, and speak for themselves should it have caught the error.
void wait_for_abort() {
  // mpirun sends SIGTERM, which is caught here, and SIGKILL a second or two later.
  std::this_thread::sleep_for(std::chrono::seconds(5));
}

/// The exit code of a program that believes it is done.
int code_of_output(const Communicator& world, const Options& options) {
  const auto error = detail::error_of([] { expect_printed(); });
  if (!error || !world.is_root()) return 0;
  print_error(options.name(), "", error->what());
  return error->exit_code();
}

int guarded(Runtime& runtime, int argc, char** argv, Options& options,
            const std::function<int(Context&)>& body) {
  const auto exit_code = [](Errc code) { return static_cast<int>(code); };
  try {
    const int code = run_body(runtime, argc, argv, options, body);
    std::cout.flush();
    std::fflush(nullptr);  // the first rank that leaves with a code makes mpirun stop the others
    return code != 0 ? code : code_of_output(runtime.world(), options);
  } catch (const Error& error) {
    if (error.agreed_ranks() < runtime.world().size()) {
      if (error.agreed_rank() > 0) wait_for_abort();
      return leave_alone(runtime, options, error.exit_code(), error.what());
    }
    std::cout.flush();
    std::fflush(nullptr);
    if (runtime.world().is_root()) print_error(options.name(), "", error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    return leave_alone(runtime, options, exit_code(Errc::unavailable), "out of memory");
  } catch (const std::exception& error) {
    return leave_alone(runtime, options, exit_code(Errc::internal), error.what());
  }
}

/// The rank as the launcher says it, for when MPI cannot be asked; 0 without a launcher.
int rank_from_environment() {
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (const char* text = std::getenv(variable)) return std::atoi(text);
  }
  return 0;
}

}  // namespace

namespace {

/// Tells `cairn run` how the program ended: mpirun replaces the code by its own when it was told to
/// end the job. A hint; what cannot be written is not missed.
void leave_verdict(const Communicator& world, int exit_code) {
  const char* path = std::getenv("CAIRN_VERDICT");
  if (path == nullptr || *path == '\0' || !world.is_root()) return;
  std::ofstream(path) << exit_code << '\n';
}

}  // namespace

void throw_if_stopped() {
  if (const int signal = pending_stop_signal(); signal != 0) {
    throw Error(static_cast<Errc>(stop_exit_code(signal)),
                fmt::format("stopped on request ({}), and nothing is saved: this starts from the "
                            "beginning when you run it again",
                            name_of_signal(signal)));
  }
}

void expect_printed() {
  const bool is_lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout.flush();
  if (is_lost)
    throw Error(Errc::input_output,
                "standard output could not be written to its end; is the disk behind it full?");
}

int run(int argc, char** argv, Options& options, const std::function<int(Context&)>& body) {
  try {
    Runtime runtime(argc, argv);
    const int exit_code = guarded(runtime, argc, argv, options, body);
    leave_verdict(runtime.world(), exit_code);
    return exit_code;
  } catch (const Error& error) {
    const int rank = rank_from_environment();
    const auto mark = error.agreed() ? "" : "[rank " + std::to_string(rank) + "] ";
    if (!error.agreed() || rank == 0) print_error(options.name(), mark, error.what());
    return error.exit_code();
  }
}

}  // namespace cairn::program
