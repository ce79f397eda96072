// Exchanges of unknown counts against brute-force twins that every rank computes from (seed, trial,
// ranks) alone.

#include "cairn/collectives/unknown_counts.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"
#include "count_limit.hpp"
#include "mpi_test.hpp"

using namespace cairn;

/// Without padding: what nobody has written would be sent with it, which memcheck would report.
struct alignas(256) Line {
  int value = 0;
  std::array<int, 63> rest{};
};

template <>
inline constexpr auto cairn::members_of<Line> = cairn::Members<&Line::value, &Line::rest>{};

namespace {

/// Sizes below, at and above what travels short, and far above.
enum class Sizes { tiny, around_short, mixed, skewed };
constexpr Sizes all_sizes[] = {Sizes::tiny, Sizes::around_short, Sizes::mixed, Sizes::skewed};

std::uint64_t pair_index(int from, int to) {
  return static_cast<std::uint64_t>(from) * 1000 + static_cast<std::uint64_t>(to);
}

/// Elements of T that `from` sends to `to` in `trial`.
template <typename T>
std::size_t count_of(Sizes sizes, int from, int to, std::uint64_t trial) {
  const Random random(17, trial);
  const std::uint64_t i = pair_index(from, to);
  const std::size_t most = detail::short_bytes(test::world().size()) / sizeof(T);
  switch (sizes) {
    case Sizes::tiny:
      return random.below(i, 4);
    case Sizes::around_short:
      return most - 2 + random.below(i, 5);
    case Sizes::mixed:
      return random.below(i, 3) == 0 ? random.below(i + 500, 20000) : random.below(i + 500, 100);
    default: {
      const auto chosen = static_cast<int>(trial) % test::world().size();
      return from == chosen ? 30000 + random.below(i, 100) : 0;
    }
  }
}

/// Ten values in a row, from anywhere in a part, tell where they are from.
template <typename T>
std::vector<T> values_of(Sizes sizes, int from, int to, std::uint64_t trial) {
  const std::uint64_t first = Random(18, trial * 7919 + pair_index(from, to)).bits(0);
  const std::uint64_t step = first | 1;
  std::vector<T> values(count_of<T>(sizes, from, to, trial));
  for (std::size_t k = 0; k < values.size(); ++k) {
    values[k] = static_cast<T>(static_cast<unsigned char>((first + k * k * step) >> 57));
  }
  return values;
}

template <typename T>
bool equal(std::span<const T> a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

/// A Parts is what these parts are, all ways of reading it.
template <typename T, typename PartFor>
void check_parts(const Parts<T>& parts, const PartFor& part_for) {
  CHECK(parts.size() == static_cast<std::size_t>(test::world().size()));
  std::vector<T> all;
  bool parts_are_right = true;
  bool places_are_right = true;
  for (int r = 0; r < test::world().size(); ++r) {
    const auto expected = part_for(r);
    const auto i = static_cast<std::size_t>(r);
    places_are_right &= parts.offset(i) == all.size() && parts.count(i) == expected.size();
    parts_are_right &= equal(parts.part(i), expected);
    all.insert(all.end(), expected.begin(), expected.end());
  }
  CHECK(parts_are_right);
  CHECK(places_are_right);
  CHECK(equal(parts.values(), all));
}

/// Ranks come late, each in its own way.
void dawdle(std::uint64_t trial) {
  const Random random(19, trial);
  const auto microseconds = random.below(static_cast<std::uint64_t>(test::world().rank()), 300);
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

template <typename T>
void check_all_gather(Sizes sizes, std::uint64_t trial, Parts<T>& out) {
  const auto& comm = test::world();
  const auto in = values_of<T>(sizes, comm.rank(), 0, trial);
  all_gather_v(comm, std::span<const T>(in), out);
  check_parts(out, [&](int r) { return values_of<T>(sizes, r, 0, trial); });
}

template <typename T>
void check_gather(Sizes sizes, std::uint64_t trial, Parts<T>& out) {
  const auto& comm = test::world();
  const int root = static_cast<int>(trial * 5 + 1) % comm.size();
  const auto in = values_of<T>(sizes, comm.rank(), 0, trial);
  Parts<T> nothing;
  gather_v(comm, std::span<const T>(in), comm.is_root(root) ? out : nothing, root);
  CHECK((comm.is_root(root) || nothing.size() == 0));
  if (comm.is_root(root)) {
    check_parts(out, [&](int r) { return values_of<T>(sizes, r, 0, trial); });
  }
}

template <typename T>
void check_all_to_all(Sizes sizes, std::uint64_t trial, Parts<T>& out) {
  const auto& comm = test::world();
  std::vector<std::size_t> counts;
  std::vector<T> all;
  for (int to = 0; to < comm.size(); ++to) {
    const auto values = values_of<T>(sizes, comm.rank(), to, trial);
    counts.push_back(values.size());
    all.insert(all.end(), values.begin(), values.end());
  }
  const auto expected = [&](int from) { return values_of<T>(sizes, from, comm.rank(), trial); };
  all_to_all_v(comm, std::span<const T>(all), counts, out);
  check_parts(out, expected);
  Parts<T> in{std::span<const std::size_t>(counts)};
  std::copy(all.begin(), all.end(), in.values().begin());
  all_to_all_v(comm, in, out);
  check_parts(out, expected);
}

template <typename T>
void check_bcast(Sizes sizes, std::uint64_t trial, std::vector<T>& data) {
  const auto& comm = test::world();
  const int root = static_cast<int>(trial * 3 + 2) % comm.size();
  const auto expected = values_of<T>(sizes, root, 0, trial);
  if (comm.is_root(root)) data = expected;
  bcast(comm, into(data), root);
  CHECK(data == expected);
  std::string text(comm.is_root(root) ? expected.size() : 5, static_cast<char>('a' + comm.rank()));
  bcast(comm, into(text), root);
  CHECK(text == std::string(expected.size(), static_cast<char>('a' + root)));
}

/// Every call, so that their messages would meet if they could.
template <typename T>
void check_all(Sizes sizes, std::uint64_t first_trial, std::uint64_t trials) {
  Parts<T> gathered;
  Parts<T> at_root;
  Parts<T> exchanged;
  std::vector<T> data;
  for (std::uint64_t trial = first_trial; trial < first_trial + trials; ++trial) {
    CAPTURE(trial);
    dawdle(trial);
    check_all_gather(sizes, trial, gathered);
    check_gather(sizes, trial, at_root);
    check_all_to_all(sizes, trial, exchanged);
    check_bcast(sizes, trial, data);
  }
}

}  // namespace

TEST_CASE("unknown counts: parts of any size arrive") {
  for (const auto sizes : all_sizes) check_all<std::int64_t>(sizes, 0, 12);
  for (const auto sizes : all_sizes) check_all<char>(sizes, 100, 4);
  for (const auto sizes : all_sizes) check_all<std::complex<double>>(sizes, 200, 4);
}

TEST_CASE("unknown counts: sizes that change from call to call") {
  for (std::uint64_t trial = 0; trial < 24; ++trial) {
    check_all<std::int32_t>(all_sizes[Random(20).below(trial, 4)], 300 + trial, 1);
  }
}

TEST_CASE("unknown counts: more than MPI's int counts") {
  for (const std::size_t limit : {1, 5, 1000}) {
    const test::CountLimit scope(limit);
    CAPTURE(limit);
    for (const auto sizes : {Sizes::tiny, Sizes::around_short}) {
      check_all<std::int64_t>(sizes, 400, 3);
    }
    if (limit == 1000) check_all<char>(Sizes::mixed, 500, 3);
    if (limit == 1000) check_all<std::int64_t>(Sizes::skewed, 500, 3);
  }
}

TEST_CASE("unknown counts: nothing from anybody") {
  const auto& comm = test::world();
  Parts<double> out;
  for (int i = 0; i < 3; ++i) {
    all_gather_v(comm, std::span<const double>(), out);
    check_parts(out, [](int) { return std::vector<double>(); });
    gather_v(comm, std::span<const double>(), out);
    const std::vector<std::size_t> none(static_cast<std::size_t>(comm.size()), 0);
    all_to_all_v(comm, std::span<const double>(), none, out);
    check_parts(out, [](int) { return std::vector<double>(); });
    std::vector<double> data(comm.is_root() ? 0 : 3);
    bcast(comm, into(data));
    CHECK(data.empty());
  }
}

TEST_CASE("unknown counts: back to back, ranks running ahead of each other") {
  const auto& comm = test::world();
  Parts<std::int64_t> out;
  std::vector<std::int64_t> data;
  for (std::uint64_t trial = 0; trial < 50; ++trial) {
    const int root = static_cast<int>(trial) % comm.size();
    const auto sizes = all_sizes[Random(21).below(trial, 4)];
    const auto in = values_of<std::int64_t>(sizes, comm.rank(), 0, trial);
    if (Random(22, trial).below(static_cast<std::uint64_t>(comm.rank()), 3) == 0) dawdle(trial);
    gather_v(comm, std::span<const std::int64_t>(in), out, root);
    if (comm.is_root(root)) {
      check_parts(out, [&](int r) { return values_of<std::int64_t>(sizes, r, 0, trial); });
    }
    if (comm.is_root(root)) data = in;
    bcast(comm, into(data), root);
    CHECK(data == values_of<std::int64_t>(sizes, root, 0, trial));
  }
}

TEST_CASE("unknown counts: elements stand where their alignment wants them") {
  const auto& comm = test::world();
  const std::vector<Line> in(3, Line{comm.rank(), {}});
  Parts<Line> out;
  all_gather_v(comm, std::span<const Line>(in), out);
  CHECK(out.values().size() == 3 * static_cast<std::size_t>(comm.size()));
  for (const Line& line : out.values()) CHECK(reinterpret_cast<std::uintptr_t>(&line) % 256 == 0);
}

TEST_CASE("unknown counts: the own part stands right, also when the shape stays in part") {
  const auto& comm = test::world();
  Parts<std::int64_t> out;
  // The part of rank r has the same size in all rounds but those in which it is its turn.
  for (std::uint64_t round = 0; round < 4 * static_cast<std::uint64_t>(comm.size()); ++round) {
    const auto part_for = [&](int r) {
      const bool is_its_turn = static_cast<std::uint64_t>(r) == round % (2 * comm.size()) / 2;
      const std::size_t count = is_its_turn ? round % 2 == 0 ? 1 : 5000 : 300;
      return std::vector<std::int64_t>(count, 100 * static_cast<std::int64_t>(round) + r);
    };
    const auto in = part_for(comm.rank());
    all_gather_v(comm, std::span<const std::int64_t>(in), out);
    check_parts(out, part_for);
  }
}

TEST_CASE("unknown counts: what a caller gets wrong is an error at the caller") {
  const auto& comm = test::world();
  Parts<int> out;
  Parts<int> one_too_many{std::vector<std::size_t>(static_cast<std::size_t>(comm.size()) + 1, 0)};
  const std::vector<std::size_t> counts(static_cast<std::size_t>(comm.size()), 1);
  const std::vector<int> in(counts.size() + 1, 7);
  CHECK_THROWS_AS(all_to_all_v(comm, one_too_many, out), Error);
  CHECK_THROWS_AS(all_to_all_v(comm, one_too_many, one_too_many), Error);
  CHECK_THROWS_AS(all_to_all_v(comm, std::span<const int>(in), counts, out), Error);
  CHECK_THROWS_AS(gather_v(comm, std::span<const int>(in), out, comm.size()), Error);
  std::vector<int> data;
  CHECK_THROWS_AS(bcast(comm, into(data), -1), Error);
}

TEST_CASE("unknown counts: a user's receive from any source sees none of it") {
  const auto& comm = test::world();
  int seen = -1;
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Irecv(&seen, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, comm.native(), &request);
  check_all<std::int64_t>(Sizes::mixed, 600, 2);
  const int sent = comm.rank() + 77;
  send(comm, std::span<const int>(&sent, 1), comm.rank(), 3);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  CHECK(seen == sent);
}

TEST_CASE("unknown counts: a communicator takes along what it remembers") {
  Communicator first = test::world().duplicate("first");
  const std::vector<int> in(1000 + static_cast<std::size_t>(first.rank()), first.rank());
  Parts<int> out;
  all_gather_v(first, std::span<const int>(in), out);
  const Communicator second = std::move(first);
  all_gather_v(second, std::span<const int>(in), out);
  check_parts(out, [](int r) { return std::vector<int>(1000 + static_cast<std::size_t>(r), r); });
}
