/// The pictures of the report, as SVG.
#pragma once

#include <string>
#include <string_view>

#include "cairn/program/report.hpp"

namespace cairn::program {

/// `text` with the characters escaped that mean something in HTML.
[[nodiscard]] std::string escaped(std::string_view text);

/// One lane per rank, launches side by side in time, with spans, epochs, deaths and redone work;
/// then what the colours mean.
[[nodiscard]] std::string timeline_svg(const RunReport& report);

/// Whether it says which share of the time since the sample before was used (CounterSample).
[[nodiscard]] bool is_share_of_time(const CounterSample& sample);

/// One picture per counter that is a share of time: a lane per rank, the darker the more; "" if
/// there is none.
[[nodiscard]] std::string utilisation_svgs(const RunReport& report);

/// One line chart per other counter, on the time axis of the timeline.
[[nodiscard]] std::string counter_svgs(const RunReport& report);

}  // namespace cairn::program
