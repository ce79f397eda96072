/// Which C++ types travel, and as which MPI datatype.
#pragma once

#include <mpi.h>

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace cairn {

namespace detail {

/// The MPI datatype of an arithmetic type; MPI_DATATYPE_NULL where there is none.
template <typename T>
inline MPI_Datatype arithmetic_datatype() noexcept {
  if constexpr (std::same_as<T, bool>) {
    return MPI_CXX_BOOL;
  } else if constexpr (std::same_as<T, char>) {
    return MPI_CHAR;
  } else if constexpr (std::same_as<T, std::byte>) {
    return MPI_BYTE;
  } else if constexpr (std::integral<T>) {
    if constexpr (std::is_signed_v<T>) {
      if constexpr (sizeof(T) == 1) return MPI_INT8_T;
      if constexpr (sizeof(T) == 2) return MPI_INT16_T;
      if constexpr (sizeof(T) == 4) return MPI_INT32_T;
      if constexpr (sizeof(T) == 8) return MPI_INT64_T;
    } else {
      if constexpr (sizeof(T) == 1) return MPI_UINT8_T;
      if constexpr (sizeof(T) == 2) return MPI_UINT16_T;
      if constexpr (sizeof(T) == 4) return MPI_UINT32_T;
      if constexpr (sizeof(T) == 8) return MPI_UINT64_T;
    }
  } else if constexpr (std::same_as<T, float>) {
    return MPI_FLOAT;
  } else if constexpr (std::same_as<T, double>) {
    return MPI_DOUBLE;
  } else if constexpr (std::same_as<T, long double>) {
    return MPI_LONG_DOUBLE;
  } else if constexpr (std::same_as<T, std::complex<float>>) {
    return MPI_CXX_FLOAT_COMPLEX;
  } else if constexpr (std::same_as<T, std::complex<double>>) {
    return MPI_CXX_DOUBLE_COMPLEX;
  } else {
    return MPI_DATATYPE_NULL;
  }
}

template <typename T>
inline constexpr bool is_complex =
    std::same_as<T, std::complex<float>> || std::same_as<T, std::complex<double>>;

}  // namespace detail

/// A type whose values can be sent: arithmetic, std::byte, an enum, or std::complex of float or
/// double.
template <typename T>
concept Element = std::is_arithmetic_v<T> || std::is_enum_v<T> || detail::is_complex<T>;

/// The MPI datatype of T, a predefined one that needs no freeing.
template <Element T>
[[nodiscard]] inline MPI_Datatype datatype_of() noexcept {
  if constexpr (std::is_enum_v<T> && !std::same_as<T, std::byte>) {
    return detail::arithmetic_datatype<std::underlying_type_t<T>>();
  } else {
    return detail::arithmetic_datatype<T>();
  }
}

}  // namespace cairn
