/// One launch: mpirun from its start to its end, with the signals that arrive meanwhile.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cairn::tool {

/// Requests to stop that this process receives: SIGINT, SIGTERM, SIGUSR1, and SIGHUP unless it is
/// ignored, as under nohup. Blocks them and hands them out one by one.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// The next signal that has arrived, 0 for none. Does not wait.
  [[nodiscard]] int next() noexcept;
  /// Waits for at most `time`, or until a signal arrives; returns it, or 0.
  int wait(std::chrono::milliseconds time) noexcept;

 private:
  int descriptor_ = -1;
};

struct LaunchPlan {
  int number = 0;  ///< from 0
  int ranks = 1;
  std::vector<std::string> mpirun;                 ///< its name and options, without -n
  std::vector<std::string> program;                ///< and arguments
  std::map<std::string, std::string> environment;  ///< set for mpirun and the ranks
  std::chrono::seconds grace{60};  ///< from a request to stop until everything is killed
};

struct LaunchEnd {
  int exit_code = 0;                     ///< of mpirun; 128 + s when it died of signal s
  int mpirun = 0;                        ///< process id
  int stop_signal = 0;                   ///< the first request to stop, 0 for none
  std::optional<int> verdict;            ///< what the program said that its code is, if anything
  bool was_killed = false;               ///< by us: a second Ctrl-C, or the grace time was over
  bool mpirun_hung = false;              ///< by us, because it did not end when its ranks had
  double began = 0;                      ///< seconds since 1970
  double seconds = 0;                    ///< from start to end
  std::optional<int> first_rank_to_end;  ///< of the ranks on this machine
  double first_rank_ended = 0;           ///< seconds since 1970
};

/// Runs one launch to its end. A request to stop goes to every rank as SIGUSR1, the one stop signal
/// that mpirun forwards (SIGTERM and SIGINT make it kill the ranks a second later). A Ctrl-C after
/// that, or the end of the grace time, kills everything at once. Nothing that was started is left
/// when it returns.
///
/// @throws Error{Errc::unavailable} when no process can be made
LaunchEnd run_launch(const LaunchPlan& plan, StopSignals& signals);

}  // namespace cairn::tool
