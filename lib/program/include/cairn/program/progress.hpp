/// Progress: a line at the bottom of the terminal, or now and then one in the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::program {

struct Context;
class Log;

/// When to say something again that goes on and on: after 1, 2, 4, … minutes, and then every hour;
/// or all so many seconds. Pure, but for the clock that its caller reads.
class Reminder {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param every  seconds; 0: never; less: after 1, 2, 4, … minutes
  explicit Reminder(double every = -1) noexcept : every_(every) {}

  /// It begins now.
  void restart(Clock::time_point now) noexcept;
  /// Whether it is time; begins at the first call. True once each time.
  [[nodiscard]] bool is_due(Clock::time_point now) noexcept;
  /// Since it began.
  [[nodiscard]] double seconds(Clock::time_point now) const noexcept;

 private:
  double every_;
  std::optional<Clock::time_point> started_;
  double next_ = 0;  // seconds since then
};

/// How far a loop is, how fast, and how long it will take:
///
///     heat  [#########                     ]  31 %  6200/20000  812/s  17 s left
///
/// Shown by rank 0 only, not with --quiet. On a terminal at most ten times a second, without a
/// trace; elsewhere, as in the log of a batch job, as lines of it, when a Reminder says so. On
/// other ranks update() costs a comparison. Colour obeys NO_COLOR.
class Progress {
 public:
  /// @param context  of run(); its log must outlive this object
  /// @param total    number of units (steps, bytes) until the end; 0: unknown
  Progress(const Context& context, std::string label, std::uint64_t total);
  /// The same for a tool without ranks; in a log after 1, 2, 4, … minutes.
  Progress(Log& log, std::string label, std::uint64_t total);
  /// Removes the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` units of `total` are finished. The first call says where this run began (after a
  /// restart, say). Local.
  /// @param note  stands at the end of the line
  void update(std::uint64_t done, std::string_view note = {});

  /// Removes the line. Local, harmless when repeated.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  Progress(Log& log, std::string label, std::uint64_t total, double every);
  [[nodiscard]] bool is_due(Clock::time_point now) noexcept;
  [[nodiscard]] std::string line(std::uint64_t done, Clock::time_point now) const;

  Log* log_ = nullptr;  // null where nothing is shown
  bool on_terminal_;
  Reminder in_log_;
  std::string label_;
  std::uint64_t total_;
  std::uint64_t first_done_ = 0;
  std::optional<Clock::time_point> started_;
  Clock::time_point next_{};
};

}  // namespace cairn::program
