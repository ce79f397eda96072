// The node engine against brute-force twins that every rank computes from (rank, index) alone: on
// one node, and with the ranks split into virtual nodes. Values are small integers, so that
// floating-point results are exact whatever the bracketing.

#include "cairn/collectives/node_engine.hpp"

#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/core/random.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

using Doubles = std::vector<double>;

/// One node, and virtual nodes of 1, 2 and 3 ranks.
constexpr int layouts[] = {0, 1, 2, 3};

/// In elements of 8 bytes: nothing, one, odd, up to and beyond what is reduced at once (2 KiB), one
/// chunk (16 KiB) and several, beyond all slots (512 KiB), beyond a piece over nodes (1 MiB).
constexpr std::size_t sizes[] = {0,    1,    7,    256,   257,   2047,  2048,
                                 2049, 4097, 8191, 12289, 65537, 140001};

NodeEngine engine_on(const Communicator& comm, int ranks_per_node) {
  return NodeEngine(comm, {.mode = NodeEngineMode::on, .ranks_per_node = ranks_per_node});
}

/// An engine that is on says no only where no two ranks share a node.
bool expected(const NodeEngine& engine) { return engine.report().ranks_per_node > 1; }

/// Between 1 and 3, so that products stay exact for seven ranks.
double value(int rank, std::size_t i, std::uint64_t call = 0) {
  return static_cast<double>((static_cast<std::size_t>(rank) * 5 + i * 7 + call * 11) % 3 + 1);
}

template <typename T>
T as(double x) {
  if constexpr (requires { typename T::value_type; }) {
    return T(static_cast<typename T::value_type>(x));
  } else {
    return static_cast<T>(x);
  }
}

template <typename T = double>
std::vector<T> values(int rank, std::size_t n, std::uint64_t call = 0) {
  std::vector<T> result(n);
  for (std::size_t i = 0; i < n; ++i) result[i] = as<T>(value(rank, i, call));
  return result;
}

template <typename T = double, typename Combine = std::plus<>>
std::vector<T> reduced(int ranks, std::size_t n, std::uint64_t call = 0, Combine combine = {}) {
  auto result = values<T>(0, n, call);
  for (int r = 1; r < ranks; ++r) {
    const auto theirs = values<T>(r, n, call);
    for (std::size_t i = 0; i < n; ++i) result[i] = static_cast<T>(combine(result[i], theirs[i]));
  }
  return result;
}

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

void check_copies(NodeEngine& engine, std::size_t n, int root, std::uint64_t call) {
  const auto& comm = test::world();
  const auto mine = values(comm.rank(), n, call);
  auto data = mine;
  CHECK(engine.bcast(data.data(), n * sizeof(double), root) == expected(engine));
  CHECK(data == (expected(engine) ? values(root, n, call) : mine));

  Doubles all(n * static_cast<std::size_t>(comm.size()), -1.0);
  CHECK(engine.all_gather(mine.data(), all.data(), n * sizeof(double)) == expected(engine));
  if (!expected(engine)) return;
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
      check_copies(engine, n, root, call);
      ++call;
    }
  }
}

TEST_CASE("every operation on every type") {
  for (const int ranks_per_node : {0, 2}) {
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
    const Random random(7, static_cast<std::uint64_t>(ranks_per_node));
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
          CHECK(engine.all_gather(data.data(), all.data(), n * sizeof(double)));
          const auto last = values(comm.size() - 1, n, call);
          CHECK(Doubles(all.end() - static_cast<std::ptrdiff_t>(n), all.end()) == last);
      }
    }
  }
}

TEST_CASE("no rank leaves a barrier before the last has come") {
  const auto& comm = test::world();
  // A number on rank 0 that all ranks of this machine see.
  std::uint64_t* arrived = nullptr;
  MPI_Win shared = MPI_WIN_NULL;
  MPI_Win_allocate_shared(comm.is_root() ? sizeof(std::uint64_t) : 0, 8, MPI_INFO_NULL,
                          comm.native(), static_cast<void*>(&arrived), &shared);
  MPI_Aint bytes = 0;
  int unit = 0;
  MPI_Win_shared_query(shared, 0, &bytes, &unit, static_cast<void*>(&arrived));
  const std::atomic_ref<std::uint64_t> last(*arrived);
  if (comm.is_root()) last.store(0);
  barrier(comm);
  std::uint64_t call = 0;
  for (const int ranks_per_node : layouts) {
    auto engine = engine_on(comm, ranks_per_node);
    if (!expected(engine)) continue;
    for (int round = 0; round < 40; ++round) {
      ++call;
      // Each in turn comes late.
      if (comm.is_root(round % comm.size())) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        last.store(call, std::memory_order_relaxed);
      }
      CHECK(engine.barrier());
      CHECK(last.load(std::memory_order_relaxed) == call);
      CHECK(engine.barrier());
    }
  }
  MPI_Win_free(&shared);
}

TEST_CASE("a rank that waits in the engine lets MPI finish its pending sends") {
  const auto& comm = test::world();
  auto engine = engine_on(comm, 0);
  if (!expected(engine)) return;
  // Rank 0 sends by rendezvous and comes to the engine at once; the others come only when they have
  // received, which needs MPI's progress on rank 0.
  const Doubles message(300000, 2.0);
  const int count = static_cast<int>(message.size());
  for (int round = 0; round < 3; ++round) {
    std::vector<MPI_Request> requests;
    if (comm.is_root()) {
      for (int r = 1; r < comm.size(); ++r)
        MPI_Isend(message.data(), count, MPI_DOUBLE, r, 5, comm.native(), &requests.emplace_back());
    } else {
      Doubles in(message.size());
      MPI_Recv(in.data(), count, MPI_DOUBLE, 0, 5, comm.native(), MPI_STATUS_IGNORE);
      CHECK(in == message);
    }
    double one = 1.0;
    if (round == 0) CHECK(engine.barrier());
    if (round == 1) CHECK(engine.all_reduce(&one, 1, MPI_DOUBLE, MPI_SUM));
    // A root of a bcast does not wait; a reader does.
    if (round == 2) CHECK(engine.bcast(&one, sizeof one, comm.size() - 1));
    MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
  }
}

