#include "cairn/program/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <mutex>
#include <utility>

#include "terminal.hpp"

namespace cairn::program {

namespace {

constexpr std::array<std::pair<std::string_view, Level>, 5> level_names{
    {{"trace", Level::trace},
     {"debug", Level::debug},
     {"info", Level::info},
     {"warning", Level::warning},
     {"error", Level::error}}};

spdlog::level::level_enum native(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

constexpr std::string_view erase_line = "\r\x1b[K";

/// One write(2) a line; keeps a status line below the log lines.
class StderrSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void status(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (text.empty() && status_.empty()) return;
    status_ = text;
    write_stderr(std::string(erase_line) + status_);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    if (!status_.empty()) line.append(erase_line.data(), erase_line.data() + erase_line.size());
    formatter_->format(message, line);
    line.append(status_.data(), status_.data() + status_.size());
    write_stderr({line.data(), line.size()});
  }
  void flush_() override {}

 private:
  std::string status_;
};

}  // namespace

std::optional<Level> level_from_name(std::string_view name) {
  for (const auto& [known, level] : level_names) {
    if (known == name) return level;
  }
  return std::nullopt;
}

struct Log::Implementation {
  Implementation(const std::string& program, Level least, int rank, int ranks)
      : sink(std::make_shared<StderrSink>()),
        logger(program, sink),
        level(least),
        is_root(rank == 0),
        mark(ranks > 1 ? "[rank " + std::to_string(rank) + "] " : "") {
    logger.set_level(native(level));
    logger.set_pattern(level <= Level::debug ? "%H:%M:%S.%e %n: %v" : "%n: %v");
    if (stderr_wants_colour()) {
      warning_word = "\x1b[33mwarning:\x1b[0m ";
      error_word = "\x1b[31merror:\x1b[0m ";
    }
  }

  void line(Level of, std::string_view before, std::string_view text) {
    logger.log(native(of), "{}{}{}", of >= Level::warning ? mark : std::string(), before, text);
  }

  std::shared_ptr<StderrSink> sink;
  spdlog::logger logger;
  Level level;
  bool is_root;
  std::string mark;
  std::string warning_word = "warning: ";
  std::string error_word = "error: ";
};

Log::Log(std::string program, Level level, int rank, int ranks)
    : implementation_(std::make_unique<Implementation>(program, level, rank, ranks)) {}

Log::~Log() = default;

bool Log::enabled(Level level) const noexcept {
  return level >= implementation_->level && (implementation_->is_root || level >= Level::warning);
}

void Log::trace(std::string_view text) {
  if (enabled(Level::trace)) implementation_->line(Level::trace, "trace: ", text);
}
void Log::debug(std::string_view text) {
  if (enabled(Level::debug)) implementation_->line(Level::debug, "debug: ", text);
}
void Log::info(std::string_view text) {
  if (enabled(Level::info)) implementation_->line(Level::info, "", text);
}
void Log::warning(std::string_view text) {
  implementation_->line(Level::warning, implementation_->warning_word, text);
}
void Log::error(std::string_view text) {
  implementation_->line(Level::error, implementation_->error_word, text);
}

void Log::status(std::string_view text) { implementation_->sink->status(text); }

}  // namespace cairn::program
