/// Collectives whose receivers do not know the counts: counts and data travel together.
///
/// All are collective and blocking; every rank calls the same function with the same root and the
/// same T. Counts are 64-bit. Values travel as bytes, with the padding they have: all ranks
/// represent T alike. `in` must not lie in the memory of `out`.
///
/// @throws Error{mpi_failure} on the ranks where MPI reports one, std::bad_alloc on a rank whose
///         memory ends; the other ranks may then wait for it, so end the job
/// @par Cost  one message where the known-count calls need two collectives, as long as a rank's
///      part has at most detail::short_bytes bytes; above that about what these need. No
///      allocation once `out` and the communicator's own buffers have grown.
#pragma once

#include <cstddef>
#include <span>

#include "cairn/collectives/buffer.hpp"
#include "cairn/collectives/check.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/collectives/parts.hpp"

namespace cairn {

namespace detail {

/// Up to this many bytes a part travels with its count, in a receive that has room for it; on
/// `ranks` ranks, whose buffers for it have a bounded total.
[[nodiscard]] constexpr std::size_t short_bytes(int ranks) noexcept {
  const auto share = (std::size_t{1} << 20) / static_cast<std::size_t>(ranks) / 8 * 8;
  return share > 1024 ? 1024 : share < 64 ? 64 : share;
}

void all_gather_bytes(const Communicator& comm, std::span<const std::byte> in, ByteParts& out);
void gather_bytes(const Communicator& comm, std::span<const std::byte> in, ByteParts& out,
                  int root);

/// Sends part j of `in` to rank j.
void all_to_all_bytes(const Communicator& comm, const ByteParts& in, ByteParts& out);
/// The same with parts of counts[j] · unit bytes.
void all_to_all_bytes(const Communicator& comm, std::span<const std::byte> in,
                      std::span<const std::size_t> counts, std::size_t unit, ByteParts& out);

/// The first half of a bcast: everybody learns the size of the root's data, …
std::size_t bcast_size(const Communicator& comm, std::span<const std::byte> data, int root);
/// … grows `data` to it, and gets it.
void bcast_rest(const Communicator& comm, std::span<std::byte> data, int root);

/// The elements of `in`, whose type is that of the parts.
template <typename T, typename B>
std::span<const std::byte> bytes_of_input(const B& in) {
  const auto elements = contiguous(elements_of(in));
  static_assert(std::is_same_v<ValueOf<std::remove_cv_t<decltype(elements)>>, T>,
                "cairn: input and parts have the same type of elements");
  return std::as_bytes(std::span<const T>(elements.data, elements.count()));
}

inline std::size_t sum_of(std::span<const std::size_t> counts) {
  std::size_t sum = 0;
  for (const std::size_t count : counts) sum += count;
  return sum;
}

/// What the debug level of check.hpp compares.
template <typename T>
constexpr Signature unknown_signature(const char* call, int root = Signature::no_root) {
  return {call, signature_of<T>(), Signature::any_count, root};
}

}  // namespace detail

/// Collects `in` (shape [n], n differs from rank to rank) of all ranks on every rank.
///
///     rank 0  [ a0 a1 ]          [ a0 a1 | | c0 ]
///     rank 1  [ ]           →    [ a0 a1 | | c0 ]
///     rank 2  [ c0 ]             [ a0 a1 | | c0 ]
///
/// @par Cost  on up to four ranks one message to each of the others; on more one MPI_Allgather of
///      blocks that hold count and values, whose size follows the counts of the call before, and an
///      MPI_Allgatherv when a part does not fit
template <typename B, Element T>
void all_gather_v(const Communicator& comm, const B& in, Parts<T>& out,
                  Where where = Where::here()) {
  detail::compare_if_checked(comm, detail::unknown_signature<T>("all_gather_v of unknown counts"),
                             where);
  detail::all_gather_bytes(comm, detail::bytes_of_input<T>(in), out.as_bytes());
}

/// Collects `in` (shape [n], n differs from rank to rank) of all ranks at `root`. Elsewhere `out`
/// is left alone.
/// @par Cost  one message from each rank
template <typename B, Element T>
void gather_v(const Communicator& comm, const B& in, Parts<T>& out, int root = 0,
              Where where = Where::here()) {
  const auto signature = detail::unknown_signature<T>("gather_v of unknown counts", root);
  detail::Require(comm, signature, where).rank(root);
  detail::compare_if_checked(comm, signature, where);
  detail::gather_bytes(comm, detail::bytes_of_input<T>(in), out.as_bytes(), root);
}

/// Part j of rank i's `in` becomes part i of rank j's `out`.
///
/// @param in  one part for each rank
/// @par Cost  one message to each rank, also where the part is empty; sparse_exchange() is for many
///      ranks and few messages
template <Element T>
void all_to_all_v(const Communicator& comm, const Parts<T>& in, Parts<T>& out,
                  Where where = Where::here()) {
  const auto signature = detail::unknown_signature<T>("all_to_all_v of unknown counts");
  const detail::Require require(comm, signature, where);
  require(in.size() == static_cast<std::size_t>(comm.size()), "one part for each rank");
  require(&in != &out, "two objects, to send from and to receive into");
  detail::compare_if_checked(comm, signature, where);
  detail::all_to_all_bytes(comm, in.as_bytes(), out.as_bytes());
}

/// The same from an array of the caller's: `in` has shape [Σ counts], the parts one behind the
/// other; counts[j] values go to rank j.
template <typename B, Element T>
void all_to_all_v(const Communicator& comm, const B& in, std::span<const std::size_t> counts,
                  Parts<T>& out, Where where = Where::here()) {
  const auto signature = detail::unknown_signature<T>("all_to_all_v of unknown counts");
  const detail::Require require(comm, signature, where);
  const auto bytes = detail::bytes_of_input<T>(in);
  require(counts.size() == static_cast<std::size_t>(comm.size()), "one count for each rank");
  if (comm.is_checked()) [[unlikely]] {  // else below, on the way
    require(detail::sum_of(counts) * sizeof(T) == bytes.size(),
            "as many values as the sum of the counts");
    detail::compare(comm, detail::copy_of(signature), where);
  }
  detail::all_to_all_bytes(comm, bytes, counts, sizeof(T), out.as_bytes());
}

/// The vector or text of rank `root`, of any length, on every rank, where it is resized.
///
///     bcast(comm, into(names), root);
///
/// @par Cost  one message along each edge of a binomial tree; for long ones an MPI_Bcast of the
/// size
///      and one of the values
template <typename V>
void bcast(const Communicator& comm, Into<V> data, int root = 0, Where where = Where::here()) {
  using T = detail::ValueOf<decltype(detail::elements_of(data.vector))>;
  detail::expect_element<T>();
  const auto signature = detail::unknown_signature<T>("bcast of unknown count", root);
  detail::Require(comm, signature, where).rank(root);
  detail::compare_if_checked(comm, signature, where);
  const auto bytes = detail::bcast_size(comm, detail::bytes_of_input<T>(data.vector), root);
  data.vector.resize(bytes / sizeof(T));
  detail::bcast_rest(comm, std::as_writable_bytes(std::span<T>(data.vector)), root);
}

}  // namespace cairn
