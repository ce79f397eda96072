// cairn ckpt export: fields of an epoch as a plain HDF5 file, or as a picture.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cairn/ckpt/xdmf.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/program/log.hpp"
#include "cairn/program/progress.hpp"
#include "ckpt_commands.hpp"
#include "ckpt_picture.hpp"
#include "ckpt_text.hpp"

namespace cairn::tool {

namespace {

namespace fs = std::filesystem;

struct Settings {
  std::filesystem::path key_file;
  std::vector<std::string> arguments;
  std::vector<std::string> fields;
  std::vector<std::string> slices;
  fs::path png;
  bool xdmf = false;
};

/// Numbers of the named fields, each once; of all when none is named.
std::vector<std::size_t> chosen_fields(const ckpt::EpochInfo& info,
                                       const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const auto& field : info.fields) known.push_back(field.name);
  std::vector<std::size_t> chosen;
  const auto add = [&](std::size_t field) {
    if (std::find(chosen.begin(), chosen.end(), field) == chosen.end()) chosen.push_back(field);
  };
  for (const auto& name : names) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      throw Error(Errc::usage, fmt::format("--field: epoch {} has no field '{}'; it has: {}",
                                           info.epoch, one_line(name), fmt::join(known, ", ")));
    }
    add(static_cast<std::size_t>(found - known.begin()));
  }
  if (!names.empty()) return chosen;
  for (std::size_t field = 0; field < known.size(); ++field) add(field);
  return chosen;
}

void write_hdf5(const ckpt::EpochReader& epoch, const std::vector<std::size_t>& fields,
                const fs::path& file) {
  std::uint64_t total = 0;
  for (const auto field : fields) total += epoch.info().fields[field].size_bytes();
  program::Log log("cairn ckpt export", program::Level::info, 0, 1);
  program::Progress progress(log, "MiB", total >> 20);
  ckpt::export_hdf5(epoch, fields, file, [&](std::uint64_t done) { progress.update(done >> 20); });
}

/// Describes those of the fields that stand on regular grids.
void write_xdmf(const ckpt::EpochReader& epoch, const std::vector<std::size_t>& fields,
                const fs::path& hdf5_file) {
  std::vector<ckpt::XdmfField> on_grids;
  for (const auto field : fields) {
    const auto& info = epoch.info().fields[field];
    if (ckpt::has_xdmf(info.type, info.shape))
      on_grids.push_back({.dataset = info.name, .type = info.type, .shape = info.shape});
  }
  if (on_grids.empty()) {
    throw Error(
        Errc::usage,
        "--xdmf: none of the fields has one to three axes and numbers that are not complex");
  }
  write_file_atomically(ckpt::xdmf_path(hdf5_file),
                        ckpt::xdmf_text(on_grids, hdf5_file.filename().string()));
}

void write_picture(const ckpt::EpochReader& epoch, std::size_t field, const View& view,
                   const fs::path& file) {
  ckpt::expect_foreign_name(epoch.directory(), file);
  const auto picture = draw(epoch, field, view);
  write_file_atomically(file, picture.png);
  fmt::print("{}: {}{}, colours from {} to {}\n", file.string(),
             one_line(epoch.info().fields[field].name), region_text(view.box), picture.minimum,
             picture.maximum);
}

bool read_settings(int argc, const char* const* argv, Settings& settings) {
  program::Options options("cairn ckpt export",
                           "fields of an epoch as one plain HDF5 file with contiguous datasets, or "
                           "one of them as a picture",
                           "DIR[:EPOCH] [OUT.h5]", program::Options::Kind::tool);
  add_key_file(options, settings.key_file);
  options.add("field", settings.fields, "a field to export; may be repeated (default: all)")
      .add("png", settings.png, "a picture of a field with two axes, or of a slice")
      .flag("xdmf", settings.xdmf,
            "also write OUT.xdmf, which shows ParaView the fields of one to three axes as grids")
      .add("slice", settings.slices,
           "AXIS=INDEX: the picture shows the field at this index of this axis, both counted from "
           "0; for fields of more than two axes, repeated until two are left")
      .positional("DIR[:EPOCH]", settings.arguments,
                  "the epoch (default: the newest); then the file to write")
      .example("cairn ckpt export epochs:7 --field u u.h5")
      .example("cairn ckpt export epochs --field rho --slice 0=16 --png rho.png");
  if (!read_options(options, argc, argv)) return false;
  expect_arguments(settings.arguments, 1, 2, "DIR[:EPOCH] [OUT.h5]");
  if (settings.arguments.size() == 1 && settings.png.empty()) {
    throw Error(Errc::usage, "where to? name an OUT.h5, or --png OUT.png");
  }
  if (settings.png.empty() && !settings.slices.empty()) {
    throw Error(Errc::usage, "--slice is for pictures: give --png OUT.png too");
  }
  if (!settings.xdmf) return true;
  if (settings.arguments.size() == 1)
    throw Error(Errc::usage, "--xdmf describes an OUT.h5: name it");
  const fs::path file = settings.arguments[1];
  if (ckpt::xdmf_path(file) == file)
    throw Error(Errc::usage, file.string() + " names an HDF5 file; its .xdmf is written beside it");
  return true;
}

}  // namespace

int ckpt_export_command(int argc, const char* const* argv) {
  Settings settings;
  if (!read_settings(argc, argv, settings)) return 0;
  const auto key = ckpt::Key::given(settings.key_file);
  const auto epoch = open_epoch(place_of(settings.arguments.front()), "export", key);
  expect_unlocked(epoch, key);
  const auto fields = chosen_fields(epoch.info(), settings.fields);
  View view;
  if (!settings.png.empty()) {
    if (fields.size() != 1) {
      throw Error(Errc::usage, "--png shows one field: choose it by --field");
    }
    view = view_of(epoch.info().fields[fields.front()], settings.slices);
  }
  if (settings.arguments.size() > 1) write_hdf5(epoch, fields, settings.arguments[1]);
  if (settings.xdmf) write_xdmf(epoch, fields, settings.arguments[1]);
  if (!settings.png.empty()) write_picture(epoch, fields.front(), view, settings.png);
  return 0;
}

}  // namespace cairn::tool
