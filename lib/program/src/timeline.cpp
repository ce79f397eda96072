#include "timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "time_axis.hpp"

namespace cairn::program {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

namespace {

constexpr double head_height = 46;

/// The colour class of each span name: checkpointing has fixed ones, the rest takes turns.
std::map<std::string, std::string> colours(const RunReport& report) {
  static const std::map<std::string, std::string> fixed{{"ckpt.save", "k0"},
                                                        {"ckpt.write", "k1"},
                                                        {"ckpt.sync", "k2"},
                                                        {"ckpt.commit", "k3"},
                                                        {"ckpt.restore", "k4"}};
  std::map<std::string, std::string> classes;
  int next = 0;
  for (const auto& span : report.spans) {
    if (classes.contains(span.name)) continue;
    const auto known = fixed.find(span.name);
    classes[span.name] = known != fixed.end() ? known->second : fmt::format("c{}", next++ % 6);
  }
  return classes;
}

/// Seconds since 1970 in a double are good to 0.24 µs: neighbours that touch may seem to overlap.
constexpr double resolution = 1e-6;

struct Bar {
  const TraceSpan* span;
  double x0, x1;
  int depth;
};

/// The spans of one rank of one launch as bars; a span inside another is one deeper, and spans of
/// one name that are less than half a unit apart become one bar.
std::vector<Bar> bars_of(std::vector<const TraceSpan*> spans, const TimeAxis& axis) {
  std::sort(spans.begin(), spans.end(), [](const auto* a, const auto* b) {
    return a->began != b->began ? a->began < b->began : a->seconds > b->seconds;
  });
  std::vector<double> open_until;
  std::map<std::pair<std::string, int>, std::size_t> last;
  std::vector<Bar> bars;
  for (const auto* span : spans) {
    while (!open_until.empty() && open_until.back() <= span->began + resolution)
      open_until.pop_back();
    const auto depth = static_cast<int>(open_until.size());
    open_until.push_back(span->began + span->seconds);
    const double x0 = axis.x(span->began);
    const double x1 = axis.x(span->began + span->seconds);
    const auto [found, is_new] = last.try_emplace({span->name, depth}, bars.size());
    if (!is_new && x0 - bars[found->second].x1 < 0.5) {
      bars[found->second].x1 = std::max(x1, bars[found->second].x1);
      continue;
    }
    found->second = bars.size();
    bars.push_back({span, x0, x1, depth});
  }
  std::stable_sort(bars.begin(), bars.end(),
                   [](const Bar& a, const Bar& b) { return a.depth < b.depth; });
  return bars;
}

class Timeline {
 public:
  explicit Timeline(const RunReport& report)
      : report_(report), axis_(report), colours_(colours(report)) {
    for (const auto& launch : report.launches) lanes_ = std::max(lanes_, launch.ranks);
    bottom_ = head_height + lanes_ * lane_pitch;
  }

  [[nodiscard]] std::string svg() const {
    auto out = fmt::format(
        R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="Timeline: one lane per rank">)",
        width, bottom_ + axis_height);
    out +=
        R"svg(<defs><pattern id="redone" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">)svg"
        R"(<rect width="7" height="7" class="redone-ground"/><line class="redone-line" x1="0" x2="0" y1="0" y2="7"/></pattern></defs>)";
    out += axis_.ticks(head_height - 6, bottom_);
    for (int rank = 0; rank < lanes_; ++rank) {
      out += fmt::format(R"(<text class="lane" x="{:.0f}" y="{:.1f}">rank {}</text>)", left - 10,
                         lane(rank) + lane_height / 2 + 4, rank);
    }
    for (const auto& launch : report_.launches) out += launch_box(launch);
    for (const auto& work : lost_work(report_)) out += redone(work);
    for (const auto& epoch : report_.epochs) out += epoch_mark(epoch);
    for (const auto& launch : report_.launches) out += death(launch);
    return out + "</svg>\n" + legend();
  }

 private:
  [[nodiscard]] static double lane(int rank) { return head_height + rank * lane_pitch; }

