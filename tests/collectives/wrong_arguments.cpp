// What is wrong on a rank is an error there, before anything is sent: every rank makes the mistake,
// and the calls after it still work.

#include <climits>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "cairn/collectives/async.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

template <typename Call>
void is_refused(const char* text, const Call& call) {
  CAPTURE(text);
  CHECK_THROWS_WITH_AS(call(), doctest::Contains(text), Error);
  CHECK(all_reduce(test::world(), 1) == test::world().size());  // no rank sent anything
}

std::size_t ranks() { return static_cast<std::size_t>(test::world().size()); }

}  // namespace

TEST_CASE("roots that are no ranks") {
  const auto& comm = test::world();
  std::vector<int> x(3);
  std::vector<int> all(3 * ranks());
  const std::vector<int> counts(ranks(), 3);
  std::vector<int> at(ranks());
  packed_displacements(counts, at);
  for (const int root : {-2, -1, comm.size()}) {
    CAPTURE(root);
    const char* const text = "a rank of the communicator";
    is_refused(text, [&] { bcast(comm, x, root); });
    is_refused(text, [&] { reduce(comm, x, all, root); });
    is_refused(text, [&] { gather(comm, x, all, root); });
    is_refused(text, [&] { gather_v(comm, x, all, {counts, at}, root); });
    is_refused(text, [&] { scatter(comm, all, x, root); });
    is_refused(text, [&] { scatter_v(comm, all, {counts, at}, x, root); });
    is_refused(text, [&] { send(comm, x, root); });
  }
}

TEST_CASE("outputs of a wrong size") {
  const auto& comm = test::world();
  const std::vector<int> x(3);
  const std::vector<int> all(3 * ranks());
  const std::vector<int> counts(ranks(), 3);
  for (const std::size_t n : {2, 4}) {
    CAPTURE(n);
    std::vector<int> out(n);
    std::vector<int> all_out(n * ranks());
    for (int root = 0; root < comm.size(); ++root) {
      if (comm.rank() != root) continue;  // the others do not call: nothing is sent
      CHECK_THROWS_WITH_AS(reduce(comm, x, out, root), doctest::Contains("size of in"), Error);
      CHECK_THROWS_WITH_AS(gather(comm, x, all_out, root), doctest::Contains("size p·n"), Error);
      CHECK_THROWS_WITH_AS(scatter(comm, all, out, root), doctest::Contains("size p·n"), Error);
    }
    is_refused("out of the size of in", [&] { all_reduce(comm, x, out); });
    is_refused("out of the size of in", [&] { scan(comm, x, out); });
    is_refused("out of the size of in", [&] { exscan(comm, x, out); });
    is_refused("in of size p·n", [&] { reduce_scatter_block(comm, all, out); });
    is_refused("in of the size of all counts",
               [&] { reduce_scatter(comm, all, out, std::span<const int>(counts)); });
    is_refused("out of size p·n", [&] { all_gather(comm, x, all_out); });
    is_refused("in and out of size p·n", [&] { all_to_all(comm, all, all_out); });
  }
}

TEST_CASE("parts that are not inside of their buffer") {
  const auto& comm = test::world();
  const std::vector<int> x(3);
  std::vector<int> all(3 * ranks());
  const std::vector<int> good(ranks(), 3);
  std::vector<int> at(ranks());
  packed_displacements(good, at);
  const auto changed = [](std::vector<int> values, int by) {
    values.back() += by;
    return values;
  };
  const auto check_layout = [&](const std::vector<int>& counts, const std::vector<int>& places,
                                const char* text) {
    const Layout wrong{counts, places};
    const Layout right{good, at};
    is_refused(text, [&] { all_gather_v(comm, x, all, wrong); });
    is_refused(text, [&] { all_to_all_v(comm, all, wrong, all, right); });
    is_refused(text, [&] { all_to_all_v(comm, all, right, all, wrong); });
    CHECK_THROWS_WITH_AS(gather_v(comm, x, all, wrong, comm.rank()), doctest::Contains(text),
                         Error);
    std::vector<int> out(3);
    CHECK_THROWS_WITH_AS(scatter_v(comm, all, wrong, out, comm.rank()), doctest::Contains(text),
                         Error);
  };
  check_layout(changed(good, 1), at, "every part inside the buffer");
  check_layout(good, changed(at, 1), "every part inside the buffer");
  check_layout(changed(good, -4), at, "every part inside the buffer");
  check_layout(good, changed(at, -1 - at.back()), "every part inside the buffer");
  check_layout(std::vector<int>(ranks() + 1, 0), at, "one count and one displacement per part");
  check_layout(good, std::vector<int>(ranks() - 1, 0), "one count and one displacement per part");
  const std::vector<int> fewer(ranks(), 2);
  is_refused("in of the size that the layout gives", [&] {
    all_gather_v(comm, x, all, {fewer, at});
  });
}

TEST_CASE("displacements: exclusive sums, and totals that an int holds") {
  const std::vector<int> counts{2, 0, 3, 1};
  std::vector<int> at(4);
  CHECK(packed_displacements(counts, at) == 6);
  CHECK(at == std::vector<int>{0, 2, 2, 5});
  const std::vector<int> most{INT_MAX - 7, 7};
  std::vector<int> two(2);
  CHECK(packed_displacements(most, two) == INT_MAX);
  CHECK(two == std::vector<int>{0, INT_MAX - 7});
  const std::vector<int> too_many{INT_MAX - 7, 8};
  CHECK_THROWS_WITH_AS(packed_displacements(too_many, two), doctest::Contains("use Parts"), Error);
  const std::vector<int> negative{3, -1};
  CHECK_THROWS_AS(packed_displacements(negative, two), Error);
  CHECK_THROWS_AS(packed_displacements(counts, two), Error);
}

TEST_CASE("a plan that is started again before it was waited for") {
  const auto& comm = test::world();
  std::vector<int> x(3, 1);
  auto sum = all_reduce(plan(comm), x);
  sum.start();
  CHECK_THROWS_WITH_AS(sum.start(), doctest::Contains("waited for before"), Error);
  sum.wait();
  CHECK(x == std::vector<int>(3, comm.size()));
}

TEST_CASE("a plan that has been moved on") {
  const auto& comm = test::world();
  std::vector<int> x(3, 1);
  auto sum = all_reduce(plan(comm), std::span(x));
  auto moved = std::move(sum);
  const char* const text = "a plan that has not been moved from";
  // NOLINTBEGIN: the state after a move is what is tested
  is_refused(text, [&] { sum.start(); });
  is_refused(text, [&] { sum.wait(); });
  is_refused(text, [&] { (void)sum.test(); });
  // NOLINTEND
  moved.start();
  moved.wait();
  CHECK(x.front() == comm.size());
}

TEST_CASE("MPI's errors come out of each way of a call") {
  const auto& comm = test::world();
  std::vector<int> x(3, comm.rank());
  const auto is_mpi_failure = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.code() == Errc::mpi_failure;
    }
    return false;
  };
  // Open MPI checks the tag, of a message that nobody receives.
  const int tag = -5;
  CHECK(is_mpi_failure([&] { send(comm, x, 0, tag); }));
  CHECK(is_mpi_failure([&] { send(async(comm), x, 0, tag).wait(); }));
  auto planned = send(plan(comm), x, 0, tag);
  CHECK(is_mpi_failure([&] { planned.start(); }));
  CHECK(all_reduce(comm, 1) == comm.size());
}
