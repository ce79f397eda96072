/// The element types that a checkpoint can hold.
#pragma once

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace cairn::ckpt {

/// How an element is stored: little-endian, in this many bits.
enum class ScalarType : std::uint8_t {
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
  complex64,   ///< a compound {r, i} of float32, which h5py reads as a complex number
  complex128,  ///< a compound {r, i} of float64
};

/// "float64" and the like, as it stands in the record.
[[nodiscard]] std::string_view name_of(ScalarType type) noexcept;

/// Bytes of an element.
[[nodiscard]] std::size_t size_of(ScalarType type) noexcept;

/// The type of that name. @throws Error{Errc::bad_data} when there is none
[[nodiscard]] ScalarType scalar_type_named(std::string_view name);

/// Integers, bool, enums, float, double and their complex numbers. (long double has no portable
/// form.)
template <typename T>
concept Storable =
    std::integral<T> || std::is_enum_v<T> || std::same_as<T, float> || std::same_as<T, double> ||
    std::same_as<T, std::complex<float>> || std::same_as<T, std::complex<double>>;

template <Storable T>
[[nodiscard]] constexpr ScalarType scalar_type_of() noexcept {
  if constexpr (std::is_enum_v<T>) {
    return scalar_type_of<std::underlying_type_t<T>>();
  } else if constexpr (std::same_as<T, float>) {
    return ScalarType::float32;
  } else if constexpr (std::same_as<T, double>) {
    return ScalarType::float64;
  } else if constexpr (std::same_as<T, std::complex<float>>) {
    return ScalarType::complex64;
  } else if constexpr (std::same_as<T, std::complex<double>>) {
    return ScalarType::complex128;
  } else {
    constexpr auto base = std::is_signed_v<T> ? ScalarType::int8 : ScalarType::uint8;
    constexpr int log2_size = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return static_cast<ScalarType>(static_cast<int>(base) + log2_size);
  }
}

}  // namespace cairn::ckpt
