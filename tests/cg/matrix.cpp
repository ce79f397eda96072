#include "matrix.hpp"

#include <omp.h>

#include <cstring>

#include "twin.hpp"

using namespace cairn;
using namespace cairn::cg;

TEST_CASE(
    "a product has the bits of rows that are added up by rising column, on any ranks and threads") {
  for (const std::uint64_t n : {1, 5, 120}) {
    const auto twin = cg::test::rough_twin(n, 6, n);
    const auto x = cg::test::rough_vector(n, 1);
    const auto expected = twin.times(x);
    const auto& comm = cairn::test::world();
    Matrix matrix(comm, cg::test::dealt(comm, twin));
    CHECK(matrix.rows() == n);
    CHECK(matrix.nonzeros() == twin.entries.size());
    for (const int threads : {1, 2, 3}) {
      omp_set_num_threads(threads);
      std::vector<double> extended(matrix.halo().extended(), 1e300);
      std::vector<double> product(matrix.local_rows(), 1e300);
      const auto mine = cg::test::part_of(x, matrix.partition(), comm.rank());
      std::copy(mine.begin(), mine.end(), matrix.halo().own_part(extended).begin());
      matrix.multiply(extended, product);
      const auto right = cg::test::part_of(expected, matrix.partition(), comm.rank());
      CHECK((right.empty() ||
             std::memcmp(product.data(), right.data(), right.size() * sizeof(double)) == 0));
    }
    for (std::size_t i = 0; i < matrix.local_rows(); ++i) {
      const auto row = matrix.first_row() + i;
      CHECK(matrix.diagonal()[i] == twin.at(row, row));
    }
  }
}

TEST_CASE("a diagonal that is not positive is refused by all, and the first of them named") {
  for (const double bad : {0.0, -2.0}) {
    auto twin = cg::test::rough_twin(20, 2, 3);
    twin.entries[{13, 13}] = bad;
    twin.entries[{17, 17}] = bad;
    if (bad == 0.0) twin.entries.erase({13, 13});
    std::string text;
    try {
      const Matrix matrix(cairn::test::world(), cg::test::dealt(cairn::test::world(), twin));
    } catch (const Error& error) {
      if (error.agreed() && error.code() == Errc::bad_data) text = error.what();
    }
    CHECK(text.find("entry (14, 14)") == 0);
    CHECK(text.find("not positive definite") != std::string::npos);
  }
}
