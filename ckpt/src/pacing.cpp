#include "pacing.hpp"

#include <algorithm>
#include <cmath>

namespace cairn::ckpt {

namespace {

/// Before the first epoch has shown what one costs.
constexpr double first_interval_seconds = 60;
/// How much longer than ever before the last epoch may take.
constexpr double caution = 2;

}  // namespace

double optimal_interval(double cost_seconds, double mtbf_seconds) noexcept {
  if (cost_seconds >= 2 * mtbf_seconds) return mtbf_seconds;
  const double ratio = cost_seconds / (2 * mtbf_seconds);
  return std::sqrt(2 * cost_seconds * mtbf_seconds) * (1 + std::sqrt(ratio) / 3 + ratio / 9) -
         cost_seconds;
}

double Pacing::interval_seconds() const noexcept {
  if (!settings_.is_automatic) return settings_.interval_seconds;
  if (!cost_) return first_interval_seconds;
  // An epoch on its way is not to be waited for.
  return std::max(optimal_interval(*cost_, settings_.mtbf_seconds), longest_save_);
}

bool Pacing::is_limit_near(double now) const noexcept {
  return settings_.limit_seconds &&
         now + longest_step_ + caution * longest_save_ + margin_seconds >= *settings_.limit_seconds;
}

bool Pacing::is_interval_over(double now) const noexcept {
  const double interval = interval_seconds();
  return interval > 0 && now - begin_ >= interval;
}

bool Pacing::is_time(double now) noexcept {
  longest_step_ = std::max(longest_step_, now - last_call_);
  last_call_ = now;
  return is_limit_near(now) || is_interval_over(now);
}

Pacing::Advice Pacing::after_step(std::uint64_t step, double now) {
  longest_step_ = std::max(longest_step_, now - last_call_);
  last_call_ = now;
  if (is_limit_near(now)) return Advice::save_and_stop;
  if (settings_.every != 0 && step % settings_.every == 0) return Advice::save;
  return is_interval_over(now) ? Advice::save : Advice::go_on;
}

void Pacing::saved(double begin, double now) noexcept {
  longest_save_ = std::max(longest_save_, now - begin);
  cost_ = cost_ ? 0.5 * (*cost_ + waited_) : waited_;
  waited_ = 0;
  begin_ = begin;
}

}  // namespace cairn::ckpt
