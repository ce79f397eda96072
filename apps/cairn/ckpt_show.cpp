// cairn ckpt show: what the record of an epoch says.

#include <fmt/format.h>

#include <algorithm>

#include "ckpt_commands.hpp"
#include "ckpt_element.hpp"
#include "ckpt_text.hpp"

namespace cairn::tool {

namespace {

using ckpt::EpochInfo;
using ckpt::FieldInfo;

constexpr std::size_t parts_shown = 8;

void print_field(const FieldInfo& field) {
  fmt::print("  {}  {}  {}  {}  in {} part{}\n", one_line(field.name), name_of(field.type),
             shape_text(field.shape), bytes_text(field.size_bytes()), field.parts.size(),
             field.parts.size() == 1 ? "" : "s");
  if (field.compression != ckpt::Compression::none) {
    fmt::print("    {}: {} in the file, {:.2f} times fewer\n", name_of(field.compression),
               bytes_text(field.stored_bytes),
               static_cast<double>(field.size_bytes()) / static_cast<double>(field.stored_bytes));
  }
  if (field.parts.size() == 1) return;
  const auto shown = std::min(field.parts.size(), parts_shown);
  for (std::size_t i = 0; i < shown; ++i) {
    fmt::print("    rank {}  {}\n", i, region_text(field.parts[i]));
  }
  if (shown < field.parts.size()) {
    fmt::print("    and {} more (--json has all)\n", field.parts.size() - shown);
  }
}

void print_info(const EpochInfo& info, const std::filesystem::path& directory) {
  fmt::print("epoch     {} in {}\n", info.epoch, directory.string());
  fmt::print("step      {}\n", info.step);
  fmt::print("program   {}\n", one_line(info.program));
  fmt::print("identity  {}\n", one_line(info.identity));
  fmt::print("job       {}\n", one_line(info.job));
  fmt::print("launch    {}{}\n", info.launch,
             info.incarnation == 0 ? "" : fmt::format(", incarnation {}", info.incarnation));
  fmt::print("ranks     {}\n", info.ranks);
  fmt::print("parent    {}\n", info.parent ? std::to_string(*info.parent) : "none");
  fmt::print("data      {}, {} ({} bytes)\n", info.data_file, bytes_text(info.data_bytes),
             info.data_bytes);
  if (!info.key_id.empty()) fmt::print("key       {}\n", one_line(info.key_id));
  if (!info.values.empty()) fmt::print("values\n");
  for (const auto& value : info.values) {
    fmt::print("  {}  {}  {}\n", one_line(value.name), name_of(value.type),
               value.bytes.empty() ? "encrypted" : element_text(value.type, value.bytes));
  }
}

Json json_of(const FieldInfo& field) {
  auto parts = Json::array();
  for (const auto& part : field.parts) {
    parts.push_back({{"offset", part.offset}, {"count", part.count}});
  }
  return {{"name", field.name},
          {"type", name_of(field.type)},
          {"shape", field.shape},
          {"size_bytes", field.size_bytes()},
          {"compression", name_of(field.compression)},
          {"stored_bytes", field.stored_bytes},
          {"parts", std::move(parts)}};
}

Json json_of(const EpochInfo& info, const std::filesystem::path& directory) {
  Json json{{"directory", directory.string()},
            {"epoch", info.epoch},
            {"step", info.step},
            {"program", info.program},
            {"identity", info.identity},
            {"job", info.job},
            {"incarnation", info.incarnation != 0 ? Json(info.incarnation) : Json()},
            {"launch", info.launch},
            {"ranks", info.ranks},
            {"parent", info.parent ? Json(*info.parent) : Json()},
            {"data_file", info.data_file},
            {"data_bytes", info.data_bytes},
            {"key_id", info.key_id.empty() ? Json() : Json(info.key_id)},
            {"values", Json::array()},
            {"fields", Json::array()}};
  for (const auto& value : info.values) {
    json["values"].push_back(
        {{"name", value.name},
         {"type", name_of(value.type)},
         {"value", value.bytes.empty() ? Json() : Json(element_json(value.type, value.bytes))}});
  }
  for (const auto& field : info.fields) json["fields"].push_back(json_of(field));
  return json;
}

}  // namespace

int ckpt_show_command(int argc, const char* const* argv) {
  bool as_json = false;
  std::vector<std::string> arguments;
  program::Options options("cairn ckpt show", "what the record of an epoch says", "DIR [EPOCH]",
                           program::Options::Kind::tool);
  std::filesystem::path key_file;
  add_key_file(options, key_file);
  options.flag("json", as_json, "as one JSON document")
      .positional("DIR [EPOCH]", arguments,
                  "the checkpoint directory, and the number of an epoch (default: the newest)")
      .example("cairn ckpt show epochs 7");
  if (!read_options(options, argc, argv)) return 0;
  expect_arguments(arguments, 1, 2, "DIR [EPOCH]");

  Place place{arguments.front(), std::nullopt};
  if (arguments.size() > 1) place.epoch = epoch_number(arguments[1]);
  const auto epoch = open_epoch(place, "show", ckpt::Key::given(key_file));
  if (as_json) {
    print_json(json_of(epoch.info(), place.directory));
    return 0;
  }
  print_info(epoch.info(), place.directory);
  if (!epoch.info().fields.empty()) fmt::print("fields\n");
  for (const auto& field : epoch.info().fields) print_field(field);
  return 0;
}

}  // namespace cairn::tool
