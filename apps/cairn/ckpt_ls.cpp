// cairn ckpt ls: the epochs of a directory, one line each.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ckpt_commands.hpp"
#include "ckpt_text.hpp"

namespace cairn::tool {

namespace {

using ckpt::EpochEntry;

constexpr std::size_t columns = 10;
using Row = std::array<std::string, columns>;

Row row_of(const EpochEntry& entry) {
  Row row{std::to_string(entry.epoch),
          "-",
          "-",
          "-",
          "-",
          bytes_text(entry.size_bytes),
          local_time_text(entry.written),
          age_text(entry.written),
          "-",
          std::string(name_of(entry.verdict))};
  if (!entry.why.empty()) row.back() += ": " + one_line(entry.why);
  if (entry.info) {
    row[1] = std::to_string(entry.info->step);
    if (entry.info->incarnation != 0) row[2] = std::to_string(entry.info->incarnation);
    row[3] = std::to_string(entry.info->launch);
    row[4] = std::to_string(entry.info->ranks);
    row[8] = one_line(entry.info->program);
  }
  return row;
}

void print_table(const std::vector<EpochEntry>& entries) {
  std::vector<Row> rows{
      {"epoch", "step", "inc", "launch", "ranks", "size", "time", "age", "program", "verdict"}};
  for (const auto& entry : entries) rows.push_back(row_of(entry));
  std::array<std::size_t, columns> widths{};
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < columns; ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows) {
    for (std::size_t c = 0; c + 2 < columns; ++c) fmt::print("{:>{}}  ", row[c], widths[c]);
    fmt::print("{:<{}}  {}\n", row[columns - 2], widths[columns - 2], row.back());
  }
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json json_of(const EpochEntry& entry) {
  Json json{{"epoch", entry.epoch},
            {"verdict", name_of(entry.verdict)},
            {"why", entry.why.empty() ? Json() : Json(entry.why)},
            {"size_bytes", entry.size_bytes},
            {"time", utc_text(entry.written)},
            {"files", entry.files}};
  for (const char* key :
       {"step", "incarnation", "launch", "ranks", "parent", "job", "program", "identity"}) {
    json[key] = nullptr;
  }
  if (!entry.info) return json;
  json["step"] = entry.info->step;
  if (entry.info->incarnation != 0) json["incarnation"] = entry.info->incarnation;
  json["launch"] = entry.info->launch;
  json["ranks"] = entry.info->ranks;
  json["parent"] = or_null(entry.info->parent);
  json["job"] = entry.info->job;
  json["program"] = entry.info->program;
  json["identity"] = entry.info->identity;
  return json;
}

}  // namespace

int ckpt_ls_command(int argc, const char* const* argv) {
  bool as_json = false;
  std::vector<std::string> arguments;
  program::Options options("cairn ckpt ls",
                           "the epochs of a directory, one line each, newest last; looks at "
                           "records and sizes, while verify reads the data",
                           "DIR", program::Options::Kind::tool);
  options.flag("json", as_json, "as one JSON document")
      .positional("DIR", arguments, "the checkpoint directory")
      .example("cairn ckpt ls epochs");
  if (!read_options(options, argc, argv)) return 0;
  expect_arguments(arguments, 1, 1, "DIR");

  const auto entries = ckpt::epochs_in(arguments.front());
  if (as_json) {
    Json document{{"directory", arguments.front()}, {"epochs", Json::array()}};
    for (const auto& entry : entries) document["epochs"].push_back(json_of(entry));
    print_json(document);
  } else if (entries.empty()) {
    fmt::print("no epochs in {}\n", arguments.front());
  } else {
    print_table(entries);
  }
  return 0;
}

}  // namespace cairn::tool
