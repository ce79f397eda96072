#include "cairn/program/places.hpp"

#include <unistd.h>

#include <cerrno>
#include <span>
#include <system_error>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/error.hpp"

namespace cairn::program {

namespace {

namespace fs = std::filesystem;

/// Where a file of this name stands or would be made: links are followed, also to what is not there
/// yet. Empty if it cannot be found out.
fs::path place_of(fs::path file) {
  if (file.empty()) return file;
  constexpr int most_links = 40;  // as in Linux
  std::error_code code;
  file = fs::absolute(file, code);
  for (int links = 0; links < most_links && fs::is_symlink(file, code); ++links)
    file = file.parent_path() / fs::read_symlink(file, code);
  return fs::weakly_canonical(file, code);
}

/// A file is made anew in its folder, where links lead; what is no file (/dev/null) is written to.
void expect_place(const fs::path& file) {
  if (file.empty()) return;
  auto place = place_of(file);
  if (place.empty()) place = file;
  std::error_code code;
  const auto status = fs::status(place, code);
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

void check_places(const Communicator& comm, std::initializer_list<fs::path> outputs,
                  const std::vector<fs::path>& inputs) {
  together(comm, [&] {
    if (!comm.is_root()) return;
    for (const auto* output = outputs.begin(); output != outputs.end(); ++output) {
      expect_place(*output);
      expect_others(*output, {output + 1, outputs.end()});
      expect_no_input(*output, inputs);
    }
  });
}

}  // namespace cairn::program
