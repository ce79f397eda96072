/// Spans, instants and counters per rank and thread, merged into a timeline for Perfetto or
/// chrome://tracing.
///
///     trace::Span span("ckpt.write");           // until the end of the scope
///     trace::instant("epoch.committed", epoch);
///     trace::counter("heat.cells_per_second", rate);
///
/// Every rank appends to a file of its own, a line per event, so that what a killed rank did before
/// its death is still there; merge() makes one Chrome-trace JSON of a folder of them (pid = rank,
/// tid = thread). Off by default, and then a span costs one load and one predictable branch.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <limits>

namespace cairn::trace {

namespace detail {
extern std::atomic<bool> enabled;
void write_span(const char* name, std::int64_t begin_ns, std::int64_t end_ns,
                std::int64_t argument) noexcept;
}  // namespace detail

/// Nanoseconds since 1970: the clock of the events, which never goes back.
[[nodiscard]] std::int64_t now_ns() noexcept;

/// "This event carries no number".
inline constexpr std::int64_t no_argument = std::numeric_limits<std::int64_t>::min();

/// Starts tracing on this rank into `directory`/launch-L.rank-R.events; makes the directory.
///
/// Local. Runtime calls it when CAIRN_TRACE names a directory.
/// @throws Error{Errc::input_output, permission} when the file cannot be made
void start(const std::filesystem::path& directory, int rank, int launch);

/// Flushes and stops. Local; harmless when tracing is off.
void stop() noexcept;

/// Hands this rank's events so far to the operating system, so that they outlive a SIGKILL.
/// Happens by itself every 100 ms of events, and should be called before a long or risky step.
void flush() noexcept;

[[nodiscard]] inline bool is_on() noexcept {
  return detail::enabled.load(std::memory_order_relaxed);
}

/// A stretch of time of this thread, from construction to the end of the scope.
/// `name` must outlive the trace (a literal), and consist of letters, digits, '.', '_', '-'.
class Span {
 public:
  explicit Span(const char* name, std::int64_t argument = no_argument) noexcept
      : name_(is_on() ? name : nullptr), argument_(argument) {
    if (name_ != nullptr) [[unlikely]] {
      begin_ns_ = now_ns();
    }
  }
  ~Span() {
    if (name_ != nullptr) [[unlikely]] {
      detail::write_span(name_, begin_ns_, now_ns(), argument_);
    }
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  const char* name_;
  std::int64_t argument_;
  std::int64_t begin_ns_ = 0;
};

/// A stretch of time of this thread that is known afterwards, in nanoseconds of now_ns(): for those
/// who put many short ones together. Of its name see Span.
inline void stretch(const char* name, std::int64_t begin_ns, std::int64_t end_ns) noexcept {
  if (is_on()) [[unlikely]] {
    detail::write_span(name, begin_ns, end_ns, no_argument);
  }
}

/// A moment, with an optional number.
void instant(const char* name, std::int64_t argument = no_argument) noexcept;

/// A quantity over time.
void counter(const char* name, double value) noexcept;

/// Merges all event files of `directory` into one Chrome-trace JSON file `output`; a line that a
/// dying rank or a full disk left unfinished is dropped. Local.
/// @return the number of events
/// @throws Error when the directory cannot be read or the file not be written
std::size_t merge(const std::filesystem::path& directory, const std::filesystem::path& output);

}  // namespace cairn::trace
