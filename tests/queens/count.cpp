// All placements, whoever counts them: published numbers, and a search that knows no bits.
#include "count.hpp"

#include <csignal>
#include <cstdlib>
#include <optional>
#include <vector>

#include "../support/mpi_test.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"

using namespace cairn;
using namespace cairn::queens;
using cairn::test::world;

namespace {

/// The column of the queen of each row, one square after the other.
void try_all(int n, std::vector<int>& columns, Counts& counts) {
  ++counts.nodes;
  const int rows = static_cast<int>(columns.size());
  if (rows == n) ++counts.solutions;
  if (rows == n) return;
  for (int column = 0; column < n; ++column) {
    bool is_attacked = false;
    for (int row = 0; row < rows; ++row) {
      const int apart = std::abs(columns[static_cast<std::size_t>(row)] - column);
      is_attacked = is_attacked || apart == 0 || apart == rows - row;
    }
    if (is_attacked) continue;
    columns.push_back(column);
    try_all(n, columns, counts);
    columns.pop_back();
  }
}

Counts by_squares(int n) {
  std::vector<int> columns;
  Counts counts;
  try_all(n, columns, counts);
  return counts;
}

/// Solutions: OEIS A000170. Nodes: a backtracking search, the empty board counted.
struct Known {
  int n;
  Counts counts;
};
const std::vector<Known>& known() {
  static const std::vector<Known> all{
      {1, {2, 1}},        {2, {3, 0}},          {3, {6, 0}},
      {4, {17, 2}},       {8, {2057, 92}},      {9, {8394, 352}},
      {10, {35539, 724}}, {11, {166926, 2680}}, {12, {856189, 14200}}};
  return all;
}

}  // namespace

TEST_CASE("one thread counts the published numbers, and those of a search square by square") {
  for (const Known& board : known()) CHECK(count(Board(board.n)) == board.counts);
  for (int n = 1; n <= 8; ++n) CHECK(count(Board(n)) == by_squares(n));
}

TEST_CASE("a placement is counted with what comes of it") {
  const Board board(7);
  Counts sum{1, 0};
  board.each_next({}, [&](const Placement& next) { sum.merge(count(board, next)); });
  CHECK(sum == count(board));
}

TEST_CASE("ranks, threads and the depth of tasks change nothing") {
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    loadbalance::WorkPool pool(world(), {.threads = threads});
    for (const Known& board : known()) {
      CAPTURE(board.n);
      CHECK(count(Board(board.n), depth_for(board.n), pool) == board.counts);
      for (int depth = 0; board.n == 8 && depth <= board.n; ++depth)
        CHECK(count(Board(board.n), depth, pool) == board.counts);
    }
  }
}

TEST_CASE("a stop signal on one rank ends the search on all") {
  loadbalance::WorkPool pool(world(), {.threads = 2});
  if (world().is_root()) request_stop(SIGINT);
  std::optional<Error> error;
  try {
    (void)count(Board(10), 2, pool);
  } catch (const Error& thrown) {
    error = thrown;
  }
  request_stop(0);
  CHECK((error && error->code() == Errc::interrupted));
  CHECK((error && error->agreed_ranks() == world().size()));
}
