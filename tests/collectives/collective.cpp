// Each collective against a brute-force twin that every rank computes from (rank, index) alone.

#include "cairn/collectives/collective.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "cairn/core/random.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

using Values = std::vector<std::int64_t>;
using In = std::span<const std::int64_t>;
using Out = std::span<std::int64_t>;

/// What rank `rank` contributes at `index`.
std::int64_t value(int rank, std::size_t index) {
  return static_cast<std::int64_t>(Random(1, static_cast<std::uint64_t>(rank)).below(index, 1000)) -
         500;
}

Values contribution(int rank, std::size_t n) {
  Values values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = value(rank, i);
  return values;
}

/// Random counts per pair of ranks, zero included; equal on every rank.
int pair_count(int from, int to, std::uint64_t trial) {
  const auto index = static_cast<std::uint64_t>(from) * 100 + static_cast<std::uint64_t>(to);
  return static_cast<int>(Random(2, trial).below(index, 4));
}

constexpr std::size_t sizes[] = {0, 1, 2, 1000};

}  // namespace

TEST_CASE("bcast from every root") {
  const auto& comm = test::world();
  for (int root = 0; root < comm.size(); ++root) {
    for (const auto n : sizes) {
      Values data = contribution(comm.rank(), n);
      bcast(comm, Out(data), root);
      CHECK(data == contribution(root, n));
    }
    CHECK(bcast(comm, comm.rank() + 5, root) == root + 5);
    std::string text(static_cast<std::size_t>(comm.rank()), 'x');
    bcast(comm, text, root);
    CHECK(text == std::string(static_cast<std::size_t>(root), 'x'));
  }
}

TEST_CASE("reduce, all_reduce, scan and exscan with every operation") {
  const auto& comm = test::world();
  const auto check_with = [&](auto op, auto combine) {
    for (const auto n : sizes) {
      const auto mine = contribution(comm.rank(), n);
      Values prefix;     // of ranks 0 … rank-1
      Values inclusive;  // of ranks 0 … rank
      Values total;
      for (int r = 0; r < comm.size(); ++r) {
        const auto theirs = contribution(r, n);
        if (total.empty())
          total = theirs;
        else
          std::transform(total.begin(), total.end(), theirs.begin(), total.begin(), combine);
        if (r == comm.rank() - 1) prefix = total;
        if (r == comm.rank()) inclusive = total;
      }
      Values out = mine;
      all_reduce(comm, Out(out), op);
      CHECK(out == total);
      out = mine;
      scan(comm, Out(out), op);
      CHECK(out == inclusive);
      out = mine;
      exscan(comm, Out(out), op);
      CHECK(out == (comm.rank() == 0 ? mine : prefix));
      for (int root = 0; root < comm.size(); ++root) {
        Values at_root(comm.rank() == root ? n : 0);
        reduce(comm, In(mine), Out(at_root), root, op);
        if (comm.rank() == root) CHECK(at_root == total);
      }
    }
  };
  check_with(std::plus<>{}, std::plus<>{});
  check_with(Minimum{}, [](auto a, auto b) { return std::min(a, b); });
  check_with(Maximum{}, [](auto a, auto b) { return std::max(a, b); });
  check_with(std::bit_xor<>{}, std::bit_xor<>{});
  CHECK(all_reduce(comm, 1) == comm.size());
  CHECK(all_reduce(comm, comm.rank() == 0, std::logical_and<>{}) == (comm.size() == 1));
}

TEST_CASE("gather, all_gather and scatter of equal parts") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  for (const auto n : sizes) {
    const auto mine = contribution(comm.rank(), n);
    Values all;
    for (int r = 0; r < comm.size(); ++r) {
      const auto theirs = contribution(r, n);
      all.insert(all.end(), theirs.begin(), theirs.end());
    }
    Values out(n * p);
    all_gather(comm, In(mine), Out(out));
    CHECK(out == all);
    for (int root = 0; root < comm.size(); ++root) {
      Values at_root(comm.rank() == root ? n * p : 0);
      gather(comm, In(mine), Out(at_root), root);
      if (comm.rank() == root) CHECK(at_root == all);
      Values back(n);
      scatter(comm, In(at_root), Out(back), root);
      CHECK(back == mine);
    }
  }
}

