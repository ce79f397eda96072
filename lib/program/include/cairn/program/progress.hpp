/// Progress: a line at the bottom of the terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::program {

struct Context;
class Log;

/// How far a loop is, how fast, and how long it will take:
///
///     heat  [#########                     ]  31 %  6200/20000  812/s  17 s left
///
/// Shown by rank 0 only, only if stderr is a terminal, not with --quiet, at most ten times a
/// second; elsewhere update() costs a comparison. Colour obeys NO_COLOR.
class Progress {
 public:
  /// @param context  of run(); its log must outlive this object
  /// @param total    number of units (steps, bytes) until the end; 0: unknown
  Progress(const Context& context, std::string label, std::uint64_t total);
  /// The same for a tool without ranks.
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
  [[nodiscard]] std::string line(std::uint64_t done, Clock::time_point now) const;

  Log* log_ = nullptr;  // null where nothing is shown
  std::string label_;
  std::uint64_t total_;
  std::uint64_t first_done_ = 0;
  std::optional<Clock::time_point> started_;
  Clock::time_point next_{};
};

}  // namespace cairn::program
