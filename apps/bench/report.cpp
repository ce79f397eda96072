#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>

namespace cairn::bench {

namespace {

constexpr std::size_t columns = 7;
using Line = std::array<std::string, columns>;

std::string in_unit(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.1f} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.2f} us", seconds * 1e6);
  if (seconds < 1.0) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.2f} s", seconds);
}

std::string in_words(const Parameters& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (!text.empty()) text += ' ';
    text += name + '=';
    std::visit([&](const auto& v) { text += fmt::format("{}", v); }, value);
  }
  return text;
}

Line line_of(const Row& row) {
  return {row.name,
          in_words(row.parameters),
          in_unit(row.seconds.ours),
          in_unit(row.seconds.baseline),
          fmt::format("{:.3f}", row.ratio()),
          row.target ? fmt::format("{:.2f}", *row.target) : "-",
          !row.target   ? "-"
          : row.holds() ? "yes"
                        : "NO"};
}

}  // namespace

std::string as_table(std::span<const Row> rows) {
  std::vector<Line> lines{
      {"benchmark", "parameters", "ours", "baseline", "ratio", "target", "holds"}};
  for (const auto& row : rows) lines.push_back(line_of(row));
  std::array<std::size_t, columns> width{};
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < columns; ++c) width[c] = std::max(width[c], line[c].size());
  }
  std::string table;
  for (const auto& line : lines) {
    table += fmt::format("{:<{}}  {:<{}}", line[0], width[0], line[1], width[1]);
    for (std::size_t c = 2; c < columns; ++c) {
      table += fmt::format("  {:>{}}", line[c], width[c]);
    }
    table += '\n';
  }
  return table;
}

std::string as_json(std::span<const Row> rows) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& row : rows) {
    nlohmann::ordered_json parameters = nlohmann::ordered_json::object();
    for (const auto& [name, value] : row.parameters) {
      std::visit([&, &key = name](const auto& v) { parameters[key] = v; }, value);
    }
    list.push_back({{"name", row.name},
                    {"parameters", std::move(parameters)},
                    {"ours", row.seconds.ours},
                    {"baseline", row.seconds.baseline},
                    {"ratio", row.ratio()},
                    {"target", nullptr},
                    {"holds", nullptr}});
    if (!row.target) continue;
    list.back()["target"] = *row.target;
    list.back()["holds"] = row.holds();
  }
  return list.dump(2) + '\n';
}

}  // namespace cairn::bench