TEST_CASE("gather_v, all_gather_v and scatter_v of random parts") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  for (std::uint64_t trial = 0; trial < 20; ++trial) {
    std::vector<int> counts(p);
    std::vector<int> displacements(p);
    for (std::size_t r = 0; r < p; ++r) counts[r] = pair_count(static_cast<int>(r), 0, trial);
    const auto total = static_cast<std::size_t>(packed_displacements(counts, displacements));
    const Layout layout{counts, displacements};
    Values all;
    for (std::size_t r = 0; r < p; ++r) {
      const auto theirs = contribution(static_cast<int>(r), static_cast<std::size_t>(counts[r]));
      all.insert(all.end(), theirs.begin(), theirs.end());
    }
    const auto mine = contribution(
        comm.rank(), static_cast<std::size_t>(counts[static_cast<std::size_t>(comm.rank())]));
    Values out(total);
    all_gather_v(comm, In(mine), Out(out), layout);
    CHECK(out == all);
    const int root = static_cast<int>(trial) % comm.size();
    Values at_root(comm.rank() == root ? total : 0);
    gather_v(comm, In(mine), Out(at_root), layout, root);
    if (comm.rank() == root) CHECK(at_root == all);
    Values back(mine.size());
    scatter_v(comm, In(at_root), layout, Out(back), root);
    CHECK(back == mine);
  }
}

TEST_CASE("all_to_all and all_to_all_v") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  const auto message = [](int from, int to, std::size_t i) { return value(from * 50 + to, i); };

  constexpr std::size_t n = 3;
  Values in(n * p);
  Values expected(n * p);
  for (std::size_t r = 0; r < p; ++r) {
    for (std::size_t i = 0; i < n; ++i) {
      in[r * n + i] = message(comm.rank(), static_cast<int>(r), i);
      expected[r * n + i] = message(static_cast<int>(r), comm.rank(), i);
    }
  }
  Values out(n * p);
  all_to_all(comm, In(in), Out(out));
  CHECK(out == expected);

  for (std::uint64_t trial = 0; trial < 20; ++trial) {
    std::vector<int> send(p), receive(p), send_at(p), receive_at(p);
    Values outgoing, incoming;
    for (std::size_t r = 0; r < p; ++r) {
      const int peer = static_cast<int>(r);
      send[r] = pair_count(comm.rank(), peer, trial);
      receive[r] = pair_count(peer, comm.rank(), trial);
      for (int i = 0; i < send[r]; ++i)
        outgoing.push_back(message(comm.rank(), peer, static_cast<std::size_t>(i)));
      for (int i = 0; i < receive[r]; ++i)
        incoming.push_back(message(peer, comm.rank(), static_cast<std::size_t>(i)));
    }
    packed_displacements(send, send_at);
    Values got(static_cast<std::size_t>(packed_displacements(receive, receive_at)));
    all_to_all_v(comm, In(outgoing), {send, send_at}, Out(got), {receive, receive_at});
    CHECK(got == incoming);
  }
}

TEST_CASE("a ring of send_receive, and plain send and receive") {
  const auto& comm = test::world();
  const int right = (comm.rank() + 1) % comm.size();
  const int left = (comm.rank() + comm.size() - 1) % comm.size();
  const auto mine = contribution(comm.rank(), 5);
  Values got(9);
  const auto received = send_receive(comm, In(mine), right, Out(got), left, 3);
  CHECK(received.source == left);
  CHECK(received.tag == 3);
  CHECK(received.count == 5);
  got.resize(5);
  CHECK(got == contribution(left, 5));
  if (comm.size() > 1 && comm.rank() == 0) send(comm, In(mine), 1, 4);
  if (comm.rank() == 1) {
    CHECK(receive(comm, Out(got), 0, 4).count == 5);
    CHECK(got == contribution(0, 5));
  }
}
