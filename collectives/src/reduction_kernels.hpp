/// MPI's named operations on arithmetic types, as vectorised loops over bytes.
#pragma once

#include <mpi.h>

#include <cstddef>

namespace cairn::detail {

/// An operation on one element type.
struct Reduction {
  /// result[i] = a[i] ∘ b[i] for i < n elements. `result` may be `a` or `b`; otherwise the arrays
  /// do not overlap. Aligned as the element type is.
  using Kernel = void (*)(std::byte* result, const std::byte* a, const std::byte* b, std::size_t n);

  /// The same, after which theirs[i] = next[i]; `theirs` is `a` or `b`. In one pass, for memory
  /// whose lines come from another core's cache.
  using Exchange = void (*)(std::byte* result, const std::byte* a, const std::byte* b,
                            std::byte* theirs, const std::byte* next, std::size_t n);

  Kernel combine = nullptr;
  Exchange exchange = nullptr;
  std::size_t element_bytes = 0;

  [[nodiscard]] explicit operator bool() const noexcept { return combine != nullptr; }
};

/// The kernel for a predefined datatype and operation; an empty one where MPI allows none, and for
/// MPI_MINLOC, MPI_MAXLOC, user-defined operations and derived types. Local.
///
/// Integer sums and products wrap around. A comparison with a NaN keeps `a`. Complex products are
/// (ac - bd, ad + bc).
[[nodiscard]] Reduction reduction_of(MPI_Datatype type, MPI_Op operation) noexcept;

/// What the kernels run with here: "AVX2" or "baseline".
[[nodiscard]] const char* instruction_set() noexcept;

}  // namespace cairn::detail
