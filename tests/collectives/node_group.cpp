// What the ranks of a node do in shared memory, against twins: two ranks that swap boxes in an
// all_reduce, whatever came before in the same memory, and a rank that is a ring ahead of another.
// Where the cores lie does not matter here: how ranks write is set, not chosen.

#include "node_group.hpp"

#include <mpi.h>
#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <complex>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "cairn/core/random.hpp"
#include "mpi_test.hpp"
#include "node_engine_cases.hpp"
#include "patience.hpp"
#include "reduction_kernels.hpp"

using namespace cairn;
using namespace test;
using detail::NodeGroup;
using Stores = NodeGroup::Stores;

namespace {

constexpr unsigned polls = 1000;  // as where each rank has a core

template <typename T>
std::byte* bytes_of(std::vector<T>& values) {
  return reinterpret_cast<std::byte*>(values.data());
}

auto group_of_world(unsigned most_polls = polls) {
  auto group = NodeGroup::make(world(), detail::Patience(world().native(), most_polls));
  REQUIRE(group.has_value());
  return *std::move(group);
}

template <typename T, typename Combine>
void check_all_reduce(NodeGroup& group, std::size_t n, MPI_Datatype type, MPI_Op operation,
                      std::uint64_t call, bool in_place, Combine combine) {
  const auto twin = reduced<T>(world().size(), n, call, combine);
  auto data = values<T>(world().rank(), n, call);
  const auto before = data;
  std::vector<T> out(in_place ? 0 : n);
  auto& result = in_place ? data : out;
  group.all_reduce(bytes_of(data), bytes_of(result), n, detail::reduction_of(type, operation));
  CHECK(result == twin);
  if (!in_place) CHECK(data == before);
}

void spin(std::chrono::nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// Stops this process for 50 µs once in 0.5 ms, wherever it is.
class Stops {
 public:
  Stops() {
    std::signal(SIGALRM, [](int) { spin(std::chrono::microseconds(50)); });
    set(500);
  }
  Stops(const Stops&) = delete;
  Stops& operator=(const Stops&) = delete;
  ~Stops() {
    set(0);
    std::signal(SIGALRM, SIG_IGN);
  }

 private:
  static void set(suseconds_t microseconds) {
    const itimerval timer{{0, microseconds}, {0, microseconds}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
  }
};

}  // namespace

TEST_CASE("every size, in place and not") {
  auto group = group_of_world();
  std::uint64_t call = 0;
  // Around a box of 32 and of 64 KiB and around 512 KiB, where it changes.
  std::vector<std::size_t> lengths(std::begin(sizes), std::end(sizes));
  for (const std::size_t box : {4096U, 8192U, 65536U, 131072U}) {
    for (const std::size_t n : {box - 1, box, box + 1, box + 7}) lengths.push_back(n);
  }
  for (const auto n : lengths) {
    for (const bool in_place : {true, false})
      check_all_reduce<double>(group, n, MPI_DOUBLE, MPI_SUM, ++call, in_place, std::plus<>{});
  }
}

TEST_CASE("elements of every width, and an operation that asks whose value is the left one") {
  auto group = group_of_world();
  constexpr std::size_t n = 70001;
  check_all_reduce<std::int8_t>(group, n, MPI_INT8_T, MPI_MAX, 1, true,
                                [](auto a, auto b) { return std::max(a, b); });
  check_all_reduce<std::int16_t>(group, n, MPI_INT16_T, MPI_SUM, 2, true, std::plus<>{});
  check_all_reduce<float>(group, n, MPI_FLOAT, MPI_PROD, 3, false, std::multiplies<>{});
  check_all_reduce<std::complex<double>>(group, n, MPI_CXX_DOUBLE_COMPLEX, MPI_SUM, 4, true,
                                         std::plus<>{});
  check_all_reduce<long double>(group, n, MPI_LONG_DOUBLE, MPI_MIN, 5, true,
                                [](auto a, auto b) { return std::min(a, b); });
  // A comparison with a NaN keeps the value of the lower rank.
  Doubles data(n, world().is_root() ? 1.0 : std::numeric_limits<double>::quiet_NaN());
  group.all_reduce(bytes_of(data), bytes_of(data), n, detail::reduction_of(MPI_DOUBLE, MPI_MAX));
  CHECK(std::all_of(data.begin(), data.end(), [](double x) { return x == 1.0; }));
}

TEST_CASE("swaps between all that uses the same memory, and after a change of the stores") {
  for (const unsigned most_polls : {polls, 0U}) {
    auto group = group_of_world(most_polls);
    const Random random(11, most_polls);
    auto below = [&, draw = std::uint64_t{0}](std::uint64_t bound) mutable {
      return random.below(draw++, bound);  // the same on all ranks
    };
    for (std::uint64_t call = 0; call < 300; ++call) {
      const auto n = static_cast<std::size_t>(below(50000));
      switch (below(6)) {
        case 0: {
          const int root = static_cast<int>(below(static_cast<std::uint64_t>(world().size())));
          auto data = values(world().rank(), n, call);
          group.bcast(bytes_of(data), n * sizeof(double), root);
          CHECK(data == values(root, n, call));
          break;
        }
        case 1: {
          auto data = values(world().rank(), n, call);
          Doubles out(n);
          group.reduce(bytes_of(data), bytes_of(out), n, detail::reduction_of(MPI_DOUBLE, MPI_SUM),
                       0);
          if (world().is_root()) CHECK(out == reduced(world().size(), n, call));
          break;
        }
        case 2:
          group.set_stores(below(2) == 0 ? Stores::cached : Stores::streaming);
          group.barrier();
          break;
        default:
          check_all_reduce<double>(group, n, MPI_DOUBLE, MPI_SUM, call, below(2) == 0,
                                   std::plus<>{});
      }
    }
  }
}

TEST_CASE("a rank that waits for free slots sends its values before it takes the others'") {
  // Rank 0 comes to the sum when the others have yet to read all slots; stopped between its looks
  // at their flags it finds no slot free and yet their values there. It must not reduce in place
  // what it has still to send.
  auto group = group_of_world();
  const auto sum = detail::reduction_of(MPI_INT64_T, MPI_SUM);
  const std::int64_t ranks = world().size();
  int wrong = 0;
  {
    std::optional<Stops> stops;
    if (world().is_root()) stops.emplace();
    for (int call = 0; call < 10000; ++call) {
      if (!world().is_root()) spin(std::chrono::microseconds(10));
      std::int64_t value = call;
      auto* const data = reinterpret_cast<std::byte*>(&value);
      for (int i = 0; i < 8; ++i) group.bcast(data, sizeof value, 0);
      value = world().rank() + 1;
      group.all_reduce(data, data, 1, sum);
      if (value != ranks * (ranks + 1) / 2) ++wrong;
    }
  }
  CHECK(wrong == 0);
}
