/// Objects go to other ranks, all at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/sparse.hpp"

namespace cairn::loadbalance {

/// What a migration has moved. Equal on all ranks.
struct Migration {
  std::uint64_t objects = 0;        ///< that have changed their rank
  std::uint64_t bytes = 0;          ///< of these
  std::uint64_t busiest_bytes = 0;  ///< the most that one rank has sent and received
  double seconds = 0;               ///< of the slowest rank

  /// For MovingCost; 0 when nothing was moved.
  [[nodiscard]] double seconds_per_byte() const noexcept {
    return busiest_bytes > 0 ? seconds / static_cast<double>(busiest_bytes) : 0.0;
  }
};

namespace detail {

/// Sends objects of `size` bytes to where they go; those that come replace them, in the order of
/// their sources, and of one source in the order that they had there.
Migration migrate_bytes(const Communicator& comm, std::vector<std::byte>& objects, std::size_t size,
                        std::span<const int> destinations);

/// A sum over objects, whatever their order, in which a lost, doubled or changed one shows.
std::uint64_t unordered_digest(std::span<const std::byte> objects, std::size_t size) noexcept;

}  // namespace detail

/// Moves each object to its rank; afterwards every rank has its objects in the order of their keys.
/// Collective, blocking.
///
/// @param objects       this rank's, shape [n], n ≥ 0; replaced by those that are its own now.
///                      They travel as bytes: all ranks represent T alike.
/// @param destinations  shape [n], ranks of `comm`
/// @param key           key(object): what to order by, with <. Equal keys stay in the order of the
///                      ranks that they come from, and there in the order that they had.
/// @throws Error{Errc::usage} on all ranks when one names a rank that is none, or not one for each
///         object; Error{internal} on all when objects were lost or changed on the way (their
///         number and a digest of all are compared); {mpi_failure} on the ranks where MPI reports
///         one; std::bad_alloc on a rank whose memory ends. `objects` is left alone by all of
///         these.
/// @par Cost  a sparse exchange of one message for each destination, five small reductions, a sort
///      of what is not yet in order
template <typename T, typename Key>
Migration migrate(const Communicator& comm, std::vector<T>& objects,
                  std::span<const int> destinations, Key key) {
  static_assert(std::is_trivially_copyable_v<T>, "cairn: objects that move are copied as bytes");
  static_assert(std::is_default_constructible_v<T>);
  std::vector<std::byte> bytes(objects.size() * sizeof(T));
  if (!objects.empty()) std::memcpy(bytes.data(), objects.data(), bytes.size());
  const Migration done = detail::migrate_bytes(comm, bytes, sizeof(T), destinations);
  objects.resize(bytes.size() / sizeof(T));
  if (!objects.empty()) std::memcpy(objects.data(), bytes.data(), bytes.size());
  if (!std::ranges::is_sorted(objects, {}, key)) std::ranges::stable_sort(objects, {}, key);
  return done;
}

}  // namespace cairn::loadbalance
