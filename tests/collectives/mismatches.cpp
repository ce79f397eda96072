#include "mismatches.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/async.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_async.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/collectives/neighbour.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/sparse.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/collectives/wide_layout.hpp"
#include "cairn/core/error.hpp"

using namespace cairn;

namespace {

namespace a_namespace_with_a_name_so_long_that_nobody_would_like_to_read_all_of_it {
struct Mass {
  double value;
};
struct Charge {
  double value;
};
}  // namespace a_namespace_with_a_name_so_long_that_nobody_would_like_to_read_all_of_it
namespace named_long = a_namespace_with_a_name_so_long_that_nobody_would_like_to_read_all_of_it;

}  // namespace

template <>
inline constexpr auto cairn::members_of<named_long::Mass> =
    cairn::Members<&named_long::Mass::value>{};
template <>
inline constexpr auto cairn::members_of<named_long::Charge> =
    cairn::Members<&named_long::Charge::value>{};

namespace {

/// What the last rank calls, and what the others do. The line of each call says in a comment whose
/// it is, for misuse.py to look up.
struct Mismatch {
  const char* name;
  void (*others)(const Communicator& comm);
  void (*last)(const Communicator& comm);
};
using Comm = const Communicator&;

std::vector<double> x(10, 1.0);
std::vector<float> y(10, 1.0F);
std::vector<named_long::Mass> masses(10);
std::vector<named_long::Charge> charges(10);
std::vector<double> six(6);
std::vector<double> pair(2);
std::vector<double> eaten(6);
Parts<double> parts;
const std::array<Outgoing<double>, 1> nowhere{Outgoing<double>{-1, {}}};
Inbox<double> doubles;
Inbox<float> floats;

// Counts for three ranks.
using Counts = std::array<int, 3>;
using WideCounts = std::array<std::size_t, 3>;
constexpr Counts even{2, 2, 2};
constexpr Counts other{2, 1, 2};
constexpr Counts shifted{3, 1, 2};
constexpr Counts starts{0, 2, 4};
constexpr WideCounts wide_even{2, 2, 2};
constexpr WideCounts wide_other{2, 1, 2};
constexpr WideCounts wide_shifted{3, 1, 2};
constexpr WideCounts wide_starts{0, 2, 4};

// clang-format off
const Mismatch mismatches[] = {
    {"call",
     [](Comm comm) { all_reduce(comm, x); },  // call of others
     [](Comm comm) { barrier(comm); }},  // call of last
    {"count",
     [](Comm comm) { all_reduce(comm, x); },  // count of others
     [](Comm comm) { all_reduce(comm, std::span(x).first(9)); }},  // count of last
    {"root",
     [](Comm comm) { bcast(comm, x, comm.size() - 1); },  // root of others
     [](Comm comm) { bcast(comm, x, 0); }},  // root of last
    {"operation",
     [](Comm comm) { all_reduce(comm, x); },  // operation of others
     [](Comm comm) { all_reduce(comm, x, Maximum{}); }},  // operation of last
    {"type",
     [](Comm comm) { all_reduce(comm, x); },  // type of others
     [](Comm comm) { all_reduce(comm, y); }},  // type of last
    {"future",
     [](Comm comm) { all_reduce(async(comm), x).wait(); },  // future of others
     [](Comm comm) { bcast(async(comm), x).wait(); }},  // future of last
    {"async-or-not",
     [](Comm comm) { all_reduce(comm, x); },  // async-or-not of others
     [](Comm comm) { all_reduce(async(comm), x).wait(); }},  // async-or-not of last
    {"planned-or-not",
     [](Comm comm) { all_reduce(comm, x); },  // planned-or-not of others
     [](Comm comm) { all_reduce(plan(comm), x).start(); }},  // planned-or-not of last
    {"async-or-planned",
     [](Comm comm) { all_reduce(async(comm), x).wait(); },  // async-or-planned of others
     [](Comm comm) { all_reduce(plan(comm), x).start(); }},  // async-or-planned of last
    {"exact",
     [](Comm comm) { (void)exact_sum(comm, x); },  // exact of others
     [](Comm comm) { (void)exact_norm(comm, x); }},  // exact of last
    {"exact-sums",
     [](Comm comm) { exact_sums(comm, x, x); },  // exact-sums of others
     [](Comm comm) { exact_sums(comm, std::span(x).first(9), std::span(x).first(9)); }},  // exact-sums of last
    {"exact-async",
     [](Comm comm) { (void)exact_dot(async(comm), x, x).wait(); },  // exact-async of others
     [](Comm comm) { (void)exact_dot(comm, x, x); }},  // exact-async of last
    {"exact-merge",
     [](Comm comm) { (void)all_reduce(comm, ExactSum()); },  // exact-merge of others
     [](Comm comm) { (void)all_reduce(async(comm), ExactSum()).wait(); }},  // exact-merge of last
    {"sparse-type",
     [](Comm comm) { sparse_exchange(comm, std::span<const Outgoing<double>>(), doubles); },  // sparse-type of others
     [](Comm comm) { sparse_exchange(comm, std::span<const Outgoing<float>>(), floats); }},  // sparse-type of last
    {"sparse-route",
     [](Comm comm) { sparse_exchange(comm, Outbox<double>(), doubles); },  // sparse-route of others
     [](Comm comm) { sparse_exchange(comm, Outbox<double>(), doubles, {.route = Route::direct}); }},  // sparse-route of last
    {"split",
     [](Comm comm) { (void)comm.split(0); },  // split of others
     [](Comm comm) { (void)comm.duplicate("copy"); }},  // split of last
    {"duplicate",
     [](Comm comm) { (void)comm.duplicate("copy"); },  // duplicate of others
     [](Comm comm) { barrier(comm); }},  // duplicate of last
    {"grid",
     [](Comm comm) { const CartesianGrid grid(comm, 2); },  // grid of others
     [](Comm comm) { const CartesianGrid grid(comm, 2, CartesianGrid::Boundary::periodic); }},  // grid of last
    {"graph",
     [](Comm comm) { const NeighbourGraph graph(comm, {}, {}); },  // graph of others
     [](Comm comm) { const CartesianGrid grid(comm, 2); }},  // graph of last
    {"all-gather-counts",
     [](Comm comm) { all_gather_v(comm, pair, x, Layout{even, starts}); },  // all-gather-counts of others
     [](Comm comm) { all_gather_v(comm, pair, x, Layout{other, starts}); }},  // all-gather-counts of last
    {"all-gather-wide-counts",
     [](Comm comm) { all_gather_v(comm, pair, x, WideLayout{wide_even, wide_starts}); },  // all-gather-wide-counts of others
     [](Comm comm) { all_gather_v(comm, pair, x, WideLayout{wide_other, wide_starts}); }},  // all-gather-wide-counts of last
    {"reduce-scatter-counts",
     [](Comm comm) { reduce_scatter(comm, six, pair, even); },  // reduce-scatter-counts of others
     [](Comm comm) { reduce_scatter(comm, six, pair, shifted); }},  // reduce-scatter-counts of last
    {"reduce-scatter-wide-counts",
     [](Comm comm) { reduce_scatter(comm, six, pair, wide_even); },  // reduce-scatter-wide-counts of others
     [](Comm comm) { reduce_scatter(comm, six, pair, wide_shifted); }},  // reduce-scatter-wide-counts of last
    {"long-name",
     [](Comm comm) { bcast(comm, masses); },  // long-name of others
     [](Comm comm) { bcast(comm, charges); }},  // long-name of last
    {"lambda",
     [](Comm comm) { all_reduce(comm, x, commutative([](double a, double b) { return a * b; })); },  // lambda of others
     [](Comm comm) { all_reduce(comm, x, commutative([](double a, double b) { return a + b; })); }},  // lambda of last
    // What the last rank cannot call.
    {"refused-size",
     [](Comm comm) { all_gather(comm, pair, six); },  // refused-size of others
     [](Comm comm) { all_gather(comm, pair, x); }},  // refused-size of last
    {"refused-root",
     [](Comm comm) { bcast(async(comm), x, 1).wait(); },  // refused-root of others
     [](Comm comm) { bcast(async(comm), x, 3).wait(); }},  // refused-root of last
    {"refused-plan",
     [](Comm comm) { all_gather(plan(comm), pair, six).start(); },  // refused-plan of others
     [](Comm comm) { all_gather(plan(comm), pair, x).start(); }},  // refused-plan of last
    {"refused-layout",
     [](Comm comm) { all_gather_v(comm, pair, six, Layout{even, starts}); },  // refused-layout of others
     [](Comm comm) { all_gather_v(comm, pair, six, Layout{std::span(even).first(2), starts}); }},  // refused-layout of last
    {"refused-counts",
     [](Comm comm) { reduce_scatter(comm, six, pair, even); },  // refused-counts of others
     [](Comm comm) { reduce_scatter(comm, x, pair, even); }},  // refused-counts of last
    {"refused-reduction",
     [](Comm comm) { all_reduce(comm, six, eaten); },  // refused-reduction of others
     [](Comm comm) { all_reduce(comm, six, x); }},  // refused-reduction of last
    {"refused-exact",
     [](Comm comm) { (void)exact_dot(comm, x, x); },  // refused-exact of others
     [](Comm comm) { (void)exact_dot(comm, x, six); }},  // refused-exact of last
    {"refused-exact-sums",
     [](Comm comm) { exact_sums(async(comm), six, eaten).wait(); },  // refused-exact-sums of others
     [](Comm comm) { exact_sums(async(comm), six, x).wait(); }},  // refused-exact-sums of last
    {"refused-parts",
     [](Comm comm) { all_to_all_v(comm, six, wide_even, parts); },  // refused-parts of others
     [](Comm comm) { all_to_all_v(comm, six, wide_other, parts); }},  // refused-parts of last
    {"refused-destination",
     [](Comm comm) { sparse_exchange(comm, std::span<const Outgoing<double>>(), doubles); },  // refused-destination of others
     [](Comm comm) { sparse_exchange(comm, std::span<const Outgoing<double>>(nowhere), doubles); }},  // refused-destination of last
    {"refused-colour",
     [](Comm comm) { (void)comm.split(0); },  // refused-colour of others
     [](Comm comm) { (void)comm.split(-1); }},  // refused-colour of last
};
// clang-format on

/// The Error on which all ranks agree.
Error error_of(const Communicator& comm, const Mismatch& mistake) {
  try {
    (comm.rank() == comm.size() - 1 ? mistake.last : mistake.others)(comm);
  } catch (const Error& error) {
    if (error.agreed()) return error;
  }
  std::_Exit(2);
}

}  // namespace

