// Counts above MPI's int, with a limit that a test can reach.

#include <cstdint>
#include <vector>

#include "cairn/collectives/buffer.hpp"
#include "count_limit.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

std::vector<std::int64_t> numbers(std::size_t n) {
  std::vector<std::int64_t> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::int64_t>(i * i + 1);
  return values;
}

/// What arrives of `n` elements that rank 0 broadcasts, each rank with a limit of its own.
std::vector<std::int64_t> broadcast(std::size_t n, std::size_t limit) {
  const test::CountLimit scope(limit);
  auto values = test::world().is_root() ? numbers(n) : std::vector<std::int64_t>(n, -1);
  const detail::Wire big(n, MPI_INT64_T);
  CHECK(static_cast<std::size_t>(big.count) <= limit);
  CHECK(MPI_Bcast(values.data(), big.count, big.type, 0, test::world().native()) == MPI_SUCCESS);
  return values;
}

}  // namespace

TEST_CASE("a big type is so many elements one behind the other") {
  for (const std::size_t limit : {1, 2, 3, 7, 64}) {
    for (const std::size_t n : {0, 1, 2, 3, 6, 7, 8, 100, 128, 1001}) {
      CAPTURE(limit);
      CAPTURE(n);
      CHECK(broadcast(n, limit) == numbers(n));
      const test::CountLimit scope(limit);
      const detail::Wire big(n, MPI_INT64_T);
      MPI_Count size = 0;
      MPI_Count lower = 0;
      MPI_Count extent = 0;
      MPI_Type_size_x(big.type, &size);
      MPI_Type_get_extent_x(big.type, &lower, &extent);
      CHECK(static_cast<std::size_t>(size) * static_cast<std::size_t>(big.count) == 8 * n);
      CHECK(extent == size);
      CHECK(lower == 0);
    }
  }
}

TEST_CASE("both sides of a message may split in their own way") {
  for (const std::size_t n : {5, 100, 1001}) {
    CHECK(broadcast(n, static_cast<std::size_t>(test::world().rank()) + 2) == numbers(n));
  }
}

TEST_CASE("below the limit nothing is made") {
  const detail::Wire big(1000, MPI_DOUBLE);
  CHECK(big.count == 1000);
  CHECK(big.type == MPI_DOUBLE);
}

TEST_CASE("a type above 2^31 elements says its size in 64 bits") {
  const std::size_t n = (std::size_t{5} << 31) + 3;
  const detail::Wire big(n, MPI_DOUBLE);
  CHECK(big.count == 1);
  MPI_Count size = 0;
  MPI_Type_size_x(big.type, &size);
  CHECK(static_cast<std::size_t>(size) == 8 * n);
}
