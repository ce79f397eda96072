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

/// One line chart per counter, on the time axis of the timeline.
[[nodiscard]] std::string counter_svgs(const RunReport& report);

}  // namespace cairn::program
