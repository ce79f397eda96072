#include "sparse_rows.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <optional>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/program/memory.hpp"
#include "exchange.hpp"
#include "matrix_market.hpp"

namespace cairn::cg {

namespace {

/// Calls visit(row, column, value) for what an entry of a file stands for.
template <typename Visit>
void for_each_entry(const std::filesystem::path& file, Visit&& visit) {
  MatrixReader reader(file);
  const bool is_symmetric = reader.symmetry() == MatrixReader::Symmetry::symmetric;
  while (const auto entry = reader.next()) {
    visit(entry->row, entry->column, entry->value);
    if (is_symmetric && entry->row != entry->column) visit(entry->column, entry->row, entry->value);
  }
}

/// What the first pass over a file finds.
struct Survey {
  MatrixReader::Symmetry symmetry;
  /// Entries before each row, places that are named twice counted twice: shape [rows + 1].
  std::vector<std::uint64_t> before;
};

Survey survey(const std::filesystem::path& file) {
  const MatrixReader reader(file);
  Survey found{reader.symmetry(), {}};
  auto& before = found.before;  // grows with what is there: the header may lie, within bounds
  for_each_entry(file, [&](std::uint64_t row, std::uint64_t, double) {
    if (row + 2 > before.size()) before.resize(row + 2);
    ++before[row + 1];
  });
  before.resize(reader.rows() + 1);
  std::partial_sum(before.begin(), before.end(), before.begin());
  return found;
}

[[noreturn]] void throw_changed(const std::filesystem::path& file) {
  throw Error(Errc::bad_data, file.string() +
                                  " changed while it was read, or is not the same on all nodes; "
                                  "run again when it stays as it is");
}

/// The entries of rows [first, last), each row in the order of the file.
SparseRows read_rows(const std::filesystem::path& file, const std::vector<std::uint64_t>& before,
                     std::uint64_t first, std::uint64_t last) {
  SparseRows rows;
  rows.starts.resize(last - first + 1);
  for (std::uint64_t row = first; row <= last; ++row)
    rows.starts[row - first] = before[row] - before[first];
  rows.columns.resize(rows.starts.back());
  rows.values.resize(rows.starts.back());
  auto next = rows.starts;
  for_each_entry(file, [&](std::uint64_t row, std::uint64_t column, double value) {
    if (row < first || row >= last) return;
    const std::size_t at = next[row - first]++;
    if (at == rows.starts[row - first + 1]) throw_changed(file);
    rows.columns[at] = column;
    rows.values[at] = value;
  });
  for (std::size_t i = 0; i < rows.count(); ++i) {
    if (next[i] != rows.starts[i + 1]) throw_changed(file);
  }
  return rows;
}

/// Sorts each row by column, and adds up what names one place, in the order in which it stands.
void sort_and_add_up(SparseRows& rows) {
  std::vector<std::pair<std::uint64_t, double>> row;
  std::size_t end = 0;
  for (std::size_t i = 0; i < rows.count(); ++i) {
    row.clear();
    for (std::size_t k = rows.starts[i]; k < rows.starts[i + 1]; ++k)
      row.emplace_back(rows.columns[k], rows.values[k]);
    std::stable_sort(row.begin(), row.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    rows.starts[i] = end;
    for (const auto& [column, value] : row) {
      if (end > rows.starts[i] && rows.columns[end - 1] == column) {
        rows.values[end - 1] += value;
      } else {
        rows.columns[end] = column;
        rows.values[end++] = value;
      }
    }
  }
  rows.starts.back() = end;
  rows.columns.resize(end);
  rows.values.resize(end);
}

}  // namespace

DistributedRows read_matrix(const Communicator& comm, const std::filesystem::path& file) {
  const auto found = together(comm, [&] { return survey(file); });
  const auto& before = found.before;
  auto partition =
      balanced_rows(before.size() - 1, comm.size(), [&](std::uint64_t k) { return before[k]; });
  const auto here = XXH3_64bits(before.data(), before.size() * sizeof(before[0]));
  const auto on_root = bcast(comm, here);
  auto rows = together(comm, [&] {
    if (here != on_root) throw_changed(file);
    auto mine = read_rows(file, before, partition.first(comm.rank()), partition.last(comm.rank()));
    sort_and_add_up(mine);
    return mine;
  });
  DistributedRows matrix{std::move(partition), std::move(rows)};
  if (found.symmetry == MatrixReader::Symmetry::general) check_symmetric(comm, matrix);
  return matrix;
}

namespace {

/// The Laplacian on an n × n grid, row by row.
class FivePoints {
 public:
  explicit FivePoints(std::uint64_t n) : n_(n) {}

  /// In rows [0, k): five a point, less the neighbours that the border takes away.
  [[nodiscard]] std::uint64_t nonzeros_before(std::uint64_t k) const {
    const std::uint64_t lines = k / n_;  // complete lines of the grid
    const std::uint64_t points = k % n_;
    const std::uint64_t above = std::min(k, n_);
    const std::uint64_t below = k > n_ * (n_ - 1) ? k - n_ * (n_ - 1) : 0;
    const std::uint64_t left = lines + (points > 0 ? 1 : 0);
    const std::uint64_t right = lines;
    return 5 * k - above - below - left - right;
  }

