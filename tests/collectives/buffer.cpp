// What may be a buffer: Eigen matrices and blocks, columns, scalars, vectors that are moved in,
// grown or made; and which types travel.

#include "cairn/collectives/buffer.hpp"

#include <Eigen/Dense>
#include <array>
#include <complex>
#include <cstdint>
#include <string>
#include <vector>

#include "cairn/collectives/async.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/fresh.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"
#include "ways.hpp"

using namespace cairn;

namespace {

enum class Colour : std::uint8_t { red, green };

struct Spin {
  double value;
  bool up;
  bool operator==(const Spin&) const = default;
};
struct Particle {
  std::array<double, 3> position;
  std::int32_t charge;  // four bytes of padding behind it
  Spin spin;
  Colour colour;
  bool operator==(const Particle&) const = default;
};
struct Forgotten {
  Forgotten(double first, double second) : a(first), b(second) {}  // not an aggregate
  double a;
  double b;
};

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

template <>
inline constexpr auto cairn::members_of<Spin> = cairn::Members<&Spin::value, &Spin::up>{};
template <>
inline constexpr auto cairn::members_of<Particle> =
    cairn::Members<&Particle::colour, &Particle::position, &Particle::charge, &Particle::spin>{};
template <>
inline constexpr auto cairn::members_of<Forgotten> = cairn::Members<&Forgotten::b>{};

static_assert(Element<Particle> && Element<Colour> && Element<std::byte> &&
              Element<std::complex<float>>);
static_assert(Element<std::array<std::array<int, 2>, 3>> && Element<std::complex<long double>>);
static_assert(!Element<std::string> && !Element<int*> && !Element<std::vector<int>>);
static_assert(!Element<std::array<int*, 2>> && !Element<std::span<int>>);

TEST_CASE("structs, arrays, enums and complex numbers travel") {
  const auto& comm = test::world();
  const int last = comm.size() - 1;
  const auto particle = [](int i) {
    const auto x = static_cast<double>(i);
    return Particle{
        {x, x + 0.5, -x}, i, {x / 3, i % 2 == 0}, i % 2 == 0 ? Colour::red : Colour::green};
  };
  std::vector<Particle> particles(3);
  if (comm.is_root(last)) particles = {particle(1), particle(2), particle(3)};
  bcast(comm, particles, last);
  CHECK(particles == std::vector<Particle>{particle(1), particle(2), particle(3)});
  CHECK(bcast(comm, particle(comm.rank()), last) == particle(last));

  const auto all = all_gather(comm, std::complex<double>(comm.rank(), 1), fresh);
  for (int r = 0; r < comm.size(); ++r) {
    CHECK(all[static_cast<std::size_t>(r)] == std::complex<double>(r, 1));
  }
  CHECK(all_reduce(comm, std::complex<double>(1, 2)) ==
        std::complex<double>(comm.size(), 2 * comm.size()));
  CHECK(bcast(comm, comm.is_root() ? Colour::green : Colour::red) == Colour::green);
  std::vector<std::array<int, 2>> pairs{{comm.rank(), 5}};
  const auto gathered = all_gather(comm, pairs, fresh);
  CHECK(gathered.back() == std::array<int, 2>{last, 5});
  MPI_Aint lower = 0;
  MPI_Aint extent = 0;
  MPI_Type_get_extent(datatype_of<Particle>(), &lower, &extent);
  CHECK(extent == MPI_Aint{sizeof(Particle)});
}

TEST_CASE("a member that is left out is found") {
  CHECK_THROWS_WITH_AS((void)datatype_of<Forgotten>(), doctest::Contains("leaves out a member"),
                       Error);
}

TEST_CASE("Eigen matrices and blocks travel without a copy") {
  const auto& comm = test::world();
  const int last = comm.size() - 1;
  Eigen::MatrixXd whole = Eigen::MatrixXd::Constant(4, 3, comm.rank());
  bcast(comm, whole, last);
  CHECK(whole == Eigen::MatrixXd::Constant(4, 3, last));

  // A block of 2 × 2 in a column-major and in a row-major matrix, and a row of a column-major one.
  const auto check_part = [&](auto matrix, auto part_of) {
    matrix.setZero();
    auto&& part = part_of(matrix);
    part.setConstant(comm.rank() + 1);
    test::in_every_way(
        comm, [&] { part.setConstant(comm.rank() + 1); },
        [&](const auto& way) { return bcast(way, part, last); },
        [&] {
          CHECK((part.array() == last + 1).all());
          CHECK(matrix.sum() == (last + 1) * part.size());  // nothing around it was touched
        });
  };
  check_part(Eigen::MatrixXd(5, 4), [](auto& m) { return m.block(1, 1, 2, 2); });
  check_part(RowMajor(5, 4), [](auto& m) { return m.block(1, 1, 2, 2); });
  check_part(Eigen::MatrixXd(5, 4), [](auto& m) { return m.row(2); });
  check_part(RowMajor(5, 4), [](auto& m) { return m.col(2); });
  check_part(Eigen::MatrixXd(5, 4), [](auto& m) { return m.col(2); });

  // The elements of a block arrive one behind the other where the receiver has them so.
  Eigen::MatrixXd m = Eigen::MatrixXd::Zero(4, 4);
  m.block(1, 2, 2, 2) << comm.rank(), 10, 20, 30;
  const auto all = all_gather(comm, m.block(1, 2, 2, 2), fresh);
  for (int r = 0; r < comm.size(); ++r) {
    const auto at = 4 * static_cast<std::size_t>(r);
    CHECK(std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(at),
                              all.begin() + static_cast<std::ptrdiff_t>(at) + 4) ==
          std::vector<double>{static_cast<double>(r), 20, 10, 30});
  }
  CHECK_THROWS_WITH_AS(all_reduce(comm, m.row(0)), doctest::Contains("one behind the other"),
                       Error);
  Eigen::VectorXd v = Eigen::VectorXd::Constant(3, 1);
  all_reduce(comm, v);
  CHECK(v == Eigen::VectorXd::Constant(3, comm.size()));
}

