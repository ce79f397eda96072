#include "matrix.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"

namespace cairn::cg {

namespace {

/// The columns of the rows that belong to others, rising, each once.
std::vector<std::uint64_t> ghosts_of(const SparseRows& rows, std::uint64_t first,
                                     std::uint64_t last) {
  std::vector<std::uint64_t> ghosts;
  for (const auto column : rows.columns) {
    if (column < first || column >= last) ghosts.push_back(column);
  }
  std::sort(ghosts.begin(), ghosts.end());
  ghosts.erase(std::unique(ghosts.begin(), ghosts.end()), ghosts.end());
  ghosts.shrink_to_fit();
  return ghosts;
}

void expect_fits(const SparseRows& rows, std::size_t ghosts) {
  if (rows.columns.size() <= INT_MAX && rows.count() + ghosts <= INT_MAX) return;
  throw Error(Errc::usage, fmt::format("a rank has {} non-zeros and {} columns of the matrix, and "
                                       "can have 2^31 - 1; use more ranks",
                                       rows.columns.size(), rows.count() + ghosts));
}

}  // namespace

Matrix::Matrix(const Communicator& comm, DistributedRows rows)
    : partition_(std::move(rows.partition)),
      first_row_(partition_.first(comm.rank())),
      halo_(comm, partition_,
            together(comm,
                     [&] {
                       auto ghosts = ghosts_of(rows.rows, first_row_, partition_.last(comm.rank()));
                       expect_fits(rows.rows, ghosts.size());
                       return ghosts;
                     })),
      nonzeros_(all_reduce(comm, static_cast<std::uint64_t>(rows.rows.columns.size()))) {
  together(comm, [&] { take_apart(std::move(rows.rows)); });
}

void Matrix::take_apart(SparseRows rows) {
  local_.resize(static_cast<int>(rows.count()), static_cast<int>(halo_.extended()));
  local_.resizeNonZeros(static_cast<int>(rows.columns.size()));
  std::copy(rows.starts.begin(), rows.starts.end(), local_.outerIndexPtr());
  std::copy(rows.values.begin(), rows.values.end(), local_.valuePtr());
  std::transform(rows.columns.begin(), rows.columns.end(), local_.innerIndexPtr(),
                 [&](std::uint64_t column) { return static_cast<int>(halo_.local(column)); });
  diagonal_.resize(rows.count());
  for (std::size_t i = 0; i < rows.count(); ++i) {
    const int row = static_cast<int>(i);
    diagonal_[i] = local_.coeff(row, static_cast<int>(halo_.below()) + row);
    if (diagonal_[i] > 0) continue;
    Error error(Errc::bad_data, fmt::format("entry ({0}, {0}) of the matrix is {1}: it is not "
                                            "positive definite",
                                            first_row_ + i + 1, diagonal_[i]));
    error.mark_agreed();  // together() makes it true, and says it without a rank
    throw error;
  }
}

void Matrix::multiply(std::span<double> extended, std::span<double> result) {
  expects(extended.size() == halo_.extended() && result.size() == halo_.own(),
          "an extended vector and a local one");
  halo_.exchange(extended);
  const int* starts = local_.outerIndexPtr();
  const double* in = extended.data();
  double* out = result.data();
  // Consecutive rows for each thread, cut by non-zeros, as for the ranks.
#pragma omp parallel
  {
    const auto threads = static_cast<std::int64_t>(omp_get_num_threads());
    const auto cut = [&](std::int64_t thread) {
      const auto target = static_cast<int>(local_.nonZeros() * thread / threads);
      return thread == threads ? local_.rows()
                               : std::lower_bound(starts, starts + local_.rows(), target) - starts;
    };
    const std::int64_t last = cut(omp_get_thread_num() + 1);
    for (std::int64_t row = cut(omp_get_thread_num()); row < last; ++row) {
      double sum = 0.0;
      for (Local::InnerIterator entry(local_, row); entry; ++entry)
        sum += entry.value() * in[entry.index()];
      out[row] = sum;
    }
  }
}

}  // namespace cairn::cg
