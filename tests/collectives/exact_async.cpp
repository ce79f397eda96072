// Exact sums in the background: the bits of the blocking ones.

#include "cairn/collectives/exact_async.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cairn/collectives/exact_sum.hpp"
#include "cairn/core/random.hpp"
#include "exact_cases.hpp"
#include "mpi_test.hpp"
#include "ways.hpp"

using namespace cairn;
using namespace cairn::test;

TEST_CASE("sums in the background have the bits of the blocking ones") {
  const auto& comm = world();
  const Random random(7, static_cast<std::uint64_t>(comm.rank()));
  std::vector<double> x(1000), y(1000);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = std::ldexp(random.uniform(i) - 0.5, static_cast<int>(i % 300) - 150);
    y[i] = random.uniform(1000 + i) - 0.5;
  }
  auto sum = exact_sum(async(comm), x);
  auto dot = exact_dot(async(comm), x, y);
  auto norm = exact_norm(async(comm), x);
  ExactSum local;
  local.add(x);
  auto merged = all_reduce(async(comm), local);
  // Waited for in another order than they were started in.
  CHECK(same(norm.wait(), exact_norm(comm, x)));
  CHECK(same(sum.wait(), exact_sum(comm, x)));
  CHECK(same(merged.wait().round(), exact_sum(comm, x)));
  CHECK(same(dot.wait(), exact_dot(comm, x, y)));
}

TEST_CASE("vectors of sums in the background have the bits of the blocking ones") {
  const auto& comm = world();
  const Random mine(5, static_cast<std::uint64_t>(comm.rank()));
  const Random all(5, 64);  // terms that cancel between ranks
  for (const std::size_t limit : {detail::max_count, std::size_t{300}}) {  // 300: two sums a call
    const LowerLimit lowered(limit);
    for (const std::size_t m : {0u, 1u, 7u, 500u}) {
      CAPTURE(limit);
      CAPTURE(m);
      std::vector<double> in(m);
      std::vector<ExactSum> sums(m);
      for (std::size_t i = 0; i < m; ++i) {
        in[i] = random_double(mine, i, -1074, 971);
        if (i % 5 == 0) in[i] = (comm.rank() % 2 == 0 ? 1 : -1) * random_double(all, i, -1074, 971);
        if (i % 11 == 3) in[i] = i % 2 == 0 ? -0.0 : infinity;
        if (i == 6 && comm.is_root(comm.size() - 1)) in[i] = -infinity;
        sums[i].add_product(in[i], random_double(mine, i + m, -60, 0));
        for (int k = 0; k < 30 && i % 7 == 2; ++k) sums[i].merge(sums[i]);  // carries pending
      }
      std::vector<double> expected(m);
      exact_sums(comm, in, expected);
      auto merged = sums;
      all_reduce(comm, merged);

      std::vector<double> out(m, 7.0);
      auto rounded = exact_sums(async(comm), in, out);
      auto in_place = all_reduce(async(comm), sums);
      auto terms = in;
      auto over_itself = exact_sums(async(comm), terms, terms);
      // Waited for in another order than they were started in, and done before it.
      in_place.wait();
      while (!over_itself.test()) {
      }
      over_itself.wait();
      rounded.wait();
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < m; ++i) {
        wrong += !same(out[i], expected[i]) || !same(terms[i], expected[i]);
        wrong += !same(sums[i].round(), merged[i].round());
        sums[i].add(1.0);  // it goes on
        merged[i].add(1.0);
        wrong += !same(sums[i].round(), merged[i].round());
      }
      CHECK(wrong == 0);
    }
  }
}
