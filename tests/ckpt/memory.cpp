// What a save and a restart take of memory besides the fields.

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;

namespace {

using ckpt::Options;

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t field_bytes = 64 * mebibyte;

/// A line of /proc/self/status, in bytes.
std::size_t status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    std::size_t kibibytes = 0;
    if (word == name + ":" && file >> kibibytes) return kibibytes << 10;
  }
  FAIL("no " << name << " in /proc/self/status");
  return 0;
}

/// How far the resident memory of this rank rises above what it was, at most, while `work` runs.
template <typename Work>
std::size_t rise_during(Work&& work) {
  std::ofstream("/proc/self/clear_refs") << 5;  // the high-water mark is what is resident now
  const auto before = status("VmRSS");
  work();
  const auto most = status("VmHWM");
  return most > before ? most - before : 0;
}

struct Program {
  Program(const std::filesystem::path& directory, Options options)
      : u(field_bytes / sizeof(double)) {
    options.directory = directory;
    ckpt.emplace(world(), options);
    const auto p = static_cast<std::size_t>(world().size());
    const auto me = static_cast<std::size_t>(world().rank());
    ckpt->field("u", u, {{p * u.size()}, {me * u.size()}, {u.size()}});
    std::fill(u.begin(), u.end(), 1.5);
  }
  std::vector<double> u;
  std::optional<ckpt::Checkpointer> ckpt;
};

}  // namespace

TEST_CASE("at once: 8 MiB; in the background: a copy of the fields and 64 MiB; a restart: 8 MiB") {
  const SharedDirectory scratch;
  for (const auto mode : {Options::Mode::sync, Options::Mode::async}) {
    const auto most = mode == Options::Mode::sync ? 8 * mebibyte : field_bytes + 64 * mebibyte;
    Program program(scratch.path, {.mode = mode});
    std::size_t rise = 0;
    for (std::uint64_t step = 1; step <= 4; ++step) {
      rise = std::max(rise, rise_during([&] {
                        program.ckpt->save(step);
                        program.ckpt->wait();
                      }));
    }
    CHECK(rise <= most);
    if (mode == Options::Mode::async) CHECK(rise >= field_bytes);  // the test sees what is there
    CHECK(rise_during([&] { CHECK(program.ckpt->restore() == 4); }) <= 8 * mebibyte);
    MESSAGE("save " << rise / mebibyte << " MiB");
  }
}
