// The node engine against brute-force twins that every rank computes from (rank, index) alone: on
// one node, and with the ranks split into virtual nodes. Values are small integers, so that
// floating-point results are exact whatever the bracketing.

#include "cairn/collectives/node_engine.hpp"

#include <mpi.h>

#include <algorithm>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/core/random.hpp"
#include "mpi_test.hpp"
#include "node_engine_cases.hpp"

using namespace cairn;
using namespace test;

namespace {

template <typename T, typename Combine>
void check_operation(NodeEngine& engine, MPI_Datatype type, MPI_Op operation, Combine combine) {
  const auto& comm = test::world();
  for (const std::size_t n : {std::size_t{3}, std::size_t{9001}}) {
    const auto twin = reduced<T>(comm.size(), n, 0, combine);
    auto data = values<T>(comm.rank(), n);
    CHECK(engine.all_reduce(data.data(), n, type, operation) == expected(engine));
    if (expected(engine)) CHECK(data == twin);
  }
}

/// Sums, products, minima and maxima.
template <typename T>
void check_arithmetic(NodeEngine& engine, MPI_Datatype type) {
  check_operation<T>(engine, type, MPI_SUM, std::plus<>{});
  check_operation<T>(engine, type, MPI_PROD, std::multiplies<>{});
  check_operation<T>(engine, type, MPI_MIN, [](T a, T b) { return std::min(a, b); });
  check_operation<T>(engine, type, MPI_MAX, [](T a, T b) { return std::max(a, b); });
}

template <typename T>
void check_bits(NodeEngine& engine, MPI_Datatype type) {
  check_operation<T>(engine, type, MPI_BAND, [](T a, T b) { return a & b; });
  check_operation<T>(engine, type, MPI_BOR, [](T a, T b) { return a | b; });
  check_operation<T>(engine, type, MPI_BXOR, [](T a, T b) { return a ^ b; });
  check_operation<T>(engine, type, MPI_LAND, [](T a, T b) { return a && b; });
  check_operation<T>(engine, type, MPI_LOR, [](T a, T b) { return a || b; });
  check_operation<T>(engine, type, MPI_LXOR, [](T a, T b) { return !a != !b; });
}

template <typename T>
void check_integer(NodeEngine& engine, MPI_Datatype type) {
  check_arithmetic<T>(engine, type);
  check_bits<T>(engine, type);
}

void check_reductions(NodeEngine& engine, std::size_t n, int root, std::uint64_t call) {
  const auto& comm = test::world();
  const auto twin = reduced(comm.size(), n, call);
  const auto mine = values(comm.rank(), n, call);
  auto data = mine;
  CHECK(engine.all_reduce(data.data(), n, MPI_DOUBLE, MPI_SUM) == expected(engine));
  if (expected(engine)) CHECK(data == twin);

  Doubles out(comm.is_root(root) ? n : 0, -1.0);
  data = mine;
  CHECK(engine.reduce(data.data(), out.data(), n, MPI_DOUBLE, MPI_SUM, root) == expected(engine));
  CHECK(data == mine);
  if (expected(engine) && comm.is_root(root)) CHECK(out == twin);
  CHECK(engine.reduce(data.data(), comm.is_root(root) ? data.data() : nullptr, n, MPI_DOUBLE,
                      MPI_SUM, root) == expected(engine));
  if (expected(engine)) CHECK(data == (comm.is_root(root) ? twin : mine));
}

void check_copies(NodeEngine& engine, int ranks_per_node, std::size_t n, int root,
                  std::uint64_t call) {
  const auto& comm = test::world();
  const auto mine = values(comm.rank(), n, call);
  auto data = mine;
  CHECK(engine.bcast(data.data(), n * sizeof(double), root) == expected(engine));
  CHECK(data == (expected(engine) ? values(root, n, call) : mine));

  Doubles all(n * static_cast<std::size_t>(comm.size()), -1.0);
  CHECK(engine.all_gather(mine.data(), all.data(), n * sizeof(double)) ==
        gathers(engine, ranks_per_node));
  if (!gathers(engine, ranks_per_node)) return;
  Doubles twin;
  for (int r = 0; r < comm.size(); ++r) {
    const auto theirs = values(r, n, call);
    twin.insert(twin.end(), theirs.begin(), theirs.end());
  }
  CHECK(all == twin);
  // In place.
  std::fill(all.begin(), all.end(), -1.0);
  double* const place = all.data() + n * static_cast<std::size_t>(comm.rank());
  std::copy(mine.begin(), mine.end(), place);
  CHECK(engine.all_gather(place, all.data(), n * sizeof(double)));
  CHECK(all == twin);
}

/// Restores the variable at the end of the scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    if (value == nullptr)
      unsetenv(name);
    else
      setenv(name, value, 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (old_)
      setenv(name_, old_->c_str(), 1);
    else
      unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("reductions and copies of every size, on one node and several") {
  for (const int ranks_per_node : layouts) {
    CAPTURE(ranks_per_node);
    auto engine = engine_on(test::world(), ranks_per_node);
    std::uint64_t call = 0;
    for (const auto n : sizes) {
      CAPTURE(n);
      const int root = static_cast<int>(call % static_cast<std::uint64_t>(test::world().size()));
      check_reductions(engine, n, root, call);
      check_copies(engine, ranks_per_node, n, root, call);
      ++call;
    }
  }
}

TEST_CASE("every operation on every type") {
  for (const int ranks_per_node : {0, 2, -2}) {
    CAPTURE(ranks_per_node);
    auto engine = engine_on(test::world(), ranks_per_node);
    check_arithmetic<double>(engine, MPI_DOUBLE);
    check_arithmetic<float>(engine, MPI_FLOAT);
    check_arithmetic<long double>(engine, MPI_LONG_DOUBLE);
    check_integer<std::int8_t>(engine, MPI_INT8_T);
    check_integer<std::int16_t>(engine, MPI_INT16_T);
    check_integer<std::int32_t>(engine, MPI_INT32_T);
    check_integer<std::int64_t>(engine, MPI_INT64_T);
    check_integer<std::uint8_t>(engine, MPI_UINT8_T);
    check_integer<std::uint16_t>(engine, MPI_UINT16_T);
    check_integer<std::uint32_t>(engine, MPI_UINT32_T);
    check_integer<std::uint64_t>(engine, MPI_UINT64_T);
    check_integer<int>(engine, MPI_INT);
    check_integer<long>(engine, MPI_LONG);
    check_integer<unsigned long long>(engine, MPI_UNSIGNED_LONG_LONG);
    check_operation<std::complex<double>>(engine, MPI_CXX_DOUBLE_COMPLEX, MPI_SUM, std::plus<>{});
    check_operation<std::complex<double>>(engine, MPI_CXX_DOUBLE_COMPLEX, MPI_PROD,
                                          std::multiplies<>{});
    check_operation<std::complex<float>>(engine, MPI_CXX_FLOAT_COMPLEX, MPI_SUM, std::plus<>{});
  }
}

TEST_CASE("complex products and wrapping integers") {
  const auto& comm = test::world();
  auto engine = engine_on(comm, 0);
  if (!expected(engine)) return;
  // i to the power p, and i^p times a sign that no real part alone would give.
  std::complex<double> unit(0.0, 1.0);
  CHECK(engine.all_reduce(&unit, 1, MPI_CXX_DOUBLE_COMPLEX, MPI_PROD));
  const std::complex<double> powers[] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  CHECK(unit == powers[comm.size() % 4]);
  std::int32_t large = 0x7fffffff;
  CHECK(engine.all_reduce(&large, 1, MPI_INT32_T, MPI_SUM));
  CHECK(static_cast<std::uint32_t>(large) == 0x7fffffffU * static_cast<std::uint32_t>(comm.size()));
  bool flags[] = {comm.rank() == 0, true};
  CHECK(engine.all_reduce(flags, 2, MPI_CXX_BOOL, MPI_LAND));
  CHECK((!flags[0] && flags[1]));
}

TEST_CASE("what the engine does not know is left to MPI, with nothing done") {
  const auto& comm = test::world();
  auto engine = engine_on(comm, 0);
  struct {
    double value = 3.0;
    int index = 1;
  } pair;
  CHECK(!engine.all_reduce(&pair, 1, MPI_DOUBLE_INT, MPI_MINLOC));
  double x = 3.0;
  CHECK(!engine.all_reduce(&x, 1, MPI_DOUBLE, MPI_BXOR));
  CHECK(!engine.reduce(&x, &x, 1, MPI_DOUBLE, MPI_LAND, 0));
  CHECK(x == 3.0);
  CHECK_THROWS_AS((void)engine.bcast(&x, sizeof x, comm.size()), Error);
  CHECK_THROWS_AS((void)engine.reduce(&x, &x, 1, MPI_DOUBLE, MPI_SUM, -1), Error);
}

TEST_CASE("floating-point sums are bracketed from the left by rank, whatever the size") {
  const auto& comm = test::world();
  auto engine = engine_on(comm, 0);
  if (!expected(engine)) return;
  const auto term = [](int r) { return r % 2 == 0 ? 1e16 : 1.0 + r; };
  double twin = term(0);
  for (int r = 1; r < comm.size(); ++r) twin += term(r);
  for (const std::size_t n : {1, 5, 300, 40000}) {
    Doubles data(n, term(comm.rank()));
    CHECK(engine.all_reduce(data.data(), n, MPI_DOUBLE, MPI_SUM));
    CHECK(data == Doubles(n, twin));
    WindowVector<double> window(engine, n);
    std::fill(window.begin(), window.end(), term(comm.rank()));
    all_reduce(engine, window, MPI_SUM);
    CHECK(Doubles(window.begin(), window.end()) == Doubles(n, twin));
  }
}

TEST_CASE("calls follow each other with changing operations, roots and sizes") {
  const auto& comm = test::world();
  for (const int ranks_per_node : layouts) {
    CAPTURE(ranks_per_node);
    auto engine = engine_on(comm, ranks_per_node);
    if (!expected(engine)) continue;
    const Random random(7, static_cast<std::uint64_t>(ranks_per_node + 16));
    for (std::uint64_t call = 0; call < 300; ++call) {
      const int root =
          static_cast<int>(random.below(3 * call, static_cast<std::uint64_t>(comm.size())));
      const auto shift = random.below(3 * call + 1, 16);
      const auto n =
          static_cast<std::size_t>(random.below(3 * call + 2, std::uint64_t{1} << shift));
      CAPTURE(call);
      CAPTURE(n);
      auto data = values(comm.rank(), n, call);
      switch (call % 5) {
        case 0:
          CHECK(engine.bcast(data.data(), n * sizeof(double), root));
          CHECK(data == values(root, n, call));
          break;
        case 1:
          CHECK(engine.reduce(data.data(), data.data(), n, MPI_DOUBLE, MPI_SUM, root));
          if (comm.is_root(root)) CHECK(data == reduced(comm.size(), n, call));
          break;
        case 2:
          CHECK(engine.barrier());
          break;
        case 3:
          CHECK(engine.all_reduce(data.data(), n, MPI_DOUBLE, MPI_SUM));
          CHECK(data == reduced(comm.size(), n, call));
          break;
        default:
          Doubles all(n * static_cast<std::size_t>(comm.size()));
          CHECK(engine.all_gather(data.data(), all.data(), n * sizeof(double)) ==
                gathers(engine, ranks_per_node));
          if (!gathers(engine, ranks_per_node)) break;
          const auto last = values(comm.size() - 1, n, call);
          CHECK(Doubles(all.end() - static_cast<std::ptrdiff_t>(n), all.end()) == last);
      }
    }
  }
}

TEST_CASE("the engine that is off does nothing, and its windows work") {
  const auto& comm = test::world();
  const Environment variable("CAIRN_NODE_ENGINE", "off");
  NodeEngine engine(comm);
  CHECK(engine.report().mode == NodeEngineMode::off);
  CHECK(!engine.report().available);
  double x = 1.0;
  CHECK(!engine.barrier());
  CHECK(!engine.bcast(&x, sizeof x, 0));
  CHECK(!engine.all_reduce(&x, 1, MPI_DOUBLE, MPI_SUM));
  CHECK(engine.measure().rows.empty());
  WindowVector<double> window(engine, 1000);
  std::fill(window.begin(), window.end(), 1.0);
  all_reduce(engine, window, MPI_SUM);
  CHECK(Doubles(window.begin(), window.end()) == Doubles(1000, comm.size()));
}

TEST_CASE("a window whose bytes no integer holds is out of memory") {
  for (const auto mode : {NodeEngineMode::on, NodeEngineMode::off}) {
    NodeEngine engine(test::world(), {.mode = mode});
    for (const std::size_t n : {(std::size_t{1} << 61U) + 1, SIZE_MAX / 8, SIZE_MAX}) {
      CHECK_THROWS_WITH_AS(WindowVector<double>(engine, n), doctest::Contains("memory"), Error);
    }
    WindowVector<double> x(engine, 1);
    CHECK_THROWS_WITH_AS(
        engine.all_reduce(x.window(), (std::size_t{1} << 61U) + 1, MPI_DOUBLE, MPI_SUM),
        doctest::Contains("a window of at least n elements"), Error);
  }
}

TEST_CASE("a window of an engine that is gone belongs to no later one at its address") {
  std::optional<NodeEngine> engine(std::in_place, test::world());
  WindowVector<double> x(*engine, 100);
  engine.reset();
  NodeEngine later(test::world());
  CHECK_THROWS_WITH_AS(all_reduce(later, x, MPI_SUM), doctest::Contains("a window of this engine"),
                       Error);
}

TEST_CASE("CAIRN_NODE_ENGINE chooses, and a wrong word is everybody's error") {
  const auto& comm = test::world();
  {
    const Environment variable("CAIRN_NODE_ENGINE", "on");
    const NodeEngine engine(comm);
    CHECK(engine.report().mode == NodeEngineMode::on);
    CHECK(engine.chosen(NodeOperation::bcast, 0) == (comm.size() > 1));
    CHECK(engine.chosen(NodeOperation::bcast, std::size_t{1} << 40) == (comm.size() > 1));
  }
  {
    // Rank 0 alone is asked.
    const Environment variable("CAIRN_NODE_ENGINE", comm.is_root() ? "fast" : "on");
    try {
      const NodeEngine engine(comm);
      CHECK(false);
    } catch (const Error& error) {
      CHECK(error.agreed());
      CHECK(error.code() == Errc::usage);
      CHECK(std::string(error.what()).find("'fast'") != std::string::npos);
    }
  }
}

TEST_CASE("the measurement is the same on all ranks, and its choice is what is used") {
  const auto& comm = test::world();
  const Environment variable("CAIRN_NODE_ENGINE", nullptr);
  NodeEngine engine(comm);
  const auto& report = engine.report();
  CHECK(report.mode == NodeEngineMode::automatic);
  CHECK(report.rows.empty() == (comm.size() == 1));
  for (const auto& row : report.rows) {
    CAPTURE(name_of(row.operation));
    CAPTURE(row.bytes);
    CHECK((row.engine_seconds > 0 && row.mpi_seconds > 0));
    CHECK(bcast(comm, row.engine_seconds) == row.engine_seconds);
    CHECK(engine.chosen(row.operation, row.bytes) == row.chosen);
    CHECK(engine.chosen(row.operation, row.bytes * 2) == row.chosen);
    if (report.oversubscribed) {  // more than medians have to be faster
      if (row.chosen) CHECK(row.engine_seconds <= 0.8 * row.mpi_seconds);
    } else {
      CHECK(row.chosen == (row.engine_seconds <= 0.95 * row.mpi_seconds));
    }
  }
  // What was not measured any more is treated like the largest size that was, or left to MPI.
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const auto& row = report.rows[i];
    if (i + 1 < report.rows.size() && report.rows[i + 1].operation == row.operation) continue;
    const bool measured_to_the_end = row.bytes == (std::size_t{1} << 20);
    const bool above = row.chosen && (!report.oversubscribed || measured_to_the_end ||
                                      row.operation == NodeOperation::barrier);
    CHECK(engine.chosen(row.operation, std::size_t{1} << 40) == above);
  }
  const auto measured = engine.measure();
  CHECK(measured.rows.empty() == (comm.size() == 1));
  const auto text = as_text(measured);
  CHECK(text.find("node engine       auto") == 0);
  // On a busy machine the time ends before the last operations.
  for (const auto& row : measured.rows)
    CHECK(text.find(name_of(row.operation)) != std::string::npos);
  CHECK((text.find("not available: no two ranks share a node") != std::string::npos) ==
        (comm.size() == 1));
}
