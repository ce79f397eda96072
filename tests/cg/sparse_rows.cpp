#include "sparse_rows.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <optional>

#include "cairn/collectives/collective.hpp"
#include "shared_scratch.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::cg;
using cairn::cg::test::Twin;

namespace {

/// Entries of this rank's rows that are not those of the twin, and those that are missing.
std::size_t differences(const Communicator& comm, const DistributedRows& matrix, const Twin& twin) {
  const auto& [partition, rows] = matrix;
  const auto first = partition.first(comm.rank());
  std::size_t wrong = partition.rows() == twin.n ? 0 : 1;
  std::size_t expected = 0;
  for (const auto& [place, value] : twin.entries) {
    expected += place.first >= first && place.first < partition.last(comm.rank()) ? 1 : 0;
  }
  wrong += rows.columns.size() == expected && rows.values.size() == expected ? 0 : 1;
  for (std::size_t i = 0; i < rows.count(); ++i) {
    const auto columns = rows.columns_of(i);
    const auto values = rows.values_of(i);
    for (std::size_t k = 0; k < columns.size(); ++k) {
      wrong += twin.at(first + i, columns[k]) != values[k] ? 1 : 0;
      wrong += k > 0 && columns[k] <= columns[k - 1] ? 1 : 0;
    }
  }
  return wrong;
}

std::string header(const std::string& symmetry, std::uint64_t n, std::size_t entries) {
  return fmt::format("%%MatrixMarket matrix coordinate real {}\n{} {} {}\n", symmetry, n, n,
                     entries);
}

std::string line(std::uint64_t row, std::uint64_t column, double value) {
  return fmt::format("{} {} {}\n", row + 1, column + 1, value);
}

/// The twin as a file, its entries in an order without order.
std::string general_file(const Twin& twin) {
  std::map<std::uint64_t, std::string> lines;
  const Random random(11);
  std::uint64_t index = 0;
  for (const auto& [place, value] : twin.entries)
    lines[random.bits(index++)] = line(place.first, place.second, value);
  std::string text = header("general", twin.n, twin.entries.size());
  for (const auto& [key, entry] : lines) text += entry;
  return text;
}

/// The error of read_matrix(), which has to be an agreed bad_data.
std::string refusal(const Communicator& comm, const std::string& path) {
  try {
    (void)read_matrix(comm, path);
  } catch (const Error& error) {
    if (error.code() == Errc::bad_data && error.agreed()) return error.what();
    return std::string("another error: ") + error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("every rank reads its rows of a general file") {
  const cairn::test::SharedScratch scratch;
  for (const std::uint64_t n : {1, 3, 50}) {
    const auto twin = cg::test::rough_twin(n, 4, n);
    const auto path = scratch.file("general.mtx", general_file(twin));
    const auto& comm = cairn::test::world();
    CHECK(differences(comm, read_matrix(comm, path), twin) == 0);
    barrier(cairn::test::world());
  }
}

TEST_CASE("a symmetric file stands for both triangles; places named twice are added in its order") {
  const cairn::test::SharedScratch scratch;
  auto twin = cg::test::rough_twin(40, 3, 2);
  std::string lines;
  std::size_t count = 0;
  for (auto& [place, value] : twin.entries) {
    const auto [row, column] = place;
    if (column > row) continue;
    // 1e16 + 1 - 1e16 is 0 or 1 or 2, by the order.
    for (const double part : {value, 1e16, 1.0, -1e16}) {
      lines += line(row, column, part);
      ++count;
    }
    value = ((value + 1e16) + 1.0) - 1e16;
    twin.entries[{column, row}] = value;
  }
  const auto path = scratch.file("symmetric.mtx", header("symmetric", 40, count) + lines);
  const auto& comm = cairn::test::world();
  CHECK(differences(comm, read_matrix(comm, path), twin) == 0);
}

TEST_CASE("a general file that is not symmetric is refused wherever the difference is") {
  const auto& world = cairn::test::world();
  const cairn::test::SharedScratch scratch;
  const auto twin = cg::test::rough_twin(30, 3, 5);
  std::size_t number = 0;
  for (const auto& [place, value] : twin.entries) {
    const auto [row, column] = place;
    if (row == column || number++ % 9 != 0) continue;
    auto other = twin;
    other.entries[place] = std::nextafter(value, 10.0);
    auto text = refusal(world, scratch.file("nearly.mtx", general_file(other)));
    CHECK(text.find("not symmetric") != std::string::npos);
    CHECK(text.find(fmt::format("({}, {})", row + 1, column + 1)) != std::string::npos);
    other.entries.erase(place);
    text = refusal(world, scratch.file("half.mtx", general_file(other)));
    CHECK(text.find(fmt::format("entry ({}, {})", row + 1, column + 1)) != std::string::npos);
    CHECK(text.find(" is 0") != std::string::npos);
  }
  CHECK(number > 50);
}

TEST_CASE("a zero that is stored is as good as one that is not") {
  const auto& world = cairn::test::world();
  const cairn::test::SharedScratch scratch;
  const auto path = scratch.file(
      "zero.mtx", header("general", 9, 10) + line(0, 8, 0.0) + [] {
        std::string diagonal;
        for (std::uint64_t i = 0; i < 9; ++i) diagonal += line(i, i, 1.0);
        return diagonal;
      }());
  Twin twin{9, {{{0, 8}, 0.0}}};
  for (std::uint64_t i = 0; i < 9; ++i) twin.entries[{i, i}] = 1.0;
  CHECK(differences(world, read_matrix(world, path), twin) == 0);
}

TEST_CASE("the errors of a file are the same on all ranks, and nobody hangs") {
  const auto& world = cairn::test::world();
  const cairn::test::SharedScratch scratch;
  const auto path = scratch.file("bad.mtx", header("general", 2, 2) + "1 1 1\n2 2 x\n");
  CHECK(refusal(world, path) == path + ", line 4: 'x' is no finite number");
  std::optional<Error> error;
  try {
    (void)read_matrix(world, scratch / "none.mtx");
  } catch (const Error& thrown) {
    error = thrown;
  }
  CHECK(error);
  CHECK((error && error->agreed() && error->code() == Errc::no_input));
}

TEST_CASE("the five-point Laplacian") {
  for (const std::uint64_t n : {1, 2, 3, 10}) {
    Twin twin{n * n, {}};
    for (std::uint64_t a = 0; a < n * n; ++a) {
      for (std::uint64_t b = 0; b < n * n; ++b) {
        const auto distance = std::abs(static_cast<int>(a / n) - static_cast<int>(b / n)) +
                              std::abs(static_cast<int>(a % n) - static_cast<int>(b % n));
        if (distance <= 1) twin.entries[{a, b}] = distance == 0 ? 4.0 : -1.0;
      }
    }
    const auto& comm = cairn::test::world();
    const auto matrix = poisson(comm, n);
    CHECK(differences(comm, matrix, twin) == 0);
    // Dealt as the same matrix from a file would be.
    CHECK(matrix.partition.starts() == cg::test::dealt(comm, twin).partition.starts());
  }
}

TEST_CASE(
    "the fingerprint of a matrix and a vector does not depend on ranks, but on every number") {
  const auto twin = cg::test::rough_twin(60, 3, 9);
  const auto whole = cg::test::rough_vector(60, 4);
  const auto of_matrix = [](const Communicator& comm, const Twin& of) {
    return fingerprint(comm, cg::test::dealt(comm, of));
  };
  const auto of_vector = [&](const Communicator& comm, const std::vector<double>& of) {
    const auto partition = cg::test::dealt(comm, twin).partition;
    return fingerprint(comm, partition.first(comm.rank()),
                       cg::test::part_of(of, partition, comm.rank()));
  };
  const auto self = cairn::test::world().split(cairn::test::world().rank());
  const auto matrix = of_matrix(self, twin);
  const auto vector = of_vector(self, whole);
  auto other = twin;
  auto& changed = other.entries.begin()->second;
  changed = std::nextafter(changed, 1e9);
  auto swapped = whole;
  std::swap(swapped[3], swapped[50]);
  const auto& comm = cairn::test::world();
  CHECK(of_matrix(comm, twin) == matrix);
  CHECK(of_matrix(comm, other) != matrix);
  CHECK(of_vector(comm, whole) == vector);
  CHECK(of_vector(comm, swapped) != vector);
}
