/// Elements of a field: from bytes to numbers.
#pragma once

#include <complex>
#include <cstddef>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "cairn/ckpt/scalar_type.hpp"
#include "cairn/core/error.hpp"

namespace cairn::tool {

/// Calls visit(T{}) with the type T that the elements have in memory.
template <typename Visit>
decltype(auto) with_type(ckpt::ScalarType type, Visit&& visit) {
  using ckpt::ScalarType;
  switch (type) {
    case ScalarType::int8:
      return visit(std::int8_t{});
    case ScalarType::int16:
      return visit(std::int16_t{});
    case ScalarType::int32:
      return visit(std::int32_t{});
    case ScalarType::int64:
      return visit(std::int64_t{});
    case ScalarType::uint8:
      return visit(std::uint8_t{});
    case ScalarType::uint16:
      return visit(std::uint16_t{});
    case ScalarType::uint32:
      return visit(std::uint32_t{});
    case ScalarType::uint64:
      return visit(std::uint64_t{});
    case ScalarType::float32:
      return visit(float{});
    case ScalarType::float64:
      return visit(double{});
    case ScalarType::complex64:
      return visit(std::complex<float>{});
    case ScalarType::complex128:
      return visit(std::complex<double>{});
  }
  throw Error(Errc::internal, "unknown element type");
}

/// Element `index` of an array of T in memory of any alignment.
template <typename T>
[[nodiscard]] T element_at(std::span<const std::byte> bytes, std::size_t index) {
  T value{};
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

/// One element as text: the shortest that reads back as the same number; complex ones as (r, i).
[[nodiscard]] std::string element_text(ckpt::ScalarType type, std::span<const std::byte> bytes);

/// The same for JSON: a number, complex ones as [r, i]; what is not finite as null.
[[nodiscard]] nlohmann::ordered_json element_json(ckpt::ScalarType type,
                                                  std::span<const std::byte> bytes);

/// Every element as a double, complex ones by their absolute value.
void as_doubles(ckpt::ScalarType type, std::span<const std::byte> bytes, std::span<double> values);

}  // namespace cairn::tool
