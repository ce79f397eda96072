// cairn run: starts an MPI program, and starts it again when it crashes.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "cairn/consensus/claim.hpp"
#include "cairn/core/error.hpp"
#include "cairn/program/log.hpp"
#include "cairn/program/options.hpp"
#include "cairn/program/report.hpp"
#include "commands.hpp"
#include "diagnosis.hpp"
#include "launch.hpp"
#include "leftovers.hpp"
#include "processes.hpp"
#include "verdict.hpp"

namespace cairn::tool {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

struct Settings {
  int ranks = 0;
  std::string restart_ranks;
  int max_restarts = 3;
  int grace_seconds = 60;
  std::string mpirun = "mpirun";
  fs::path report;
  fs::path report_picture;
  std::vector<std::string> program;
};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

/// "4,3" → 4, 3.
std::vector<int> parse_restart_ranks(const std::string& text) {
  std::vector<int> ranks;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) {
    std::size_t used = 0;
    int value = 0;
    try {
      value = std::stoi(item, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != item.size() || value < 1) {
      throw Error(Errc::usage, "--restart-ranks: '" + item +
                                   "' is not a number of ranks; write 3, or 4,3 for 4 at "
                                   "the first restart and 3 at all later ones");
    }
    ranks.push_back(value);
  }
  return ranks;
}

void expect_at_least(int value, int least, const char* option) {
  if (value < least) {
    throw Error(Errc::usage, fmt::format("{}: {} is less than {}", option, value, least));
  }
}

/// Fills `settings`; false if the help or the version was wanted, and printed.
bool read_settings(int argc, const char* const* argv, Settings& settings) {
  program::Options options("cairn run",
                           "starts an MPI program, and starts it again when it crashes",
                           "-n RANKS [--] PROGRAM [ARGUMENT…]", program::Options::Kind::tool);
  options.add("ranks,n", settings.ranks, "number of ranks (default: SLURM_NTASKS in a Slurm job)")
      .add("restart-ranks", settings.restart_ranks,
           "number of ranks after a crash: 3, or 4,3 for 4 at the first restart and 3 at all later "
           "ones (default: "
           "as before)")
      .add("max-restarts", settings.max_restarts, "give up after this many restarts")
      .add("grace", settings.grace_seconds,
           "seconds from a request to stop (SIGTERM, SIGUSR1, Ctrl-C) until everything is killed")
      .add("mpirun", settings.mpirun, "the launcher and its options, in front of -n")
      .add("report", settings.report,
           "folder for report.html, run.json and trace.json, which show what happened")
      .add("report-picture", settings.report_picture, "a PNG for the report, made by the program")
      .command("PROGRAM", settings.program, "what every rank starts, with its arguments")
      .example("cairn run -n 4 --restart-ranks 3 -- cairn-heat --ckpt-dir epochs --ckpt-every 100");
  options.hide_default("ranks");
  options.parse(argc, argv);
  if (options.general().help || options.general().version) {
    std::cout << (options.general().help ? options.help() : options.version_line());
    return false;
  }
  if (const char* tasks = std::getenv("SLURM_NTASKS");
      tasks != nullptr && !options.given("ranks")) {
    settings.ranks = std::atoi(tasks);
  } else if (!options.given("ranks")) {
    throw Error(Errc::usage, "how many ranks? write cairn run -n 4 -- PROGRAM");
  }
  if (settings.program.empty()) {
    throw Error(Errc::usage, "which program? write cairn run -n 4 -- PROGRAM");
  }
  expect_at_least(settings.ranks, 1, "--ranks");
  expect_at_least(settings.max_restarts, 0, "--max-restarts");
  expect_at_least(settings.grace_seconds, 0, "--grace");
  return true;
}

/// Whether Open MPI is told elsewhere which variables the ranks of other machines get; it refuses
/// to be told twice.
bool passes_variables(const std::vector<std::string>& mpirun) {
  return std::getenv("OMPI_MCA_mca_base_env_list") != nullptr ||
         std::any_of(mpirun.begin(), mpirun.end(),
                     [](const auto& word) { return word == "-x" || word == "mca_base_env_list"; });
}

/// The names of all CAIRN_* variables of this process and of `others`, for mca_base_env_list.
std::string variable_names(const std::map<std::string, std::string>& others) {
  std::set<std::string> names;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with("CAIRN_")) names.emplace(text.substr(0, text.find('=')));
  }
  for (const auto& [name, value] : others) {
    if (name.starts_with("CAIRN_")) names.insert(name);
  }
  return fmt::format("{}", fmt::join(names, ";"));
}