TEST_CASE("a strided column travels without a copy") {
  const auto& comm = test::world();
  constexpr std::size_t columns = 3;
  std::vector<int> table(4 * columns, 0);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<int>(i);
  const auto column = strided(std::span<int>(table).subspan(1), columns);
  CHECK(column.count() == 4);
  const int right = (comm.rank() + 1) % comm.size();
  const int left = (comm.rank() + comm.size() - 1) % comm.size();
  std::vector<int> got(4);
  CHECK(send_receive(comm, column, right, got, left).count == 4);
  CHECK(got == std::vector<int>{1, 4, 7, 10});
  std::vector<int> other(table.size(), -1);
  CHECK(send_receive(comm, got, right, strided(std::span<int>(other), columns), left).count == 4);
  CHECK(other == std::vector<int>{1, -1, -1, 4, -1, -1, 7, -1, -1, 10, -1, -1});
  CHECK_THROWS_AS((void)strided(std::span<int>(table), 0), Error);
}

TEST_CASE("vectors that are moved in come back; into() reuses memory; fresh makes a vector") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  std::vector<int> mine{comm.rank(), 7};
  std::vector<int> big;
  big.reserve(1000);
  const int* memory = big.data();
  all_gather(comm, mine, into(big));
  CHECK(big.size() == 2 * p);
  CHECK(big.data() == memory);
  big.assign(1000, -1);  // larger than what comes
  all_gather(comm, mine, into(big));
  CHECK(big.size() == 2 * p);
  CHECK(big.data() == memory);
  CHECK(all_gather(comm, mine, fresh) == big);

  std::vector<int> ones(5, 1);
  memory = ones.data();
  const std::vector<int> sums = all_reduce(comm, std::move(ones));
  CHECK(sums == std::vector<int>(5, comm.size()));
  CHECK(sums.data() == memory);

  auto future = all_reduce(async(comm), std::vector<int>(5, 2));
  CHECK(future.wait() == std::vector<int>(5, 2 * comm.size()));
  auto scalar = all_reduce(async(comm), 2.5, Maximum{});
  CHECK(scalar.wait() == 2.5);
  auto gathered = all_gather(async(comm), std::vector<int>{comm.rank(), 7}, fresh);
  CHECK(gathered.wait() == big);
  auto plan_of_fresh = all_gather(plan(comm), mine, fresh);
  for (int start = 0; start < 3; ++start) {
    mine[1] = start;
    plan_of_fresh.start();
    plan_of_fresh.wait();
    CHECK(plan_of_fresh.result()[2 * p - 2] == comm.size() - 1);
    CHECK(plan_of_fresh.result()[2 * p - 1] == start);
  }
  int native[3] = {comm.rank(), 1, 2};
  all_reduce(comm, native);
  CHECK(native[1] == comm.size());
}

TEST_CASE("a future of a receive says what came; probe knows the size before") {
  const auto& comm = test::world();
  const int right = (comm.rank() + 1) % comm.size();
  const int left = (comm.rank() + comm.size() - 1) % comm.size();
  std::vector<double> out(static_cast<std::size_t>(comm.rank()) + 1, comm.rank());
  std::vector<double> in(20);
  for (const std::size_t limit : {detail::max_count, std::size_t{2}}) {
    const test::LowerLimit lowered(limit);
    auto incoming = receive(async(comm), in, MPI_ANY_SOURCE, 9);
    auto outgoing = send(async(comm), out, right, 9);
    const Received got = incoming.wait();
    outgoing.wait();
    CHECK(got.source == left);
    CHECK(got.tag == 9);
    CHECK(got.count == static_cast<std::size_t>(left) + 1);
    CHECK(in[0] == left);
  }
  auto outgoing = send(async(comm), out, right, 10);
  Message message = probe(comm, left, MPI_ANY_TAG);
  CHECK(message.count<double>() == static_cast<std::size_t>(left) + 1);
  std::vector<double> exact(message.count<double>());
  CHECK(message.receive(exact).tag == 10);
  CHECK(exact == std::vector<double>(static_cast<std::size_t>(left) + 1, left));
  outgoing.wait();
  CHECK_FALSE(has_message(comm, MPI_ANY_SOURCE, MPI_ANY_TAG));
}
