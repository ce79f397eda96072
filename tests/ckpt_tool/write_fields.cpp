// Saves epochs of fields of every element type, with one to four axes, on any number of ranks, for
// `cairn ckpt` and for independent readers: write-fields DIRECTORY STEP CHANGE [STEP CHANGE]…
//
// With CHANGE > 0 some elements differ from those of CHANGE 0, the last of each field among them.

#include <complex>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/runtime.hpp"

namespace {

using cairn::ckpt::Block;
using cairn::ckpt::Shape;

/// Element k of n, in row-major order of the global array.
template <typename T>
T element(std::size_t k, std::size_t n, int change) {
  const bool is_changed = change > 0 && (k % 101 == 50 || k + 1 == n);
  const auto number = static_cast<int>(k % 89) + (is_changed ? change : 0);
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (k + 1 == n)
      return change > 0 ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min();
  }
  if constexpr (std::is_same_v<T, float>) {
    if (k == 5 && change > 0) return std::numeric_limits<T>::quiet_NaN();
  }
  if constexpr (std::is_same_v<T, double>) {
    if (k == 3) return std::numeric_limits<T>::quiet_NaN();
    return 0.125 * number + static_cast<double>(k);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(number);
  } else {
    return T(static_cast<typename T::value_type>(number),
             static_cast<typename T::value_type>(-0.5 * number));
  }
}

class Fields {
 public:
  Fields(const cairn::Communicator& comm, cairn::ckpt::Checkpointer& ckpt, int change)
      : comm_(comm), ckpt_(ckpt), change_(change) {}

  /// Cut along the first two axes.
  template <typename T>
  void add(std::vector<T>& data, const std::string& name, const Shape& shape) {
    Block block{shape, Shape(shape.size(), 0), shape};
    const cairn::CartesianGrid grid(comm_, shape.size() > 1 ? 2 : 1);
    for (int axis = 0; axis < (shape.size() > 1 ? 2 : 1); ++axis) {
      const auto range = grid.range(shape[static_cast<std::size_t>(axis)], axis);
      block.offset[static_cast<std::size_t>(axis)] = range.first;
      block.count[static_cast<std::size_t>(axis)] = range.count;
    }
    const auto total = cairn::ckpt::volume(shape);
    for (std::size_t i = 0; i < cairn::ckpt::volume(block.count); ++i) {
      data.push_back(element<T>(global_index(block, i), total, change_));
    }
    ckpt_.field(name, data, block, {{"units", std::string("K")}, {"time", 0.5}});
  }

 private:
  static std::size_t global_index(const Block& block, std::size_t local) {
    std::size_t index = 0;
    std::size_t stride = 1;
    for (std::size_t axis = block.global.size(); axis-- > 0;) {
      index += (block.offset[axis] + local % block.count[axis]) * stride;
      local /= block.count[axis];
      stride *= block.global[axis];
    }
    return index;
  }

  const cairn::Communicator& comm_;
  cairn::ckpt::Checkpointer& ckpt_;
  int change_;
};

void save(const cairn::Communicator& comm, const char* directory, std::uint64_t step, int change) {
  cairn::ckpt::Checkpointer ckpt(
      comm, {.directory = directory, .program = "write-fields", .identity = "a b"});
  Fields fields(comm, ckpt, change);
  std::vector<std::int8_t> i8;
  std::vector<std::int16_t> i16;
  std::vector<std::int32_t> i32;
  std::vector<std::int64_t> i64;
  std::vector<std::uint8_t> u8;
  std::vector<std::uint16_t> u16;
  std::vector<std::uint32_t> u32;
  std::vector<std::uint64_t> u64;
  std::vector<float> f32;
  std::vector<double> f64;
  std::vector<std::complex<float>> c64;
  std::vector<std::complex<double>> c128;
  std::vector<double> empty;
  fields.add(i8, "int8", {1000});
  fields.add(i16, "int16", {20, 31});
  fields.add(i32, "group/int32", {7, 9, 11});
  fields.add(i64, "int64", {5, 6, 7, 8});
  fields.add(u8, "uint8", {37});
  fields.add(u16, "uint16", {9, 8, 7});
  fields.add(u32, "uint32", {13, 17});
  fields.add(u64, "uint64", {4, 4, 4, 4});
  fields.add(f32, "float32", {12, 10, 9});
  fields.add(f64, "float64", {800, 700});  // 4.3 MiB: several pieces a part
  fields.add(c64, "complex64", {30, 3});
  fields.add(c128, "group/complex128", {50});
  fields.add(empty, "empty", {0, 3});
  double time = 0.25 + change;
  std::int64_t count = -7;
  std::uint8_t flag = 1;
  ckpt.value("time", time);
  ckpt.value("count", count);
  ckpt.value("flag", flag);
  ckpt.save(step);
}

}  // namespace

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  for (int i = 2; i + 1 < argc; i += 2) {
    save(runtime.world(), argv[1], static_cast<std::uint64_t>(std::atoi(argv[i])),
         std::atoi(argv[i + 1]));
  }
  return 0;
}