  [[nodiscard]] std::string launch_box(const LaunchRecord& launch) const {
    const double x0 = axis_.x(launch.began);
    const double x1 = axis_.x(launch.ended_at());
    const double height = launch.ranks * lane_pitch + 1;
    auto out = fmt::format(
        "<g><title>launch {} on {} ranks: {} after {:.2f} s</title>"
        R"(<rect class="launch{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="4"/></g>)",
        launch.number, launch.ranks, escaped(launch.ending), launch.seconds,
        launch.crashed ? " crashed" : "", x0, head_height - 3, std::max(1.0, x1 - x0), height);
    const auto name = x1 - x0 > 120
                          ? fmt::format("launch {}: {} ranks", launch.number, launch.ranks)
                          : fmt::format("{}", launch.number);
    out += fmt::format(R"(<text class="launch-name" x="{:.1f}" y="14">{}</text>)", x0 + 2, name);
    for (int rank = 0; rank < launch.ranks; ++rank) {
      std::vector<const TraceSpan*> spans;
      for (const auto& span : report_.spans) {
        if (span.launch == launch.number && span.rank == rank) spans.push_back(&span);
      }
      for (const auto& bar : bars_of(std::move(spans), axis_)) out += bar_rect(bar, rank);
    }
    return out + "\n";
  }

  [[nodiscard]] std::string bar_rect(const Bar& bar, int rank) const {
    const double inset = std::min(bar.depth * 5.0, 12.0);
    return fmt::format(
        R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5"><title>{} on rank {}, {:.1f} ms, at {:.3f} s</title></rect>)",
        colours_.at(bar.span->name), bar.x0, lane(rank) + inset, std::max(0.8, bar.x1 - bar.x0),
        lane_height - inset, escaped(bar.span->name), rank, bar.span->seconds * 1e3,
        bar.span->began - axis_.began());
  }

  [[nodiscard]] int ranks_of(int number) const {
    for (const auto& launch : report_.launches) {
      if (launch.number == number) return launch.ranks;
    }
    return lanes_;
  }

  [[nodiscard]] std::string redone(const LostWork& work) const {
    const double x0 = axis_.x(work.from);
    const double x1 = axis_.x(work.until);
    return fmt::format(
        R"(<rect class="redone" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{:.2f} s of work that had to be done again</title></rect>)",
        x0, head_height - 2.5, std::max(1.0, x1 - x0), ranks_of(work.launch) * lane_pitch,
        work.redone_seconds());
  }

  [[nodiscard]] std::string epoch_mark(const EpochRecord& epoch) const {
    const double x = axis_.x(epoch.committed_at);
    return fmt::format(
        R"(<g class="epoch"><title>epoch {3} committed at {4:.2f} s</title><line x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>)"
        R"(<path d="M{0:.1f} {5:.1f}l4.5 5l-4.5 5l-4.5 -5z"/></g>)",
        x, head_height - 6, head_height + ranks_of(epoch.launch) * lane_pitch - 2, epoch.number,
        epoch.committed_at - axis_.began(), head_height - 17);
  }

  [[nodiscard]] std::string death(const LaunchRecord& launch) const {
    if (!launch.crashed) return "";
    const double x = axis_.x(launch.stopped_at());
    const double y = launch.dead_rank ? lane(*launch.dead_rank) + lane_height / 2
                                      : head_height + launch.ranks * lane_pitch / 2;
    const auto who = launch.dead_rank ? fmt::format("rank {} died", *launch.dead_rank)
                                      : std::string("the job died");
    return fmt::format(
        R"(<g class="death"><title>{}: {}</title><circle cx="{:.1f}" cy="{:.1f}" r="10"/><path d="M{:.1f} {:.1f}l9 9m0 -9l-9 9"/></g>)",
        who, escaped(launch.ending), x, y, x - 4.5, y - 4.5);
  }