int cairn::test::one_mismatch(const Communicator& comm) {
  return error_of(comm, mismatches[0]).exit_code();
}

int cairn::test::all_mismatches(const Communicator& comm) {
  for (const auto& mistake : mismatches) {
    const std::string text = error_of(comm, mistake).what();
    std::string first = text;
    bcast(comm, into(first));
    const bool same = agree(comm, text == first);
    if (comm.is_root()) {
      std::printf("%s: %s\n", mistake.name,
                  same ? text.c_str() : "not the same error on all ranks");
    }
  }
  return 0;
}

int cairn::test::right_calls(const Communicator& comm) {
  const auto product = commutative([](double a, double b) { return a * b; });
  all_reduce(comm, x);
  if (comm.is_root()) {
    all_reduce(comm, x, product);
  } else {
    all_reduce(comm, std::span(x), product);
  }
  bcast(async(comm), masses).wait();
  auto planned = bcast(plan(comm), masses);
  planned.start();
  planned.wait();
  ExactSum sum;
  if (comm.is_root()) {
    sum = all_reduce(comm, sum);
  } else {
    all_reduce(comm, std::span(&sum, 1));
  }
  (void)exact_dot(comm, x, x);
  exact_sums(comm, x, x);
  for (const Route route : {Route::automatic, Route::direct, Route::grid}) {
    sparse_exchange(comm, Outbox<double>(), doubles, {.route = route});
  }
  barrier(CartesianGrid(comm.split(comm.rank() % 2), 1).comm());
  barrier(NeighbourGraph(comm.duplicate("copy"), {}, {}).comm());
  if (comm.size() == 3) {
    all_gather_v(comm, pair, x, Layout{even, comm.is_root() ? starts : Counts{4, 2, 0}});
    reduce_scatter(comm, six, pair, wide_even);
  }
  std::puts("fine");
  return 0;
}