TEST_CASE("engine and MPI traffic take turns on the same ranks") {
  const auto& comm = test::world();
  auto engine = engine_on(comm, 2);
  const int next = (comm.rank() + 1) % comm.size();
  const int previous = (comm.rank() + comm.size() - 1) % comm.size();
  for (std::uint64_t call = 0; call < 40; ++call) {
    const std::size_t n = 1 + 997 * static_cast<std::size_t>(call);
    Doubles sum = values(comm.rank(), n, call);
    int token = comm.rank();
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Isend(&token, 1, MPI_INT, next, 9, comm.native(), &request);
    if (engine.all_reduce(sum.data(), n, MPI_DOUBLE, MPI_SUM))
      CHECK(sum == reduced(comm.size(), n, call));
    int got = -1;
    MPI_Recv(&got, 1, MPI_INT, previous, 9, comm.native(), MPI_STATUS_IGNORE);
    CHECK(got == previous);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK(all_reduce(comm, 1) == comm.size());
  }
}

TEST_CASE("several engines live at once, on parts of the ranks too, and are moved") {
  const auto& comm = test::world();
  const auto half = comm.split(comm.rank() % 2);
  std::vector<NodeEngine> engines;
  engines.push_back(engine_on(comm, 0));
  engines.push_back(engine_on(half, 0));
  engines.push_back(engine_on(half, 2));
  engines.push_back(engine_on(comm, 3));
  for (int call = 0; call < 20; ++call) {
    for (auto& engine : engines) {
      std::vector<std::int64_t> ones(5000, 1);
      const bool taken = engine.all_reduce(ones.data(), ones.size(), MPI_INT64_T, MPI_SUM);
      CHECK(taken == expected(engine));
      if (taken) CHECK(ones == std::vector<std::int64_t>(5000, engine.report().ranks));
    }
  }
  // In another order than they were made.
  engines.erase(engines.begin());
  std::swap(engines.front(), engines.back());
  if (expected(engines.front())) CHECK(engines.front().barrier());
}

TEST_CASE("window vectors are reduced in place") {
  const auto& comm = test::world();
  for (const int ranks_per_node : layouts) {
    CAPTURE(ranks_per_node);
    auto engine = engine_on(comm, ranks_per_node);
    for (const auto n : sizes) {
      CAPTURE(n);
      WindowVector<double> x(engine, n);
      WindowVector<double> untouched(engine, n);
      CHECK(std::count(x.begin(), x.end(), 0.0) == static_cast<std::ptrdiff_t>(n));
      for (std::uint64_t call = 0; call < 3; ++call) {
        const auto mine = values(comm.rank(), n, call);
        std::copy(mine.begin(), mine.end(), x.begin());
        all_reduce(engine, x, MPI_SUM);
        CHECK(Doubles(x.begin(), x.end()) == reduced(comm.size(), n, call));
      }
      CHECK(std::count(untouched.begin(), untouched.end(), 0.0) == static_cast<std::ptrdiff_t>(n));
    }
    // By MPI, since the engine does not know it.
    WindowVector<double> x(engine, 4);
    CHECK_THROWS_AS(engine.all_reduce(x.window(), 5, MPI_DOUBLE, MPI_SUM), Error);
    auto other = engine_on(comm, ranks_per_node);
    CHECK_THROWS_AS(other.all_reduce(x.window(), 4, MPI_DOUBLE, MPI_SUM), Error);
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
    const double limit = report.oversubscribed ? 0.8 : 0.95;
    CHECK(row.chosen == (row.engine_seconds <= limit * row.mpi_seconds));
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
  CHECK(engine.measure().rows.empty() == (comm.size() == 1));
  const auto text = as_text(engine.measure());
  CHECK(text.find("node engine       auto") == 0);
  CHECK((text.find("all_reduce, window") == std::string::npos) == (comm.size() == 1));
  CHECK((text.find("not available: no two ranks share a node") != std::string::npos) ==
        (comm.size() == 1));
}

TEST_CASE("shared memory has no name that could stay behind") {
  const auto names = [] {
    std::vector<std::string> list;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      const auto name = entry.path().filename().string();
      if (name.find("cairn") != std::string::npos) list.push_back(name);
    }
    return list;
  };
  const auto engine = engine_on(test::world(), 0);
  CHECK(names().empty());
}

namespace {

/// Destroyed after main's Runtime has called MPI_Finalize, as static objects are; valgrind.supp
/// knows this name.
template <int ranks_per_node>
[[gnu::noinline]] NodeEngine& engine_that_outlives_mpi() {
  static std::optional<NodeEngine> engine;
  engine.emplace(engine_on(test::world(), ranks_per_node));
  return *engine;
}

}  // namespace

TEST_CASE("engines and windows may outlive MPI") {
  auto& engine = engine_that_outlives_mpi<2>();
  static std::optional<WindowVector<double>> window;
  window.emplace(engine, 1000);
  (void)engine_that_outlives_mpi<0>();
  std::fill(window->begin(), window->end(), 1.0);
  all_reduce(engine, *window, MPI_SUM);
  CHECK((*window)[999] == test::world().size());
}
