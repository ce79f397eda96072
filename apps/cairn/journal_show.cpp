// cairn journal DIR…: what has happened to a job, from its nodes' directories.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "cairn/consensus/journal_reader.hpp"
#include "cairn/core/error.hpp"
#include "cairn/program/log.hpp"
#include "ckpt_commands.hpp"
#include "ckpt_text.hpp"
#include "commands.hpp"

namespace cairn::tool {

namespace {

namespace fs = std::filesystem;
using consensus::JournalRecord;
using consensus::JournalView;

constexpr std::size_t columns = 8;
using Row = std::array<std::string, columns>;

/// Of what stands in a file, and may be any number: the first or last time that can be shown.
std::chrono::system_clock::time_point time_of(const JournalRecord& record) {
  using Time = std::chrono::system_clock::time_point;
  const auto seconds_of = [](Time time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  };
  return Time(std::chrono::seconds(
      std::clamp(record.entry.seconds, seconds_of(Time::min()), seconds_of(Time::max()))));
}

template <typename Number>
std::string or_dash(Number number) {
  return number == 0 ? "-" : std::to_string(number);
}

Row row_of(const JournalRecord& record, bool is_final) {
  const auto& entry = record.entry;
  return {std::to_string(record.index) + (is_final ? "" : "?"),
          entry.seconds == 0 ? "-" : local_time_text(time_of(record)),
          entry.node < 0 ? "-" : std::to_string(entry.node),
          name_of(entry.kind),
          or_dash(entry.incarnation),
          or_dash(entry.epoch),
          or_dash(entry.ranks),
          one_line(entry.text)};
}

void print_table(const JournalView& view) {
  std::vector<Row> rows{{"entry", "time", "node", "what", "inc", "epoch", "ranks", "text"}};
  for (const auto& record : view.entries) rows.push_back(row_of(record, true));
  for (const auto& record : view.unsure) rows.push_back(row_of(record, false));
  std::array<std::size_t, columns> widths{};
  for (const auto& row : rows)
    for (std::size_t c = 0; c < columns; ++c) widths[c] = std::max(widths[c], row[c].size());
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c + 1 < columns; ++c)
      line += c == 3 ? fmt::format("{:<{}}  ", row[c], widths[c])
                     : fmt::format("{:>{}}  ", row[c], widths[c]);
    line += row.back();
    line.resize(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
  if (!view.unsure.empty())
    fmt::print("?: written, but not known to be final; the next launch keeps it or drops it\n");
  fmt::print("{} of {} directories are whole\n", view.counting, view.nodes);
}

Json json_of(const JournalRecord& record, bool is_final) {
  const auto& entry = record.entry;
  Json json{{"index", record.index}, {"term", record.term}, {"final", is_final}};
  json["kind"] = name_of(entry.kind);
  json["time"] = entry.seconds == 0 ? Json() : Json(utc_text(time_of(record)));
  json["node"] = entry.node < 0 ? Json() : Json(entry.node);
  json["incarnation"] = entry.incarnation == 0 ? Json() : Json(entry.incarnation);
  json["epoch"] = entry.epoch == 0 ? Json() : Json(entry.epoch);
  json["ranks"] = entry.ranks == 0 ? Json() : Json(entry.ranks);
  json["text"] = entry.text;
  return json;
}

Json json_of(const JournalView& view) {
  Json document{{"nodes", view.nodes}, {"whole", view.counting}, {"complete", view.is_complete}};
  document["trouble"] = view.trouble.empty() ? Json() : Json(view.trouble);
  document["directories"] = Json::array();
  for (const auto& directory : view.directories)
    document["directories"].push_back(
        {{"directory", directory.path.string()},
         {"node", directory.node < 0 ? Json() : Json(directory.node)},
         {"whole", directory.counts},
         {"why", directory.why.empty() ? Json() : Json(directory.why)},
         {"final_index", directory.final_index},
         {"damaged_bytes", directory.damaged_bytes}});
  document["entries"] = Json::array();
  for (const auto& record : view.entries) document["entries"].push_back(json_of(record, true));
  for (const auto& record : view.unsure) document["entries"].push_back(json_of(record, false));
  return document;
}

/// A folder of nodes' directories stands for them.
std::vector<fs::path> expanded(const std::vector<std::string>& arguments) {
  const auto has_journal = [](const fs::path& path) {
    std::error_code code;
    return fs::exists(path / "journal.log", code) || fs::exists(path / "journal.raft", code);
  };
  std::vector<fs::path> directories;
  for (const auto& argument : arguments) {
    std::vector<fs::path> below;
    std::error_code code;
    if (!has_journal(argument))
      for (const auto& item : fs::directory_iterator(argument, code))
        if (has_journal(item.path())) below.push_back(item.path());
    std::sort(below.begin(), below.end());
    if (below.empty()) below.emplace_back(argument);
    directories.insert(directories.end(), below.begin(), below.end());
  }
  return directories;
}

}  // namespace

int journal_show_command(int argc, const char* const* argv) {
  bool as_json = false;
  std::vector<std::string> arguments;
  program::Options options(
      "cairn journal",
      "what has happened to a job: launches, epochs, faults, what operators did; from the journal "
      "directories of its nodes, of which a majority is needed. The job need not run. `cairn "
      "journal fence DIR` takes a checkpoint directory from a launch that is gone",
      "DIR…", program::Options::Kind::tool);
  options.flag("json", as_json, "as one JSON document")
      .positional("DIR", arguments, "the journal directories of nodes, or a folder of those")
      .example("cairn journal node-*/journal")
      .example("cairn journal fence epochs");
  if (!read_options(options, argc, argv)) return 0;
  expect_arguments(arguments, 1, 1000, "DIR…");

  const auto view = consensus::read_journal(expanded(arguments));
  if (as_json)
    print_json(json_of(view));
  else
    print_table(view);
  program::Log log("cairn journal", program::Level::info, 0, 1);
  for (const auto& directory : view.directories)
    if (!directory.counts)
      log.warning(fmt::format("{}: {}", directory.path.string(), one_line(directory.why)));
  if (view.is_complete) return 0;
  log.warning(view.trouble);
  return static_cast<int>(Errc::unavailable);
}

}  // namespace cairn::tool
