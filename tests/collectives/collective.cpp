// Each collective, in each way that it is carried out, against a brute-force twin that every rank
// computes from (rank, index) alone; with MPI's limit of counts, and with a limit of 3.

#include "cairn/collectives/collective.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/random.hpp"
#include "mpi_test.hpp"
#include "ways.hpp"

using namespace cairn;
using test::in_every_way;

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

constexpr std::size_t sizes[] = {0, 1, 3, 10, 100};

}  // namespace

TEST_CASE("barrier") {
  in_every_way(
      test::world(), [] {}, [&](const auto& way) { return barrier(way); }, [] {});
}

TEST_CASE("bcast from every root") {
  const auto& comm = test::world();
  for (int root = 0; root < comm.size(); ++root) {
    for (const auto n : sizes) {
      const Values mine = contribution(comm.rank(), n);
      Values data = mine;
      in_every_way(
          comm, [&] { data = mine; }, [&](const auto& way) { return bcast(way, Out(data), root); },
          [&] { CHECK(data == contribution(root, n)); });
    }
    CHECK(bcast(comm, comm.rank() + 5, root) == root + 5);
    std::string text(static_cast<std::size_t>(comm.rank()), 'x');
    bcast(comm, into(text), root);
    CHECK(text == std::string(static_cast<std::size_t>(root), 'x'));
  }
}

namespace {

/// What the ranks' contributions reduce to, brute force: over ranks 0 … rank-1, 0 … rank, and all.
struct Reduced {
  Values before, inclusive, total;

  template <typename Op>
  Reduced(const Communicator& comm, std::size_t n, Op op) {
    for (int r = 0; r < comm.size(); ++r) {
      const auto theirs = contribution(r, n);
      if (r == comm.rank()) before = total;
      if (r == 0) {
        total = theirs;
      } else {
        std::transform(total.begin(), total.end(), theirs.begin(), total.begin(), op);
      }
      if (r == comm.rank()) inclusive = total;
    }
  }
};

template <typename Op, typename Combine>
void check_reductions(const Communicator& comm, std::size_t n, Op op, Combine combine) {
  const auto mine = contribution(comm.rank(), n);
  const Reduced expected(comm, n, combine);
  Values data = mine;
  const auto reset = [&] { data = mine; };  // in the same memory, which plans know
  in_every_way(
      comm, reset, [&](const auto& way) { return all_reduce(way, data, op); },
      [&] { CHECK(data == expected.total); });
  in_every_way(
      comm, reset, [&](const auto& way) { return scan(way, data, op); },
      [&] { CHECK(data == expected.inclusive); });
  in_every_way(
      comm, reset, [&](const auto& way) { return exscan(way, data, op); },
      [&] { CHECK(data == (comm.rank() == 0 ? mine : expected.before)); });
  Values out(n);
  const auto clear = [&] { std::fill(out.begin(), out.end(), -1); };
  in_every_way(
      comm, clear, [&](const auto& way) { return all_reduce(way, mine, out, op); },
      [&] { CHECK(out == expected.total); });
  in_every_way(
      comm, clear, [&](const auto& way) { return scan(way, mine, out, op); },
      [&] { CHECK(out == expected.inclusive); });
  in_every_way(
      comm, clear, [&](const auto& way) { return exscan(way, mine, out, op); },
      [&] {
        if (comm.rank() > 0) CHECK(out == expected.before);
      });
  for (int root = 0; root < comm.size(); ++root) {
    Values at_root(comm.rank() == root ? n : 0);
    in_every_way(
        comm, [&] { std::fill(at_root.begin(), at_root.end(), -1); },
        [&](const auto& way) { return reduce(way, mine, at_root, root, op); },
        [&] {
          if (comm.rank() == root) CHECK(at_root == expected.total);
        });
  }
}

}  // namespace

TEST_CASE("reduce, all_reduce, scan and exscan with every operation") {
  const auto& comm = test::world();
  for (const auto n : sizes) {
    check_reductions(comm, n, Sum{}, [](auto a, auto b) { return a + b; });
    check_reductions(comm, n, Minimum{}, [](auto a, auto b) { return std::min(a, b); });
    check_reductions(comm, n, Maximum{}, [](auto a, auto b) { return std::max(a, b); });
    check_reductions(comm, n, BitXor{}, [](auto a, auto b) { return a ^ b; });
    check_reductions(comm, n, LogicalOr{}, [](auto a, auto b) { return a != 0 || b != 0; });
    check_reductions(comm, n, commutative([](std::int64_t a, std::int64_t b) { return a ^ b; }),
                     [](auto a, auto b) { return a ^ b; });
  }
  CHECK(all_reduce(comm, 1) == comm.size());
  CHECK(all_reduce(comm, comm.rank() == 0, LogicalAnd{}) == (comm.size() == 1));
  CHECK(scan(comm, 1) == comm.rank() + 1);
}

