// Exchanges of unknown counts allocate nothing once their buffers have grown, and bear it that
// memory ends.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "cairn/collectives/sparse.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

/// Allocations of ten calls, after three that may set things up. The sizes of one call are those of
/// the call before, and half of them, in turns.
template <typename Call>
std::size_t allocations_of(std::size_t n, const Call& call) {
  for (int i = 0; i < 3; ++i) call(n);
  const std::size_t before = test::allocations();
  for (int i = 0; i < 10; ++i) call(i % 2 == 0 ? n : n / 2);
  return test::allocations() - before;
}

/// Short, at the edge, and by rendezvous.
constexpr std::size_t sizes[] = {0, 1, 128, 65536};

}  // namespace

TEST_CASE("the counter counts") {
  CHECK(allocations_of(7, [](std::size_t n) { std::vector<double> v(n, 1.0); }) == 10);
  Parts<double> parts;
  CHECK(test::allocations() > 0);
  const std::size_t before = test::allocations();
  parts.reshape(std::vector<std::size_t>{1, 2});
  CHECK(test::allocations() - before == 3);
}

TEST_CASE("parts that memory does not suffice for leave the former ones") {
  const std::vector<std::size_t> few{1, 2};
  const std::vector<std::size_t> many{100, 200, 300};
  for (const long failing : {1, 2}) {
    CAPTURE(failing);
    Parts<double> parts(few);
    bool has_failed = false;
    test::fail_allocation(failing);
    try {
      parts.reshape(many);
    } catch (const std::bad_alloc&) {
      has_failed = true;
    }
    test::fail_allocation(0);
    CHECK(has_failed);
    CHECK(parts.size() == 2);
    CHECK(parts.count(1) == 2);
    CHECK(parts.values().size() == 3);
    std::fill(parts.values().begin(), parts.values().end(), 1.0);
  }
}

TEST_CASE("unknown counts: no allocations") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  for (const auto n_max : sizes) {
    CAPTURE(n_max);
    const std::vector<std::int64_t> values(n_max * p, 3);
    const std::span<const std::int64_t> all(values);
    std::vector<std::size_t> counts(p);
    Parts<std::int64_t> out;
    Parts<std::int64_t> in;
    CHECK(allocations_of(n_max, [&](std::size_t n) { all_gather_v(comm, all.first(n), out); }) ==
          0);
    Parts<std::int64_t> at_root;
    CHECK(allocations_of(n_max, [&](std::size_t n) { gather_v(comm, all.first(n), at_root); }) ==
          0);
    CHECK(allocations_of(n_max, [&](std::size_t n) {
            counts.assign(p, n);
            all_to_all_v(comm, all.first(n * p), counts, out);
          }) == 0);
    CHECK(allocations_of(n_max, [&](std::size_t n) {
            counts.assign(p, n);
            in.reshape(counts);
            std::fill(in.values().begin(), in.values().end(), 3);
            all_to_all_v(comm, in, out);
          }) == 0);
    std::vector<std::int64_t> data;
    data.reserve(n_max);
    std::string text;
    text.reserve(n_max);
    CHECK(allocations_of(n_max, [&](std::size_t n) {
            data.resize(n);
            bcast(comm, into(data));
            text.resize(n);
            bcast(comm, into(text));
          }) == 0);
  }
}

TEST_CASE("sparse exchange: no allocations") {
  const auto& comm = test::world();
  for (const auto route : {Route::automatic, Route::dense, Route::direct, Route::grid}) {
    for (const auto n_max : sizes) {
      CAPTURE(route);
      CAPTURE(n_max);
      const std::vector<std::int64_t> values(n_max, 3);
      Outbox<std::int64_t> outbox;
      Inbox<std::int64_t> in;
      CHECK(allocations_of(n_max, [&](std::size_t n) {
              outbox.clear();
              for (int i = 0; i < 3; ++i) {
                outbox.add((comm.rank() + i) % comm.size(), std::span(values).first(n));
              }
              sparse_exchange(comm, outbox, in, {.route = route});
            }) == 0);
    }
  }
}
