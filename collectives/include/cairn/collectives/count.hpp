/// 64-bit counts for MPI's int counts.
#pragma once

#include <mpi.h>

#include <climits>
#include <cstddef>

namespace cairn::detail {

/// The most elements that go into one MPI call; above it derived types or several calls.
inline std::size_t max_count = INT_MAX;  // tests lower it

/// `count` elements of a datatype as what MPI takes: an int and a datatype with the same signature.
///
///     count ≤ max_count     count × element
///     above                 1 × struct{ vector(count / max_count blocks of max_count), remainder }
///
/// So the two sides of a message may split differently. Owns the type that it makes, none in the
/// first case. A request that uses it may outlive it, as MPI frees a type when nobody uses it.
class BigType {
 public:
  /// Local.
  /// @param count    elements, at most max_count · (2^31 - 1)
  /// @param element  committed, the caller's; its extent is the distance of the elements
  /// @throws Error{mpi_failure} where MPI reports one; Error{internal} above the limit
  BigType(std::size_t count, MPI_Datatype element)
      : count_(static_cast<int>(count)), type_(element) {
    if (count > max_count) [[unlikely]] {
      make(count, element);
    }
  }
  BigType(const BigType&) = delete;
  BigType& operator=(const BigType&) = delete;
  ~BigType() {
    if (made_) [[unlikely]] {
      MPI_Type_free(&type_);
    }
  }

  [[nodiscard]] int count() const noexcept { return count_; }
  [[nodiscard]] MPI_Datatype type() const noexcept { return type_; }

 private:
  void make(std::size_t count, MPI_Datatype element);

  int count_;
  MPI_Datatype type_;
  bool made_ = false;
};

}  // namespace cairn::detail
