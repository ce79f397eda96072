#include "cairn/program/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cairn/program/program.hpp"
#include "short_number.hpp"
#include "terminal.hpp"

namespace cairn::program {

namespace {

constexpr int bar_width = 30;
constexpr auto interval = std::chrono::milliseconds(100);

std::string bar(double fraction) {
  const auto filled = static_cast<std::size_t>(fraction * bar_width);
  auto text = std::string(filled, '#') + std::string(bar_width - filled, ' ');
  if (stderr_wants_colour()) text.insert(filled, "\x1b[0m").insert(0, "\x1b[32m");
  return "[" + text + "]";
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::min(seconds, 1e15));
  if (whole < 100) return fmt::format("{} s", whole);
  if (whole < 6000) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

constexpr double first_reminder = 60;
constexpr double rarest_reminder = 3600;

}  // namespace

void Reminder::restart(Clock::time_point now) noexcept {
  started_ = now;
  next_ = every_ < 0 ? first_reminder : every_;
}

bool Reminder::is_due(Clock::time_point now) noexcept {
  if (!started_) restart(now);
  const double passed = seconds(now);
  if (every_ == 0 || passed < next_) return false;
  if (every_ > 0) {
    next_ = every_ * (std::floor(passed / every_) + 1);
  } else {
    while (next_ <= passed) next_ += std::min(next_, rarest_reminder);
  }
  return true;
}

double Reminder::seconds(Clock::time_point now) const noexcept {
  return started_ ? std::chrono::duration<double>(now - *started_).count() : 0;
}

Progress::Progress(Log& log, std::string label, std::uint64_t total, double every)
    : log_(log.enabled(Level::info) ? &log : nullptr),
      on_terminal_(stderr_is_terminal()),
      in_log_(every),
      label_(std::move(label)),
      total_(total) {}

Progress::Progress(Log& log, std::string label, std::uint64_t total)
    : Progress(log, std::move(label), total, -1) {}

Progress::Progress(const Context& context, std::string label, std::uint64_t total)
    : Progress(context.log, std::move(label), total, context.progress_every) {}

Progress::~Progress() { finish(); }

std::string Progress::line(std::uint64_t done, Clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - *started_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - first_done_) / seconds : 0;
  if (total_ == 0) return fmt::format("{}  {}  {}/s", label_, done, short_number(rate));
  const double fraction = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  const auto left = static_cast<double>(total_ - std::min(done, total_));
  const auto time_left = rate > 0 ? "  " + duration(left / rate) + " left" : std::string();
  return fmt::format("{}  {}{:3.0f} %  {}/{}  {}/s{}", label_,
                     on_terminal_ ? bar(fraction) + " " : "", 100 * fraction, done, total_,
                     short_number(rate), time_left);
}

void Progress::update(std::uint64_t done, std::string_view note) {
  if (log_ == nullptr) return;
  const auto now = Clock::now();
  if (!started_) {
    started_ = now;
    first_done_ = std::min(done, total_ == 0 ? done : total_);
  }
  if (!is_due(now)) return;
  auto text = line(std::max(done, first_done_), now);
  if (!note.empty()) text.append("  ").append(note);
  if (on_terminal_) return log_->status(text);
  log_->info(text);
}

bool Progress::is_due(Clock::time_point now) noexcept {
  if (!on_terminal_) return in_log_.is_due(now);
  if (now < next_) return false;
  next_ = now + interval;
  return true;
}

void Progress::finish() {
  if (log_ != nullptr && on_terminal_) log_->status("");
}

}  // namespace cairn::program
