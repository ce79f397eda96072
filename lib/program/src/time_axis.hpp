/// What all pictures of the report share: their measures, and time from left to right.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "cairn/program/report.hpp"

namespace cairn::program {

// All lengths in SVG user units; the pictures scale with the page.
inline constexpr double width = 1120;
inline constexpr double left = 64;
inline constexpr double right = 16;
inline constexpr double lane_height = 22;
inline constexpr double lane_pitch = 27;
inline constexpr double axis_height = 30;

/// Seconds since the run began → horizontal position.
class TimeAxis {
 public:
  explicit TimeAxis(const RunReport& report) {
    for (const auto& launch : report.launches) {
      began_ = began_ == 0 ? launch.began : std::min(began_, launch.began);
      ended_ = std::max(ended_, launch.ended_at());
    }
    if (ended_ - began_ < 1e-3) ended_ = began_ + 1e-3;
  }

  [[nodiscard]] double x(double at) const {
    const double fraction = (std::clamp(at, began_, ended_) - began_) / (ended_ - began_);
    return left + fraction * (width - left - right);
  }
  [[nodiscard]] double began() const { return began_; }
  [[nodiscard]] double seconds() const { return ended_ - began_; }

  /// Lines and numbers at round times, from `top` to `bottom`.
  [[nodiscard]] std::string ticks(double top, double bottom) const {
    const double rough = seconds() / 10;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {5.0, 2.0, 1.0}) {
      if (factor * power >= rough) step = factor * power;
    }
    std::string out;
    for (int tick = 0; tick * step <= seconds() * 1.0001; ++tick) {
      const double at = tick * step;
      const double position = x(began_ + at);
      out +=
          fmt::format(R"(<line class="tick" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>)",
                      position, top, bottom);
      out += fmt::format(R"(<text class="axis" x="{:.1f}" y="{:.1f}">{:g} s</text>)", position,
                         bottom + 16, at);
    }
    return out + "\n";
  }

 private:
  double began_ = 0;
  double ended_ = 0;
};

}  // namespace cairn::program
