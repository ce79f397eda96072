/// The blocking collectives on spans: each is one MPI call, checked, without an allocation.
///
/// Every rank of the communicator calls the same function with matching sizes and the same root. A
/// size that is wrong on one rank alone is a precondition error there (Error{internal}). MPI's
/// errors are Error{mpi_failure} on the ranks that see them; the outputs are then unspecified.
/// Counts are in elements, at most 2^31 - 1 a call.
///
/// Source of the semantics: MPI: A Message-Passing Interface Standard, version 3.1, chapter 5.
#pragma once

#include <mpi.h>

#include <functional>
#include <numeric>
#include <span>
#include <string>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/collectives/operation.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn {

/// Counts and displacements of a v-collective, in elements of the flat buffer; one entry per rank,
/// the caller's.
struct Layout {
  std::span<const int> counts;
  std::span<const int> displacements;
};

namespace detail {

inline void expect_layout(const Communicator& comm, const Layout& layout, std::size_t buffer_size) {
  const auto size = static_cast<std::size_t>(comm.size());
  expects(layout.counts.size() == size && layout.displacements.size() == size,
          "one count and one displacement per rank");
  for (std::size_t r = 0; r < size; ++r) {
    expects(layout.counts[r] >= 0 && layout.displacements[r] >= 0 &&
                static_cast<std::size_t>(layout.counts[r]) +
                        static_cast<std::size_t>(layout.displacements[r]) <=
                    buffer_size,
            "every rank's part inside the buffer");
  }
}

}  // namespace detail

/// Fills `displacements` with the exclusive prefix sums of `counts`: parts stand one behind the
/// other. Local.
/// @return the total
inline int packed_displacements(std::span<const int> counts, std::span<int> displacements) {
  expects(counts.size() == displacements.size(), "as many displacements as counts");
  int total = 0;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    displacements[r] = total;
    expects(counts[r] >= 0 && counts[r] <= INT_MAX - total, "a total of at most 2^31 - 1 elements");
    total += counts[r];
  }
  return total;
}

/// Returns when every rank has called it.
inline void barrier(const Communicator& comm) {
  check_mpi(MPI_Barrier(comm.native()), "MPI_Barrier");
}

/// Copies `data` (shape [n], n equal on all ranks) of rank `root` to every rank.
template <Element T>
void bcast(const Communicator& comm, std::span<T> data, int root = 0) {
  detail::expect_rank(comm, root);
  check_mpi(
      MPI_Bcast(data.data(), detail::mpi_count(data.size()), datatype_of<T>(), root, comm.native()),
      "MPI_Bcast");
}

/// One value: what rank `root` passes is returned on every rank.
template <Element T>
[[nodiscard]] T bcast(const Communicator& comm, T value, int root = 0) {
  bcast(comm, std::span<T>(&value, 1), root);
  return value;
}

/// The text of rank `root`, of any length below 2^31 bytes, on every rank. Two MPI_Bcast.
inline void bcast(const Communicator& comm, std::string& text, int root = 0) {
  text.resize(static_cast<std::size_t>(bcast(comm, detail::mpi_count(text.size()), root)));
  bcast(comm, std::span<char>(text), root);
}

/// Reduces element by element over the ranks into `out` of rank `root`; `out` may be empty
/// elsewhere.
///
/// @par Determinism  floating-point sums depend on the number of ranks; use exact_sum() where the
/// bits matter
template <Element T, Operation Op = std::plus<>>
void reduce(const Communicator& comm, std::span<const T> in, std::span<T> out, int root = 0,
            Op = {}) {
  detail::expect_rank(comm, root);
  expects(!comm.is_root(root) || out.size() == in.size(), "out of the size of in at the root");
  check_mpi(MPI_Reduce(in.data(), out.data(), detail::mpi_count(in.size()), datatype_of<T>(),
                       detail::native_operation<Op>(), root, comm.native()),
            "MPI_Reduce");
}

/// Reduces `data` element by element over all ranks, in place.
///
///     rank 0  [ a0 a1 … ]         [ a0∘b0∘c0  a1∘b1∘c1 … ]
///     rank 1  [ b0 b1 … ]   →     [ a0∘b0∘c0  a1∘b1∘c1 … ]
///     rank 2  [ c0 c1 … ]         [ a0∘b0∘c0  a1∘b1∘c1 … ]
///
/// @par Determinism  floating-point sums depend on the number of ranks; use exact_sum() where the
/// bits matter
template <Element T, Operation Op = std::plus<>>
void all_reduce(const Communicator& comm, std::span<T> data, Op = {}) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, data.data(), detail::mpi_count(data.size()),
                          datatype_of<T>(), detail::native_operation<Op>(), comm.native()),
            "MPI_Allreduce");
}

/// One value, reduced over all ranks and returned on each.
template <Element T, Operation Op = std::plus<>>
[[nodiscard]] T all_reduce(const Communicator& comm, T value, Op op = {}) {
  all_reduce(comm, std::span<T>(&value, 1), op);
  return value;
}

/// Inclusive prefix reduction in place: rank r gets the reduction of ranks 0 … r.
template <Element T, Operation Op = std::plus<>>
void scan(const Communicator& comm, std::span<T> data, Op = {}) {
  check_mpi(MPI_Scan(MPI_IN_PLACE, data.data(), detail::mpi_count(data.size()), datatype_of<T>(),
                     detail::native_operation<Op>(), comm.native()),
            "MPI_Scan");
}

