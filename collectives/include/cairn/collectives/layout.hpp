/// Layout: where the parts of a v-collective lie; and what all collectives ask of their arguments.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <utility>

#include "cairn/collectives/buffer.hpp"
#include "cairn/collectives/call.hpp"
#include "cairn/collectives/check.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/collectives/operation.hpp"
#include "cairn/core/expects.hpp"

namespace cairn {

/// Counts and displacements of a v-collective, in elements of the flat buffer; one entry per rank,
/// the caller's. MPI's ints: for parts that do not fit see wide_layout.hpp.
struct Layout {
  std::span<const int> counts;
  std::span<const int> displacements;
};

namespace detail {

inline void expect_rank(const Communicator& comm, int rank) {
  // Rank -1 is MPI_PROC_NULL and -2 MPI_ANY_SOURCE: a wrong index would go through silently.
  expects(rank >= 0 && rank < comm.size(), "a rank of the communicator");
}

inline std::size_t ranks_of(const Communicator& comm) noexcept {
  return static_cast<std::size_t>(comm.size());
}

/// Every part of `parts` entries inside a buffer of n elements.
inline void expect_layout(const Require& require, const Layout& layout, std::size_t parts,
                          std::size_t n) {
  require(layout.counts.size() == parts && layout.displacements.size() == parts,
          "one count and one displacement per part");
  for (std::size_t r = 0; r < parts; ++r) {
    require(layout.counts[r] >= 0 && layout.displacements[r] >= 0 &&
                static_cast<std::size_t>(layout.counts[r]) +
                        static_cast<std::size_t>(layout.displacements[r]) <=
                    n,
            "every part inside the buffer");
  }
}

/// Elements of a buffer that ends with the last part of a Layout or WideLayout. Parts that cannot
/// be (below 0, or whose end wraps) are left out: expect_layout() refuses them.
template <typename AnyLayout>
[[nodiscard]] std::size_t extent_of(const AnyLayout& layout) {
  std::size_t extent = 0;
  for (std::size_t r = 0; r < layout.counts.size() && r < layout.displacements.size(); ++r) {
    if (std::cmp_less(layout.counts[r], 0) || std::cmp_less(layout.displacements[r], 0)) continue;
    const auto count = static_cast<std::size_t>(layout.counts[r]);
    const std::size_t end = static_cast<std::size_t>(layout.displacements[r]) + count;
    if (end >= count && end > extent) extent = end;
  }
  return extent;
}

/// The output of a call that fills the parts of a layout.
template <typename T, typename B, typename AnyLayout>
auto hold_output_of(B&& buffer, const AnyLayout& layout) {
  using Plain = std::remove_cvref_t<B>;
  if constexpr (is_into<Plain> || requires { typename Plain::template Made<T>; }) {
    return hold_output<T>(std::forward<B>(buffer), extent_of(layout));
  } else {
    return hold_output<T>(std::forward<B>(buffer), 0);
  }
}

/// The type of the elements of a held buffer.
template <typename Held>
using ElementOf = ValueOf<std::remove_cvref_t<decltype(std::declval<Held&>().view())>>;

/// Pieces of at most max_count elements: body(first, count), once for none.
template <typename Body>
void in_pieces(std::size_t n, Body body) {
  if (n <= max_count) [[likely]] {
    body(std::size_t{0}, static_cast<int>(n));
    return;
  }
  for (std::size_t first = 0; first < n; first += max_count) {
    body(first, static_cast<int>(n - first < max_count ? n - first : max_count));
  }
}

template <typename Op>
concept NotABuffer =
    !Sized<std::remove_cvref_t<Op>> && !is_into<std::remove_cvref_t<Op>> &&
    !is_strided<std::remove_cvref_t<Op>> && !std::is_array_v<std::remove_cvref_t<Op>> && !requires {
  typename std::remove_cvref_t<Op>::template Made<int>;
};
template <typename B>
concept ABuffer = !NotABuffer<B>;

template <typename T>
concept ReducesItself = requires {
  typename std::remove_cvref_t<T>::ReducesItself;
};

/// All but what brings an all_reduce of its own, as ExactSum and arrays of it do.
template <typename B>
concept Reducible = !ReducesItself<B> && !requires(B & b) {
  b.data();
  requires ReducesItself<decltype(*b.data())>;
};

}  // namespace detail

/// Fills `displacements` with the exclusive prefix sums of `counts`: parts stand one behind the
/// other. Local.
/// @return the total
/// @throws Error{Errc::internal} for a total above 2^31 - 1, beyond MPI's ints; use Parts
/// (unknown_counts.hpp)
inline int packed_displacements(std::span<const int> counts, std::span<int> displacements) {
  expects(counts.size() == displacements.size(), "as many displacements as counts");
  int total = 0;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    displacements[r] = total;
    expects(counts[r] >= 0 && counts[r] <= INT_MAX - total,
            "a total of at most 2^31 - 1 elements; above, use Parts");
    total += counts[r];
  }
  return total;
}

}  // namespace cairn
