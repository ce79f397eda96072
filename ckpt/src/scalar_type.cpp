#include "cairn/ckpt/scalar_type.hpp"

#include <array>
#include <bit>
#include <string>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian, and so must the machine be");

namespace {

struct Entry {
  std::string_view name;
  std::size_t size_bytes;
};

// In the order of the enumeration.
constexpr std::array<Entry, 12> entries{{{"int8", 1},
                                         {"int16", 2},
                                         {"int32", 4},
                                         {"int64", 8},
                                         {"uint8", 1},
                                         {"uint16", 2},
                                         {"uint32", 4},
                                         {"uint64", 8},
                                         {"float32", 4},
                                         {"float64", 8},
                                         {"complex64", 8},
                                         {"complex128", 16}}};

}  // namespace

std::string_view name_of(ScalarType type) noexcept {
  return entries[static_cast<std::size_t>(type)].name;
}

std::size_t size_of(ScalarType type) noexcept {
  return entries[static_cast<std::size_t>(type)].size_bytes;
}

ScalarType scalar_type_named(std::string_view name) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].name == name) return static_cast<ScalarType>(i);
  }
  throw Error(Errc::bad_data, "unknown element type '" + std::string(name) + "'");
}

}  // namespace cairn::ckpt