/// Exclusive prefix reduction in place: rank r gets the reduction of ranks 0 … r-1; rank 0 keeps
/// what it has.
template <Element T, Operation Op = std::plus<>>
void exscan(const Communicator& comm, std::span<T> data, Op = {}) {
  check_mpi(MPI_Exscan(MPI_IN_PLACE, data.data(), detail::mpi_count(data.size()), datatype_of<T>(),
                       detail::native_operation<Op>(), comm.native()),
            "MPI_Exscan");
}

/// Collects `in` (shape [n], n equal everywhere) of all ranks at `root`, in rank order: out has
/// shape [p·n] there.
template <Element T>
void gather(const Communicator& comm, std::span<const T> in, std::span<T> out, int root = 0) {
  detail::expect_rank(comm, root);
  expects(!comm.is_root(root) || out.size() == in.size() * static_cast<std::size_t>(comm.size()),
          "out of size p·n at the root");
  const int count = detail::mpi_count(in.size());
  check_mpi(MPI_Gather(in.data(), count, datatype_of<T>(), out.data(), count, datatype_of<T>(),
                       root, comm.native()),
            "MPI_Gather");
}

/// Collects parts of different sizes at `root`. `layout` and `out` count at the root alone.
template <Element T>
void gather_v(const Communicator& comm, std::span<const T> in, std::span<T> out,
              const Layout& layout, int root = 0) {
  detail::expect_rank(comm, root);
  if (comm.is_root(root)) detail::expect_layout(comm, layout, out.size());
  check_mpi(MPI_Gatherv(in.data(), detail::mpi_count(in.size()), datatype_of<T>(), out.data(),
                        layout.counts.data(), layout.displacements.data(), datatype_of<T>(), root,
                        comm.native()),
            "MPI_Gatherv");
}

/// Collects `in` (shape [n], n equal everywhere) of all ranks on every rank: out has shape [p·n].
template <Element T>
void all_gather(const Communicator& comm, std::span<const T> in, std::span<T> out) {
  expects(out.size() == in.size() * static_cast<std::size_t>(comm.size()), "out of size p·n");
  const int count = detail::mpi_count(in.size());
  check_mpi(MPI_Allgather(in.data(), count, datatype_of<T>(), out.data(), count, datatype_of<T>(),
                          comm.native()),
            "MPI_Allgather");
}

/// Collects parts of different sizes on every rank; `layout` is equal everywhere.
template <Element T>
void all_gather_v(const Communicator& comm, std::span<const T> in, std::span<T> out,
                  const Layout& layout) {
  detail::expect_layout(comm, layout, out.size());
  expects(
      in.size() == static_cast<std::size_t>(layout.counts[static_cast<std::size_t>(comm.rank())]),
      "in of the size that the layout gives this rank");
  check_mpi(MPI_Allgatherv(in.data(), detail::mpi_count(in.size()), datatype_of<T>(), out.data(),
                           layout.counts.data(), layout.displacements.data(), datatype_of<T>(),
                           comm.native()),
            "MPI_Allgatherv");
}

/// Deals equal parts of `in` (shape [p·n] at the root, ignored elsewhere) to the ranks: out has
/// shape [n].
template <Element T>
void scatter(const Communicator& comm, std::span<const T> in, std::span<T> out, int root = 0) {
  detail::expect_rank(comm, root);
  expects(!comm.is_root(root) || in.size() == out.size() * static_cast<std::size_t>(comm.size()),
          "in of size p·n at the root");
  const int count = detail::mpi_count(out.size());
  check_mpi(MPI_Scatter(in.data(), count, datatype_of<T>(), out.data(), count, datatype_of<T>(),
                        root, comm.native()),
            "MPI_Scatter");
}

/// Deals parts of different sizes to the ranks. `layout` and `in` count at the root alone.
template <Element T>
void scatter_v(const Communicator& comm, std::span<const T> in, const Layout& layout,
               std::span<T> out, int root = 0) {
  detail::expect_rank(comm, root);
  if (comm.is_root(root)) detail::expect_layout(comm, layout, in.size());
  check_mpi(MPI_Scatterv(in.data(), layout.counts.data(), layout.displacements.data(),
                         datatype_of<T>(), out.data(), detail::mpi_count(out.size()),
                         datatype_of<T>(), root, comm.native()),
            "MPI_Scatterv");
}

/// Part j of rank i's `in` becomes part i of rank j's `out`; both have shape [p·n].
template <Element T>
void all_to_all(const Communicator& comm, std::span<const T> in, std::span<T> out) {
  const auto size = static_cast<std::size_t>(comm.size());
  expects(in.size() == out.size() && in.size() % size == 0, "in and out of size p·n");
  const int count = detail::mpi_count(in.size() / size);
  check_mpi(MPI_Alltoall(in.data(), count, datatype_of<T>(), out.data(), count, datatype_of<T>(),
                         comm.native()),
            "MPI_Alltoall");
}

/// all_to_all with parts of different sizes: in_layout.counts[j] here equals out_layout.counts[i]
/// on rank j.
template <Element T>
void all_to_all_v(const Communicator& comm, std::span<const T> in, const Layout& in_layout,
                  std::span<T> out, const Layout& out_layout) {
  detail::expect_layout(comm, in_layout, in.size());
  detail::expect_layout(comm, out_layout, out.size());
  check_mpi(MPI_Alltoallv(in.data(), in_layout.counts.data(), in_layout.displacements.data(),
                          datatype_of<T>(), out.data(), out_layout.counts.data(),
                          out_layout.displacements.data(), datatype_of<T>(), comm.native()),
            "MPI_Alltoallv");
}

}  // namespace cairn