  [[nodiscard]] std::string legend() const {
    std::string out = "<p class=\"legend\">";
    for (const auto& [name, colour] : colours_) {
      out += fmt::format(
          R"(<span><svg viewBox="0 0 12 12"><rect class="{}" width="12" height="12" rx="2"/></svg>{}</span>)",
          colour, escaped(name));
    }
    if (!report_.epochs.empty()) {
      out +=
          R"(<span class="epoch"><svg viewBox="0 0 12 12"><path d="M6 0l5 6l-5 6l-5 -6z"/></svg>epoch committed</span>)";
    }
    if (!lost_work(report_).empty()) {
      out +=
          R"(<span class="death"><svg viewBox="0 0 12 12"><path d="M1 1l10 10m0 -10l-10 10"/></svg>a rank died</span>)"
          R"(<span><svg viewBox="0 0 12 12"><rect class="redone" width="12" height="12"/></svg>work done again</span>)";
    }
    return out + "</p>\n";
  }

  const RunReport& report_;
  TimeAxis axis_;
  std::map<std::string, std::string> colours_;
  int lanes_ = 1;
  double bottom_ = 0;
};

/// 2.5e8 → "250 M".
std::string short_number(double value) {
  static constexpr std::array units{"", " k", " M", " G", " T", " P"};
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.3g}{}", value, units[unit]);
}

struct Point {
  double x, y;
};

/// The smallest of 1, 1.5, 2, 3, 5, 8, 10 times a power of ten above `value`.
double round_above(double value) {
  if (value <= 0) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 1.5, 2.0, 3.0, 5.0, 8.0}) {
    if (factor * power > value * 1.02) return factor * power;
  }
  return 10 * power;
}

/// At most one point per unit of width: the mean of those that fall there.
std::vector<Point> thinned(const std::vector<Point>& points) {
  std::vector<Point> out;
  double sum = 0;
  int count = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    sum += points[i].y;
    ++count;
    const bool is_last =
        i + 1 == points.size() || std::floor(points[i + 1].x) > std::floor(points[i].x);
    if (!is_last) continue;
    out.push_back({points[i].x, sum / count});
    sum = 0;
    count = 0;
  }
  return out;
}

std::string counter_svg(const RunReport& report, const std::string& name) {
  constexpr double top = 26;
  constexpr double bottom = 126;
  const TimeAxis axis(report);
  double largest = 0;
  std::map<std::pair<int, int>, std::vector<Point>> lines;  // by launch and rank
  for (const auto& sample : report.samples) {
    if (sample.name != name) continue;
    largest = std::max(largest, sample.value);
    lines[{sample.launch, sample.rank}].push_back({axis.x(sample.at), sample.value});
  }
  largest = round_above(largest);
  auto out =
      fmt::format(R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{} over time">)",
                  width, bottom + axis_height, escaped(name));
  out +=
      fmt::format(R"(<text class="launch-name" x="{:.0f}" y="14">{}</text>)", left, escaped(name));
  out += axis.ticks(top, bottom);
  for (const double share : {0.0, 0.5, 1.0}) {
    const double y = bottom - share * (bottom - top);
    out += fmt::format(R"(<line class="tick" x1="{:.0f}" x2="{:.0f}" y1="{:.1f}" y2="{:.1f}"/>)",
                       left, width - right, y, y);
    out += fmt::format(R"(<text class="lane" x="{:.0f}" y="{:.1f}">{}</text>)", left - 8, y + 4,
                       short_number(share * largest));
  }
  for (const auto& [key, points] : lines) {
    std::string path;
    for (const auto& point : thinned(points)) {
      const double y = bottom - point.y / largest * (bottom - top);
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", point.x, y);
    }
    out += fmt::format(R"(<path class="counter" d="{}"><title>launch {}, rank {}</title></path>)",
                       path, key.first, key.second);
  }
  return out + "</svg>\n";
}

}  // namespace

std::string timeline_svg(const RunReport& report) { return Timeline(report).svg(); }

std::string counter_svgs(const RunReport& report) {
  std::set<std::string> names;
  for (const auto& sample : report.samples)
    if (!is_share_of_time(sample)) names.insert(sample.name);
  std::string out;
  for (const auto& name : names) out += counter_svg(report, name);
  return out;
}

}  // namespace cairn::program
