/// When to save: by steps, by time, and before the time limit. Pure: the time is passed in.
#pragma once

#include <cstdint>
#include <optional>

namespace cairn::ckpt {

/// The interval between epochs that wastes the least time, in seconds, for epochs that take
/// `cost_seconds` and failures every `mtbf_seconds` in the mean.
///
/// Source: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart
/// dumps", Future Gener. Comput. Syst. 22(3), 2006, doi:10.1016/j.future.2004.11.016, eq. 37; its
/// first term is J. W. Young, "A first order approximation to the optimum checkpoint interval",
/// Commun. ACM 17(9), 1974, doi:10.1145/361147.361115.
[[nodiscard]] double optimal_interval(double cost_seconds, double mtbf_seconds) noexcept;

/// The clock of a Checkpointer's Pacing, in seconds.
[[nodiscard]] double pacing_clock();

/// One rank keeps it and decides for all. Seconds are those of one clock that never goes back.
class Pacing {
 public:
  /// Before the limit, for what nobody has foreseen.
  static constexpr double margin_seconds = 5;

  struct Settings {
    std::uint64_t every = 0;      ///< steps between epochs; 0: not by steps
    double interval_seconds = 0;  ///< between epochs; 0: not by time
    bool is_automatic = false;    ///< the interval is optimal_interval() of what epochs cost
    double mtbf_seconds = 86400;
    std::optional<double> limit_seconds = {};  ///< when the job will be ended
  };

  Pacing(const Settings& settings, double now)
      : settings_(settings), begin_(now), last_call_(now) {}

  /// A step has ended: what to do.
  enum class Advice { go_on, save, save_and_stop };
  [[nodiscard]] Advice after_step(std::uint64_t step, double now);

  /// A moment at which the program could end a step; whether it should, by the clock.
  [[nodiscard]] bool is_time(double now) noexcept;

  /// Whether another step and an epoch may take until the limit, or longer.
  [[nodiscard]] bool is_limit_near(double now) const noexcept;

  /// The program has waited so long for epochs, in a save or for one on its way.
  void waited(double seconds) noexcept {
    waited_ += seconds;
    last_call_ += seconds;  // not a part of a step
  }

  /// An epoch is on its way that was begun at `begin`: the next is one interval later.
  void begun(double begin) noexcept { begin_ = begin; }

  /// An epoch is committed that was begun at `begin`.
  void saved(double begin, double now) noexcept;

  /// The epoch that was begun at `begin` could not be written: the next is tried an interval later.
  void failed(double begin) noexcept {
    begin_ = begin;
    waited_ = 0;
  }

  /// Seconds between epochs as things are; 0: not by time.
  [[nodiscard]] double interval_seconds() const noexcept;

 private:
  [[nodiscard]] bool is_interval_over(double now) const noexcept;

  Settings settings_;
  double begin_;                ///< of the last epoch, or of the run
  double last_call_;            ///< of after_step()
  double longest_step_ = 0;     ///< seconds between two calls
  double waited_ = 0;           ///< since the last epoch was committed
  std::optional<double> cost_;  ///< mean seconds that an epoch stops the program
  double longest_save_ = 0;     ///< seconds from the begin to the commit
};

}  // namespace cairn::ckpt
