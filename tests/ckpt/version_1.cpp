// The directory version_1/ holds an epoch of version 1 of the format, written in 2026 on three
// ranks. Every later program must read it. To write one (of the version of this program):
//
//     CAIRN_WRITE_EPOCH=DIRECTORY mpirun -n 3 test-ckpt.version_1

#include <complex>
#include <cstdlib>
#include <numeric>

#include "cairn/ckpt/inspect.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t step = 42;

/// Element i, in row-major order of the global array, of field number k.
template <typename T>
T element(std::size_t k, std::size_t i) {
  const auto number = static_cast<std::int64_t>((i * 37 + k * 11) % 101) - 50;
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(number) / 8;
  } else if constexpr (std::is_integral_v<T> && sizeof(T) >= 4) {
    return static_cast<T>(number * 20000003);  // unsigned ones wrap round
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(number);
  } else {
    return {static_cast<typename T::value_type>(number) / 4,
            static_cast<typename T::value_type>(i)};
  }
}

/// A field that is cut along its first axis.
template <typename T>
struct Field {
  Field(std::string name_of_it, ckpt::Shape global, std::vector<ckpt::Attribute> notes = {})
      : name(std::move(name_of_it)), attributes(std::move(notes)) {
    const auto rank = static_cast<std::size_t>(world().rank());
    const auto ranks = static_cast<std::size_t>(world().size());
    const auto first = global[0] * rank / ranks;
    block = {global, ckpt::Shape(global.size(), 0), global};
    block.offset[0] = first;
    block.count[0] = global[0] * (rank + 1) / ranks - first;
    data.resize(ckpt::volume(block.count));
    first_element = global[0] == 0 ? 0 : first * (ckpt::volume(global) / global[0]);
  }
  void fill(std::size_t k) {
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = element<T>(k, first_element + i);
  }
  [[nodiscard]] bool holds(std::size_t k) const {
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (data[i] != element<T>(k, first_element + i)) return false;
    }
    return true;
  }

  std::string name;
  std::vector<ckpt::Attribute> attributes;
  ckpt::Block block;
  std::size_t first_element = 0;
  std::vector<T> data;
};

/// Fields of every type and of one to four axes, and values.
struct Program {
  /// Calls visit(field, its number) for all fields.
  template <typename Visit>
  void for_each(Visit&& visit) {
    std::size_t k = 0;
    std::apply([&](auto&... field) { (visit(field, k++), ...); }, fields);
  }

  void save(const fs::path& directory) {
    auto ckpt = checkpointer(directory);
    for_each([](auto& field, std::size_t k) { field.fill(k); });
    time = 0.375;
    count = -7;
    ckpt.save(step);
  }
  [[nodiscard]] bool restore(const fs::path& directory) {
    auto ckpt = checkpointer(directory);
    bool good = ckpt.restore() == step && ckpt.epoch() == 1 && time == 0.375 && count == -7;
    for_each([&](const auto& field, std::size_t k) { good = good && field.holds(k); });
    return good;
  }
  [[nodiscard]] ckpt::Checkpointer checkpointer(const fs::path& directory) {
    ckpt::Checkpointer made(world(), {.directory = directory,
                                      .program = "version-1",
                                      .identity = "größe=42",
                                      .signals = ckpt::Options::Signals::leave_alone});
    for_each([&](auto& field, std::size_t) {
      made.field(field.name, field.data, field.block, field.attributes);
    });
    made.value("time", time);
    made.value("count", count);
    return made;
  }

  std::tuple<Field<std::int8_t>, Field<std::int16_t>, Field<std::int32_t>, Field<std::int64_t>,
             Field<std::uint8_t>, Field<std::uint16_t>, Field<std::uint32_t>, Field<std::uint64_t>,
             Field<float>, Field<double>, Field<std::complex<float>>, Field<std::complex<double>>,
             Field<double>>
      fields{
          {"int8", {17}},
          {"int16", {5, 7}},
          {"int32", {3, 4, 5}},
          {"int64", {2, 3, 2, 3}},
          {"mesh/uint8", {23}},
          {"mesh/uint16", {4, 6}},
          {"mesh/deep/uint32", {3, 2, 4}},
          {"mesh/uint64", {4, 2, 2, 2}},
          {"float32", {6, 5}},
          {"température",
           {7, 9},
           {{"units", std::string("K")}, {"time", 0.375}, {"order", std::int64_t{-2}}}},
          {"complex64", {9}},
          {"complex128", {3, 4}},
          {"empty", {0, 4}},
      };
  double time = 0;
  std::int32_t count = 0;
};

}  // namespace

TEST_CASE("an epoch of version 1 is restored on any number of ranks") {
  const SharedDirectory scratch;
  if (world().is_root()) fs::copy(CAIRN_VERSION_1, scratch.path);
  barrier(world());
  CHECK(Program().restore(scratch.path));
}

TEST_CASE("an epoch of version 1 is verified, and its attributes and values are there") {
  if (!world().is_root()) return;
  CHECK(ckpt::verify(CAIRN_VERSION_1, 1).bad.empty());
  const ckpt::EpochReader epoch(CAIRN_VERSION_1, 1);
  const auto& info = epoch.info();
  CHECK(info.ranks == 3);
  CHECK(info.step == step);
  CHECK(info.fields.size() == 13);
  CHECK(info.fields[9].name == "température");
  CHECK(info.fields[9].parts.size() == 3);
  const auto attributes = epoch.attributes(9);
  CHECK(attributes.size() == 3);
  for (const auto& [name, value] : attributes) {
    if (name == "units") CHECK(std::get<std::string>(value) == "K");
    if (name == "time") CHECK(std::get<double>(value) == 0.375);
    if (name == "order") CHECK(std::get<std::int64_t>(value) == -2);
  }
  CHECK(info.values.size() == 2);
}

TEST_CASE("what this program writes holds the same") {
  const SharedDirectory scratch;
  Program().save(scratch.path);
  CHECK(Program().restore(scratch.path));
  if (const char* directory = std::getenv("CAIRN_WRITE_EPOCH")) Program().save(directory);
}
