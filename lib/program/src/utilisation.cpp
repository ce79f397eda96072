#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "time_axis.hpp"
#include "timeline.hpp"

namespace cairn::program {

bool is_share_of_time(const CounterSample& sample) { return sample.name.ends_with(".busy"); }

namespace {

constexpr std::size_t columns = 260;  // of 4 units each
constexpr double column_width = (width - left - right) / static_cast<double>(columns);
constexpr double top = 26;

/// What the samples say of the columns of a lane.
struct Column {
  double used = 0;    // in units of length
  double length = 0;  // of which something is known

  [[nodiscard]] int percent() const {
    return length <= 0 ? -1 : static_cast<int>(std::lround(100 * used / length));
  }
};

class Lane {
 public:
  /// A share of the stretch from x0 to x1.
  void add(double x0, double x1, double share) {
    const auto column_of = [](double x) {
      const double c = std::floor((x - left) / column_width);
      return static_cast<std::size_t>(std::clamp(c, 0.0, static_cast<double>(columns - 1)));
    };
    for (std::size_t c = column_of(x0); c <= column_of(x1); ++c) {
      const double begin = left + static_cast<double>(c) * column_width;
      const double length = std::min(x1, begin + column_width) - std::max(x0, begin);
      if (length <= 0) continue;
      columns_[c].used += share * length;
      columns_[c].length += length;
    }
  }

  /// Neighbours that look alike are one rectangle; that of a rank that does nothing is pale.
  [[nodiscard]] std::string rects(double y) const {
    std::string out;
    for (std::size_t c = 0; c < columns;) {
      const int percent = columns_[c].percent();
      std::size_t end = c + 1;
      while (end < columns && columns_[end].percent() == percent) ++end;
      if (percent >= 0)
        out += fmt::format(
            R"(<rect class="busy" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.0f}" fill-opacity="{:.2f}"><title>{} %</title></rect>)",
            left + static_cast<double>(c) * column_width, y,
            static_cast<double>(end - c) * column_width, lane_height,
            std::max(0.08, percent / 100.0), percent);
      c = end;
    }
    return out;
  }

 private:
  std::array<Column, columns> columns_{};
};

std::string utilisation_svg(const RunReport& report, const std::string& name) {
  const TimeAxis axis(report);
  std::map<int, Lane> lanes;
  std::map<std::pair<int, int>, double> before;  // by launch and rank
  for (const auto& sample : report.samples) {
    if (sample.name != name) continue;
    // The first one of a launch only says where time begins.
    const auto at = before.try_emplace({sample.launch, sample.rank}, sample.at).first;
    lanes[sample.rank].add(axis.x(at->second), axis.x(sample.at), std::clamp(sample.value, 0., 1.));
    at->second = sample.at;
  }
  const double bottom = top + lane_pitch * static_cast<double>(lanes.size());
  auto out = fmt::format(
      R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{} over time, one lane per rank">)",
      width, bottom + axis_height, escaped(name));
  out += fmt::format(
      R"(<text class="launch-name" x="{:.0f}" y="14">{}: the darker, the more of a rank's time was used</text>)",
      left, escaped(name));
  out += axis.ticks(top, bottom);
  double y = top;
  for (const auto& [rank, lane] : lanes) {
    out += fmt::format(R"(<text class="lane" x="{:.0f}" y="{:.1f}">rank {}</text>)", left - 10,
                       y + lane_height / 2 + 4, rank);
    out += lane.rects(y);
    y += lane_pitch;
  }
  return out + "</svg>\n";
}

}  // namespace

std::string utilisation_svgs(const RunReport& report) {
  std::set<std::string> names;
  for (const auto& sample : report.samples)
    if (is_share_of_time(sample)) names.insert(sample.name);
  std::string out;
  for (const auto& name : names) out += utilisation_svg(report, name);
  return out;
}

}  // namespace cairn::program
