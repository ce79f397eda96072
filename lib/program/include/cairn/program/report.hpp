/// The report of a run: what happened to it, for somebody who was asleep.
///
/// Plain data in, text out. `cairn run --report DIR` fills it from the launches that it saw and
/// from the events that the ranks left in DIR/trace. All times are seconds since 1970 (`…_at`,
/// `began`) or durations in seconds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn::program {

/// One start of mpirun.
struct LaunchRecord {
  int number = 0;  ///< from 0
  int ranks = 1;
  double began = 0;
  double seconds = 0;
  int exit_code = 0;
  std::string ending;            ///< for people: "finished", "signal 9 (Killed)"
  bool crashed = false;          ///< the work since the last epoch is lost
  std::optional<int> dead_rank;  ///< the first rank that ended, if it was seen
  double died_at = 0;            ///< when it did

  [[nodiscard]] double ended_at() const { return began + seconds; }
  /// When the work stopped: at the death that was seen, else at the end.
  [[nodiscard]] double stopped_at() const {
    return crashed && dead_rank ? std::min(died_at, ended_at()) : ended_at();
  }
};

/// A stretch of a rank's time.
struct TraceSpan {
  int launch = 0;
  int rank = 0;
  std::string name;
  double began = 0;
  double seconds = 0;
  std::optional<std::int64_t> number;
};

/// A committed checkpoint epoch.
struct EpochRecord {
  std::int64_t number = 0;
  int launch = 0;
  double committed_at = 0;
  std::optional<std::int64_t> step;  ///< of the program
  std::optional<double> seconds;     ///< that saving took
};

/// An epoch that a launch began from.
struct RestoreRecord {
  int launch = 0;
  std::int64_t epoch = 0;
  double at = 0;
};

/// A value of a counter. One whose name ends in ".busy" is a share, from 0 to 1, of the time since
/// the sample before it; it is drawn as ranks × time.
struct CounterSample {
  int launch = 0;
  int rank = 0;
  std::string name;
  double at = 0;
  double value = 0;
};

struct RunReport {
  std::vector<std::string> command;  ///< the program and its arguments
  int exit_code = 0;                 ///< of the whole run
  std::vector<LaunchRecord> launches;
  std::vector<TraceSpan> spans;
  std::vector<EpochRecord> epochs;
  std::vector<RestoreRecord> restores;
  std::vector<CounterSample> samples;
  std::string picture_png;  ///< the bytes of a PNG file; empty for none
};

/// Work that a crash made worthless.
struct LostWork {
  int launch = 0;
  double from = 0;     ///< the last commit of the launch, else when it began to work
  double until = 0;    ///< when the work stopped
  double resumed = 0;  ///< when the next launch began to work; `until` if there was none

  [[nodiscard]] double redone_seconds() const { return until - from; }
  [[nodiscard]] double restart_seconds() const { return resumed - until; }
};

/// One entry per crashed launch.
[[nodiscard]] std::vector<LostWork> lost_work(const RunReport& report);

/// Adds the events of `directory`/launch-L.rank-R.events; lines that a dying rank left unfinished
/// are dropped. A missing directory has no events. Local.
void read_trace(const std::filesystem::path& directory, RunReport& report);

/// One HTML page that needs no network and no script, light or dark as the reader's system is.
[[nodiscard]] std::string report_html(const RunReport& report);

/// The launches, epochs and lost times as one JSON object.
[[nodiscard]] std::string report_json(const RunReport& report);

/// Collects a run while it happens and writes it to a folder.
class RunRecorder {
 public:
  explicit RunRecorder(std::vector<std::string> command) { report_.command = std::move(command); }

  /// Makes the folder, and removes the trace of an earlier run in it. Local.
  /// @throws Error{Errc::permission, input_output} when it cannot be made or written
  void open(const std::filesystem::path& folder);

  /// Where the ranks shall put their events (CAIRN_TRACE); empty without open().
  [[nodiscard]] std::filesystem::path trace_directory() const;

  void add(LaunchRecord launch) { report_.launches.push_back(std::move(launch)); }

  /// Writes trace.json, run.json and report.html. Local.
  /// @param picture  a PNG to show, or empty: then picture.png of the folder is shown if it exists
  /// @throws Error when a file cannot be read or written
  void finish(int exit_code, const std::filesystem::path& picture = {});

 private:
  std::filesystem::path folder_;
  RunReport report_;
};

}  // namespace cairn::program
