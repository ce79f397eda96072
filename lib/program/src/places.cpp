#include "cairn/program/places.hpp"

#include <unistd.h>

#include <cerrno>
#include <span>
#include <system_error>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"

namespace cairn::program {

namespace {

namespace fs = std::filesystem;

/// A file is made anew in its folder, where links lead; what is no file (/dev/null) is written to.
void expect_place(const fs::path& file) {
  if (file.empty() || open_descriptor(file) >= 0) return;
  auto place = place_of(file);
  if (place.empty()) place = file;
  std::error_code code;
  const auto status = fs::status(place, code);
  if (!fs::status_known(status)) throw_errno(code.value(), "write " + file.string());
  if (fs::is_directory(status))
    throw Error(Errc::usage, file.string() + " is a folder; name a file in it");
  const bool is_special = fs::exists(status) && !fs::is_regular_file(status);
  const auto folder = place.has_parent_path() ? place.parent_path() : ".";
  if (::access((is_special ? place : folder).c_str(), W_OK) != 0)
    throw_errno(errno, "write " + file.string());
}

[[noreturn]] void throw_same(const fs::path& output, const fs::path& other) {
  throw Error(Errc::usage, output.string() + " and " + other.string() +
                               " are the same file; give the output another name");
}

void expect_others(const fs::path& output, std::span<const fs::path> others) {
  const auto place = place_of(output);
  if (place.empty()) return;
  for (const auto& other : others) {
    if (place_of(other) == place) throw_same(output, other);
  }
}

/// Inputs may be many. An output that is not there yet is none of them.
void expect_no_input(const fs::path& output, std::span<const fs::path> inputs) {
  std::error_code code;
  if (output.empty() || !fs::is_regular_file(output, code)) return;
  for (const auto& input : inputs) {
    if (fs::equivalent(output, input, code)) throw_same(output, input);
  }
}

}  // namespace

void expect_places(std::initializer_list<fs::path> outputs, const std::vector<fs::path>& inputs) {
  for (const auto* output = outputs.begin(); output != outputs.end(); ++output) {
    expect_place(*output);
    expect_others(*output, {output + 1, outputs.end()});
    expect_no_input(*output, inputs);
  }
}

void check_places(const Context& context, std::initializer_list<fs::path> outputs,
                  std::vector<fs::path> inputs) {
  inputs.push_back(context.config);
  together(context.world, [&] {
    if (context.world.is_root()) expect_places(outputs, inputs);
  });
}

void check_replaceable(const Communicator& comm, const fs::path& output) {
  together(comm, [&] {
    if (comm.is_root() && !output.empty()) expect_replaceable(output);
  });
}

}  // namespace cairn::program