TEST_CASE("reduce_scatter_block and reduce_scatter") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  const auto rank = static_cast<std::size_t>(comm.rank());
  for (const auto n : sizes) {
    const auto mine = contribution(comm.rank(), n * p);
    const auto total = Reduced(comm, n * p, std::plus<>{}).total;
    const auto part = [&](std::size_t first, std::size_t count) {
      const auto start = total.begin() + static_cast<std::ptrdiff_t>(first);
      return Values(start, start + static_cast<std::ptrdiff_t>(count));
    };
    Values out(n);
    in_every_way(
        comm, [&] { std::fill(out.begin(), out.end(), -1); },
        [&](const auto& way) { return reduce_scatter_block(way, mine, out); },
        [&] { CHECK(out == part(rank * n, n)); });

    std::vector<int> counts(p, static_cast<int>(n));
    if (p > 1) {  // the first rank also gets what would be the last one's
      counts.front() *= 2;
      counts.back() = 0;
    }
    const auto first =
        static_cast<std::size_t>(std::accumulate(counts.begin(), counts.begin() + comm.rank(), 0));
    Values uneven(static_cast<std::size_t>(counts[rank]));
    in_every_way(
        comm, [&] { std::fill(uneven.begin(), uneven.end(), -1); },
        [&](const auto& way) {
          return reduce_scatter(way, mine, uneven, std::span<const int>(counts));
        },
        [&] { CHECK(uneven == part(first, uneven.size())); });
  }
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
    in_every_way(
        comm, [&] { std::fill(out.begin(), out.end(), -1); },
        [&](const auto& way) { return all_gather(way, In(mine), out); },
        [&] { CHECK(out == all); });
    for (int root = 0; root < comm.size(); ++root) {
      Values at_root(comm.rank() == root ? n * p : 0);
      in_every_way(
          comm, [&] { std::fill(at_root.begin(), at_root.end(), -1); },
          [&](const auto& way) { return gather(way, mine, at_root, root); },
          [&] {
            if (comm.rank() == root) CHECK(at_root == all);
          });
      Values back(n);
      in_every_way(
          comm, [&] { std::fill(back.begin(), back.end(), -1); },
          [&](const auto& way) { return scatter(way, In(at_root), Out(back), root); },
          [&] { CHECK(back == mine); });
    }
  }
}

TEST_CASE("gather_v, all_gather_v and scatter_v of random parts") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  for (std::uint64_t trial = 0; trial < 12; ++trial) {
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
    in_every_way(
        comm, [&] { std::fill(out.begin(), out.end(), -1); },
        [&](const auto& way) { return all_gather_v(way, mine, out, layout); },
        [&] { CHECK(out == all); });
    const int root = static_cast<int>(trial) % comm.size();
    Values at_root(comm.rank() == root ? total : 0);
    in_every_way(
        comm, [&] { std::fill(at_root.begin(), at_root.end(), -1); },
        [&](const auto& way) { return gather_v(way, mine, at_root, layout, root); },
        [&] {
          if (comm.rank() == root) CHECK(at_root == all);
        });
    Values back(mine.size());
    in_every_way(
        comm, [&] { std::fill(back.begin(), back.end(), -1); },
        [&](const auto& way) { return scatter_v(way, at_root, layout, back, root); },
        [&] { CHECK(back == mine); });
  }
}

TEST_CASE("all_to_all, all_to_all_v and all_to_all_w") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  const auto message = [](int from, int to, std::size_t i) { return value(from * 50 + to, i); };

  for (const std::size_t n : {0, 1, 3, 4, 50}) {
    Values in(n * p);
    Values expected(n * p);
    for (std::size_t r = 0; r < p; ++r) {
      for (std::size_t i = 0; i < n; ++i) {
        in[r * n + i] = message(comm.rank(), static_cast<int>(r), i);
        expected[r * n + i] = message(static_cast<int>(r), comm.rank(), i);
      }
    }
    Values out(n * p);
    in_every_way(
        comm, [&] { std::fill(out.begin(), out.end(), -1); },
        [&](const auto& way) { return all_to_all(way, in, out); }, [&] { CHECK(out == expected); });
  }

  for (std::uint64_t trial = 0; trial < 12; ++trial) {
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
    const auto clear = [&] { std::fill(got.begin(), got.end(), -1); };
    const auto verify = [&] { CHECK(got == incoming); };
    in_every_way(
        comm, clear,
        [&](const auto& way) {
          return all_to_all_v(way, outgoing, {send, send_at}, got, {receive, receive_at});
        },
        verify);

    std::vector<int> send_bytes(p), receive_bytes(p);
    for (std::size_t r = 0; r < p; ++r) {
      send_bytes[r] = send_at[r] * static_cast<int>(sizeof(std::int64_t));
      receive_bytes[r] = receive_at[r] * static_cast<int>(sizeof(std::int64_t));
    }
    const std::vector<MPI_Datatype> types(p, MPI_INT64_T);
    in_every_way(
        comm, clear,
        [&](const auto& way) {
          return all_to_all_w(way, outgoing.data(), {send, send_bytes, types}, got.data(),
                              {receive, receive_bytes, types});
        },
        verify);
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
