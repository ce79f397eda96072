/// Log: what a program says on stderr, in whole lines that never interleave.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::program {

enum class Level { trace, debug, info, warning, error };

/// The level of that name, if there is one.
[[nodiscard]] std::optional<Level> level_from_name(std::string_view name);

/// Writes to stderr, one write(2) a line. trace, debug and info come from rank 0 alone; warnings
/// and errors from every rank, marked "[rank 2] " when there is more than one. Thread-safe.
///
///     cairn-heat: 1024 x 1024 points on 4 ranks
///     cairn-heat: [rank 2] warning: epoch 7 is damaged, using epoch 6
///
/// With a level of trace or debug each line starts with the time of day.
class Log {
 public:
  /// @param program  stands at the start of each line
  /// @param level    what is below is dropped
  /// @param rank     this rank, of `ranks`
  Log(std::string program, Level level, int rank, int ranks);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void trace(std::string_view text);
  void debug(std::string_view text);
  void info(std::string_view text);
  void warning(std::string_view text);
  void error(std::string_view text);

  /// Whether this rank writes lines of `level`; ask before formatting something expensive.
  [[nodiscard]] bool enabled(Level level) const noexcept;

 private:
  friend class Progress;
  struct Implementation;
  /// Shows `text` as the last line of the terminal until a log line or the next call; "" removes
  /// it.
  void status(std::string_view text);

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace cairn::program
