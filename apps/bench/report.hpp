/// Rows as a table for people and as JSON for programs.
#pragma once

#include <span>
#include <string>

#include "benchmark.hpp"

namespace cairn::bench {

/// An aligned table with a heading, a line a row; times in a fitting unit.
[[nodiscard]] std::string as_table(std::span<const Row> rows);

/// An array of objects: name, parameters, ours, baseline (seconds), ratio, target (null for none),
/// holds.
[[nodiscard]] std::string as_json(std::span<const Row> rows);

}  // namespace cairn::bench