/// All launches of one `cairn run`.
class Job {
 public:
  Job(Settings settings, std::vector<int> restart_ranks, std::vector<std::string> mpirun)
      : settings_(std::move(settings)), restart_ranks_(std::move(restart_ranks)) {
    plan_.ranks = settings_.ranks;
    plan_.mpirun = std::move(mpirun);
    plan_.program = settings_.program;
    plan_.grace = std::chrono::seconds(settings_.grace_seconds);
    if (!settings_.report.empty()) report_.open(settings_.report);
    plan_.environment = environment();
  }

  /// @return the exit code
  int run() {
    adopt_orphans();
    remove_unmapped_segments();
    int exit_code = 0;
    while (true) {
      const auto end = launch();
      exit_code = end.exit_code;
      if (const int signal = end.stop_signal; signal != 0) {
        exit_code = stopped(end);
        break;
      }
      if (!is_crash(exit_code)) {
        if (end.verdict != exit_code) diagnose(exit_code);
        break;
      }
      if (is_lost_node(exit_code)) {
        log_.warning(
            fmt::format("launch {} ended by {}: a node of the job was lost; requeue it to go on "
                        "from the last epoch",
                        plan_.number, describe_exit(exit_code)));
        break;
      }
      if (!prepare_restart(end)) break;
      if (const int signal = signals_.wait(pause()); signal != 0) {
        exit_code = stop_code(signal);
        log_.info("stopped between two launches; run the same command again to go on");
        break;
      }
    }
    return exit_code;
  }

  void write_report(int exit_code) {
    if (settings_.report.empty()) return;
    report_.finish(exit_code, settings_.report_picture);
    log_.info(fmt::format("the report is {}", (settings_.report / "report.html").string()));
  }

  void warn(std::string_view text) { log_.warning(text); }

 private:
  /// What mpirun and the ranks get besides our own environment.
  [[nodiscard]] std::map<std::string, std::string> environment() const {
    // A later launch of this very run knows that the former one is over.
    const auto run = consensus::this_process();
    std::map<std::string, std::string> variables{{"CAIRN_LAUNCH", "0"},
                                                 {"CAIRN_RUN", run.host + "-" + run.nonce}};
    if (!settings_.report.empty()) variables["CAIRN_TRACE"] = report_.trace_directory().string();
    if (::isatty(STDERR_FILENO) == 1) variables["CAIRN_TERMINAL"] = "1";
    if (!passes_variables(plan_.mpirun)) {
      variables["OMPI_MCA_mca_base_env_list"] = variable_names(variables);
    }
    // Otherwise mpirun explains in ten lines every exit code that is not 0, and every signal.
    variables["OMPI_MCA_orte_execute_quiet"] = "1";
    variables["CAIRN_VERDICT"] = verdict_.path().string();
    return variables;
  }

  LaunchEnd launch() {
    plan_.environment["CAIRN_LAUNCH"] = std::to_string(plan_.number);
    auto end = run_launch(plan_, signals_);
    constexpr int mpiruns_own =
        1;  // its code when SIGTERM or SIGINT reached it, whatever the ranks say
    end.verdict = verdict_.take();
    if (end.exit_code == mpiruns_own && end.verdict) end.exit_code = *end.verdict;
    if (end.mpirun_hung) log_.warning("mpirun did not end when its ranks had, and was killed");
    if (end.exit_code != 0) {  // mpirun may have killed ranks
      remove_unmapped_segments();
      remove_session(end.mpirun);
    }
    report_.add({.number = plan_.number,
                 .ranks = plan_.ranks,
                 .began = end.began,
                 .seconds = end.seconds,
                 .exit_code = end.exit_code,
                 .ending = ending(end),
                 .crashed = is_crash(end.exit_code) && end.stop_signal == 0,
                 .dead_rank = end.first_rank_to_end,
                 .died_at = end.first_rank_ended});
    return end;
  }

