// More than 2^31 bytes for real, from one rank to another: what the fake limit stands for.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "cairn/collectives/sparse.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

constexpr std::size_t large = (std::size_t{1} << 31) + 5;

/// A piece that repeats, of a length that divides no power of two, so that what is in a wrong place
/// shows.
std::vector<char> piece() {
  std::vector<char> values(std::size_t{251} << 12);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<char>(i % 251 + i / 251);
  return values;
}

/// `large` values on the last rank, three elsewhere.
std::vector<char> contribution() {
  const auto repeated = piece();
  std::vector<char> values(test::world().rank() == test::world().size() - 1 ? large : 3);
  for (std::size_t i = 0; i < values.size(); i += repeated.size()) {
    std::memcpy(values.data() + i, repeated.data(), std::min(repeated.size(), values.size() - i));
  }
  return values;
}

bool is_large(std::span<const char> values) {
  if (values.size() != large) return false;
  const auto repeated = piece();
  for (std::size_t i = 0; i < large; i += repeated.size()) {
    const std::size_t n = std::min(repeated.size(), large - i);
    if (std::memcmp(values.data() + i, repeated.data(), n) != 0) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("more than 2^31 bytes: gather_v, all_gather_v and all_to_all_v") {
  const auto& comm = test::world();
  const int last = comm.size() - 1;
  const auto in = contribution();
  Parts<char> out;
  for (int i = 0; i < 2; ++i) {  // expected short, expected long
    gather_v(comm, std::span<const char>(in), out);
    if (comm.is_root()) CHECK(is_large(out.part(static_cast<std::size_t>(last))));
  }
  all_gather_v(comm, std::span<const char>(in), out);
  CHECK(is_large(out.part(static_cast<std::size_t>(last))));
  std::vector<std::size_t> counts(static_cast<std::size_t>(comm.size()), 0);
  counts[0] = in.size();
  all_to_all_v(comm, std::span<const char>(in), counts, out);
  if (comm.is_root()) CHECK(is_large(out.part(static_cast<std::size_t>(last))));
}

TEST_CASE("more than 2^31 bytes: bcast of a vector") {
  const auto& comm = test::world();
  const int last = comm.size() - 1;
  for (int i = 0; i < 2; ++i) {
    std::vector<char> data = comm.is_root(last) ? contribution() : std::vector<char>();
    bcast(comm, into(data), last);
    CHECK(is_large(data));
  }
}

TEST_CASE("more than 2^31 bytes: sparse exchange") {
  const auto& comm = test::world();
  const int last = comm.size() - 1;
  const auto data = contribution();
  std::vector<Outgoing<char>> out;
  if (comm.rank() == last) out.push_back({0, data});
  for (const auto route : {Route::dense, Route::direct, Route::grid}) {
    Inbox<char> in;
    sparse_exchange(comm, std::span<const Outgoing<char>>(out), in, {.route = route});
    CHECK(in.size() == (comm.is_root() ? 1 : 0));
    if (comm.is_root()) CHECK(is_large(in[0].data));
  }
}
