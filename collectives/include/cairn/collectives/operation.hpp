/// Which C++ function objects reduce, and as which MPI operation.
#pragma once

#include <mpi.h>

#include <concepts>
#include <functional>

namespace cairn {

/// The smaller, or larger, of two values.
struct Minimum {};
struct Maximum {};

namespace detail {

template <typename Op>
inline MPI_Op native_operation() noexcept {
  if constexpr (std::same_as<Op, std::plus<>>) return MPI_SUM;
  if constexpr (std::same_as<Op, std::multiplies<>>) return MPI_PROD;
  if constexpr (std::same_as<Op, Minimum>) return MPI_MIN;
  if constexpr (std::same_as<Op, Maximum>) return MPI_MAX;
  if constexpr (std::same_as<Op, std::logical_and<>>) return MPI_LAND;
  if constexpr (std::same_as<Op, std::logical_or<>>) return MPI_LOR;
  if constexpr (std::same_as<Op, std::bit_and<>>) return MPI_BAND;
  if constexpr (std::same_as<Op, std::bit_or<>>) return MPI_BOR;
  if constexpr (std::same_as<Op, std::bit_xor<>>) return MPI_BXOR;
  return MPI_OP_NULL;
}

template <typename Op, typename... Ops>
concept OneOf = (std::same_as<Op, Ops> || ...);

}  // namespace detail

/// std::plus<>, std::multiplies<>, Minimum, Maximum, std::logical_and<>, std::logical_or<>,
/// std::bit_and<>, std::bit_or<>, std::bit_xor<>: each maps to MPI's own operation.
template <typename Op>
concept Operation =
    detail::OneOf<Op, std::plus<>, std::multiplies<>, Minimum, Maximum, std::logical_and<>,
                  std::logical_or<>, std::bit_and<>, std::bit_or<>, std::bit_xor<>>;

}  // namespace cairn