  static std::string ending(const LaunchEnd& end) {
    if (end.was_killed) return "killed after a request to stop";
    if (end.exit_code == 0) return "finished";
    if (end.stop_signal != 0) return "stopped on request";
    return describe_exit(end.exit_code);
  }

  static int stop_code(int signal) {
    return static_cast<int>(signal == SIGINT ? Errc::interrupted : Errc::run_again);
  }

  /// The exit code of a launch that ended after a request to stop.
  int stopped(const LaunchEnd& end) {
    if (end.was_killed) {
      log_.warning(
          "killed before the program could save; run the same command again to go on from the last "
          "epoch");
    } else if (is_crash(end.exit_code)) {
      log_.warning(fmt::format(
          "the program ended by {} instead of saving; run the same command again to go on from "
          "the last epoch",
          describe_exit(end.exit_code)));
    } else if (end.exit_code != static_cast<int>(Errc::run_again)) {
      return end.exit_code;
    }
    return stop_code(end.stop_signal);
  }

  /// Says why a launch ended with a code that is not in our list, which no program has told.
  void diagnose(int exit_code) {
    const bool is_documented = exit_code == 0 || exit_code >= static_cast<int>(Errc::usage);
    if (is_documented) return;
    if (const auto text = ask_mpirun(plan_)) {
      std::cerr << *text;
      throw Error(Errc::unavailable,
                  fmt::format("{} cannot start {} ranks here: what it says stands above",
                              settings_.mpirun, plan_.ranks));
    }
    // mpirun was kept quiet; without this line its own failures, 1 as a rule, would pass in
    // silence.
    log_.warning(fmt::format("launch {} ended by {}, which is not restarted", plan_.number,
                             describe_exit(exit_code)));
  }

  /// Says what happened and what comes next; false if there was the last restart.
  bool prepare_restart(const LaunchEnd& end) {
    const auto first =
        end.first_rank_to_end ? fmt::format(", rank {} first", *end.first_rank_to_end) : "";
    const auto what =
        fmt::format("launch {} on {} ranks ended by {} after {:.1f} s{}", plan_.number, plan_.ranks,
                    describe_exit(end.exit_code), end.seconds, first);
    if (plan_.number == settings_.max_restarts) {
      log_.error(fmt::format("gave up after {} restarts: {}", settings_.max_restarts, what));
      return false;
    }
    ++plan_.number;
    if (!restart_ranks_.empty()) {
      plan_.ranks =
          restart_ranks_[std::min(restart_ranks_.size(), static_cast<std::size_t>(plan_.number)) -
                         1];
    }
    log_.info(fmt::format("{}; restart {} of {} on {} ranks", what, plan_.number,
                          settings_.max_restarts, plan_.ranks));
    return true;
  }

  /// 0.2 s, 0.4 s … 5 s before restart 1, 2 …
  [[nodiscard]] milliseconds pause() const {
    return std::min(milliseconds(5000), milliseconds(200) * (1 << std::min(plan_.number - 1, 10)));
  }

  Settings settings_;
  VerdictFile verdict_;
  std::vector<int> restart_ranks_;
  LaunchPlan plan_;
  StopSignals signals_;
  program::Log log_{"cairn run", program::Level::info, 0, 1};
  program::RunRecorder report_{settings_.program};
};

}  // namespace

int run_command(int argc, const char* const* argv) {
  Settings settings;
  if (!read_settings(argc, argv, settings)) return 0;
  auto restart_ranks = parse_restart_ranks(settings.restart_ranks);
  auto mpirun = words_of(settings.mpirun);
  if (mpirun.empty()) throw Error(Errc::usage, "--mpirun is empty");
  expect_executable(mpirun.front(), "--mpirun: the launcher");
  expect_executable(settings.program.front(), "the program");
  Job job(std::move(settings), std::move(restart_ranks), std::move(mpirun));
  const int exit_code = job.run();
  try {
    job.write_report(exit_code);
  } catch (const std::exception& error) {
    job.warn(fmt::format("no report: {}", error.what()));  // the run counts, not its report
  }
  return exit_code;
}

}  // namespace cairn::tool