  void append_row(std::uint64_t row, SparseRows& rows) const {
    const auto append = [&](std::uint64_t column, double value) {
      rows.columns.push_back(column);
      rows.values.push_back(value);
    };
    if (row >= n_) append(row - n_, -1.0);
    if (row % n_ > 0) append(row - 1, -1.0);
    append(row, 4.0);
    if (row % n_ < n_ - 1) append(row + 1, -1.0);
    if (row / n_ < n_ - 1) append(row + n_, -1.0);
    rows.starts.push_back(rows.columns.size());
  }

 private:
  std::uint64_t n_;
};

}  // namespace

DistributedRows poisson(const Communicator& comm, std::uint64_t n) {
  constexpr std::uint64_t most = std::uint64_t{1} << 30;
  if (n < 1 || n > most) {
    Error error(Errc::usage, fmt::format("--poisson {} makes no sense: it is the number of inner "
                                         "grid points along one side, from 1 to {}",
                                         n, most));
    error.mark_agreed();
    throw error;
  }
  const FivePoints stencil(n);
  auto partition = balanced_rows(n * n, comm.size(),
                                 [&](std::uint64_t k) { return stencil.nonzeros_before(k); });
  const auto first = partition.first(comm.rank());
  const auto last = partition.last(comm.rank());
  const std::uint64_t nonzeros = stencil.nonzeros_before(last) - stencil.nonzeros_before(first);
  SparseRows rows;
  using Needed = std::array<std::byte, 32>;  // for a non-zero: README.md, Cost
  const double bytes = sizeof(Needed) * static_cast<double>(nonzeros);
  program::take_memory(comm, fmt::format("--poisson {}", n), bytes, [&] {
    std::vector<Needed>().reserve(nonzeros);  // what is refused part by part is refused late
    rows.starts.reserve(last - first + 1);
    rows.columns.reserve(nonzeros);
    rows.values.reserve(nonzeros);
  });
  for (std::uint64_t row = first; row < last; ++row) stencil.append_row(row, rows);
  return {std::move(partition), std::move(rows)};
}

// --- symmetry ----------------------------------------------------------------------------------

namespace {

/// The entry (row, column) of this rank's row; 0 where nothing is stored.
double value_at(const SparseRows& rows, std::size_t row, std::uint64_t column) {
  const auto columns = rows.columns_of(row);
  const auto found = std::lower_bound(columns.begin(), columns.end(), column);
  if (found == columns.end() || *found != column) return 0.0;
  return rows.values_of(row)[static_cast<std::size_t>(found - columns.begin())];
}

/// An entry and what stands in its mirror's place.
void expect_equal(std::uint64_t row, std::uint64_t column, double value, double mirror) {
  if (value == mirror) return;
  if (row > column) return expect_equal(column, row, mirror, value);  // one text for both
  throw Error(Errc::bad_data,
              fmt::format("the matrix is not symmetric: entry ({}, {}) is {} and entry ({}, {}) is "
                          "{}; if only rounding makes the difference, store the lower triangle, "
                          "and call it symmetric",
                          row + 1, column + 1, value, column + 1, row + 1, mirror));
}

}  // namespace

void check_symmetric(const Communicator& comm, const DistributedRows& matrix) {
  const auto& partition = matrix.partition;
  const auto& rows = matrix.rows;
  const auto first = partition.first(comm.rank());
  const auto last = partition.last(comm.rank());
  constexpr std::size_t words = 3;  // row, column, value
  std::vector<std::vector<std::uint64_t>> to(static_cast<std::size_t>(comm.size()));
  auto error = detail::error_of([&] {
    for (std::size_t i = 0; i < rows.count(); ++i) {
      for (std::size_t k = rows.starts[i]; k < rows.starts[i + 1]; ++k) {
        const std::uint64_t column = rows.columns[k];
        const double value = rows.values[k];
        if (column >= first && column < last) {
          expect_equal(first + i, column, value, value_at(rows, column - first, first + i));
        } else {
          auto& list = to[static_cast<std::size_t>(partition.owner(column))];
          list.insert(list.end(), {first + i, column, std::bit_cast<std::uint64_t>(value)});
        }
      }
    }
  });
  if (error) error->mark_agreed();  // agree() makes it true, and says it without a rank
  agree(comm, error);
  const auto received = exchange_lists(comm, to);
  error = detail::error_of([&] {
    for (std::size_t w = 0; w < received.words.size(); w += words) {
      const std::uint64_t row = received.words[w];
      const std::uint64_t column = received.words[w + 1];
      expect_equal(row, column, std::bit_cast<double>(received.words[w + 2]),
                   value_at(rows, column - first, row));
    }
  });
  if (error) error->mark_agreed();
  agree(comm, error);
}

// --- fingerprints ------------------------------------------------------------------------------

namespace {

std::uint64_t hash_of(std::uint64_t row, std::uint64_t column, double value) {
  const std::array<std::uint64_t, 3> words{row, column, std::bit_cast<std::uint64_t>(value)};
  return XXH3_64bits(words.data(), sizeof words);
}

}  // namespace

std::uint64_t fingerprint(const Communicator& comm, const DistributedRows& matrix) {
  const auto& [partition, rows] = matrix;
  const auto first = partition.first(comm.rank());
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < rows.count(); ++i) {
    for (std::size_t k = rows.starts[i]; k < rows.starts[i + 1]; ++k)
      sum += hash_of(first + i, rows.columns[k], rows.values[k]);
  }
  return all_reduce(comm, sum);
}

std::uint64_t fingerprint(const Communicator& comm, std::uint64_t first,
                          std::span<const double> part) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < part.size(); ++i) sum += hash_of(first + i, 0, part[i]);
  return all_reduce(comm, sum);
}

}  // namespace cairn::cg
