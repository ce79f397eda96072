"""What the compiler says first when a call is wrong: advice, not internals.

    compile_errors.py COMPILER FLAG...

Each case is a function body; the first line with "error:" has to hold its text. Cases with None have to compile.
"""

import pathlib
import subprocess
import sys
import tempfile

PRELUDE = """
#include <array>
#include <complex>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "cairn/collectives/async.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_async.hpp"
#include "cairn/collectives/fresh.hpp"
#include "cairn/collectives/neighbour.hpp"
#include "cairn/collectives/node_engine.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/sparse.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/collectives/wide_neighbour.hpp"
using namespace cairn;
struct Undescribed { int a; double b; };
struct Named { int a; std::string name; };
struct View { int a; const char* text; };
struct Good { int a; double b; };
struct Forgotten { double a; float b; bool c; };
struct ForgottenArray { float a[3]; float b[2]; double c; };
struct Base { double a; double b; };
struct Derived : Base { int c; int d; };
struct ForgottenDerived : Base { int c; int d; };
struct Twice : Base { int e; };
struct Deep : Twice { int c; int d; };
struct ForgottenDeep : Twice { int c; int d; };
struct Long { double a[4000]; int b; int c; };
struct ForgottenLong { double a[300]; int b; int c; };
struct Tag {};
struct Tagged : Tag { Tag tag; float a[2][2]; std::array<float, 3> b; Good c; std::complex<double> d; };
template <> inline constexpr auto cairn::members_of<Named> = cairn::Members<&Named::a, &Named::name>{};
template <> inline constexpr auto cairn::members_of<View> = cairn::Members<&View::a, &View::text>{};
template <> inline constexpr auto cairn::members_of<Forgotten> = cairn::Members<&Forgotten::a, &Forgotten::b>{};
template <> inline constexpr auto cairn::members_of<ForgottenArray> = cairn::Members<&ForgottenArray::a, &ForgottenArray::c>{};
template <> inline constexpr auto cairn::members_of<Derived> = cairn::Members<&Derived::d, &Derived::b, &Derived::a, &Derived::c>{};
template <> inline constexpr auto cairn::members_of<ForgottenDerived> = cairn::Members<&ForgottenDerived::a, &ForgottenDerived::b, &ForgottenDerived::c>{};
template <> inline constexpr auto cairn::members_of<Deep> = cairn::Members<&Deep::a, &Deep::b, &Deep::e, &Deep::c, &Deep::d>{};
template <> inline constexpr auto cairn::members_of<ForgottenDeep> = cairn::Members<&ForgottenDeep::a, &ForgottenDeep::b, &ForgottenDeep::e, &ForgottenDeep::c>{};
template <> inline constexpr auto cairn::members_of<Long> = cairn::Members<&Long::a, &Long::b, &Long::c>{};
template <> inline constexpr auto cairn::members_of<ForgottenLong> = cairn::Members<&ForgottenLong::a, &ForgottenLong::b>{};
template <> inline constexpr auto cairn::members_of<Tagged> = cairn::Members<&Tagged::a, &Tagged::b, &Tagged::c, &Tagged::d>{};
template <> inline constexpr auto cairn::members_of<Good> = cairn::Members<&Good::a, &Good::b>{};
void test(const Communicator& comm, Layout layout, WideLayout wide) {
  [[maybe_unused]] std::vector<double> in(3);
  [[maybe_unused]] std::vector<double> out;
  [[maybe_unused]] std::vector<float> other(3);
"""

CASES = [
    ("std::vector<Good> x(3); bcast(comm, x); auto f = bcast(async(comm), x); f.wait();", None),
    ("std::vector<double> x(3); all_reduce(comm, x); auto y = all_gather(comm, x, fresh);", None),
    ("std::vector<Undescribed> x(3); bcast(comm, x);", "describe a struct with template <> inline constexpr"),
    ("(void)bcast(comm, Undescribed{});", "describe a struct with template <> inline constexpr"),
    ("std::vector<std::string> x(3); bcast(comm, x);", "a pointer, view or container means nothing on another rank"),
    ("std::vector<std::string_view> x(3); bcast(comm, x);", "a pointer, view or container means nothing"),
    ("std::vector<int*> x(3); bcast(comm, x);", "a pointer, view or container means nothing on another rank"),
    ("std::vector<View> x(3); bcast(comm, x);", "members_of names a member that cannot travel"),
    ("std::vector<Named> x(3); bcast(comm, x);", "has to be trivially copyable to travel"),
    ("std::vector<Forgotten> x(3); bcast(comm, x);", "members_of leaves out a member of this struct"),
    ("std::vector<ForgottenArray> x(3); bcast(comm, x);", "members_of leaves out a member of this struct"),
    ("std::vector<ForgottenDerived> x(3); bcast(comm, x);", "members_of leaves out a member of this struct"),
    ("std::vector<ForgottenDeep> x(3); bcast(comm, x);", "members_of leaves out a member of this struct"),
    ("std::vector<Deep> x(3); bcast(comm, x);", None),
    ("std::vector<ForgottenLong> x(3); bcast(comm, x);", "members_of leaves out a member of this struct"),
    ("std::vector<Tagged> x(3); std::vector<Derived> y(3); std::vector<Long> z(3); bcast(comm, x); bcast(comm, y); bcast(comm, z);", None),
    ("std::vector<std::unique_ptr<int>> x(3); bcast(comm, x);", "a pointer, view or container means nothing"),
    ("std::vector<std::optional<int>> x(3); bcast(comm, x);", "a pointer, view or container means nothing"),
    ("std::vector<std::array<int*, 2>> x(3); bcast(comm, x);", "a pointer, view or container means nothing"),
    ("Parts<std::string> x;", "a pointer, view or container means nothing"),
    ("Outbox<int*> x;", "a pointer, view or container means nothing"),
    ("Inbox<Undescribed> x;", "describe a struct with template <> inline constexpr"),
    ("WindowVector<std::string>* x; x->size();", "a pointer, view or container means nothing"),
    ("std::vector<std::string> x; bcast(comm, into(x));", "a pointer, view or container means nothing"),
    ("Parts<float> x; all_gather_v(comm, in, x);", "input and parts have the same type of elements"),
    ("double x[3]; double* p = x; bcast(comm, p);", "pass std::span(pointer, count)"),
    ("std::list<int> x(3); bcast(comm, x);", "copy this range into a std::vector"),
    ("std::vector<bool> x(3); bcast(comm, x);", "use std::vector<char>"),
    ("const std::vector<int> x(3); bcast(comm, x);", "the elements are const"),
    ("const std::vector<int> x(3); all_reduce(comm, x);", "the elements are const"),
    ("const std::vector<int> x(3), y(3); all_gather(comm, x, y);", "the elements are const"),
    ("std::vector<int> x(3); std::vector<float> y(3); all_gather(comm, x, y);", "same type of elements"),
    ("std::vector<int> x(3); all_reduce(comm, x, [](int a, int b) { return a + b; });", "commutative(f) or ordered(f)"),
    ("std::vector<double> x(3); all_reduce(comm, x, std::plus<>{});", "commutative(f) or ordered(f)"),
    ("std::vector<double> x(3); all_reduce(comm, x, BitAnd{});", "MPI does not define this operation on this type"),
    ("std::vector<Good> x(3); all_reduce(comm, x);", "MPI does not define this operation on this type"),
    ("std::vector<int> x(3); all_reduce(comm, x, commutative([](int a) { return a; }));", "takes two elements"),
    ("std::string text; bcast(comm, text);", "else into(text)"),
    ("struct Sparse { int n; int& data() { return n; } long size() { return 1; } } x; bcast(comm, x);",  # as Eigen's
     "a pointer, view or container means nothing on another rank"),
    ("struct Sparse { int n; int& data() { return n; } long size() { return 1; } } x; all_reduce(comm, x);",
     "a pointer, view or container means nothing on another rank"),
    *[(call + ";", "into() and fresh stand for outputs")
      for call in ("all_reduce(comm, into(in))", "(void)scan(plan(comm), into(in))", "all_reduce(comm, into(in), out)",
                   "(void)all_reduce(comm, fresh)", "gather(comm, into(in), out)", "bcast(comm, fresh)")],
    *[(f"{call};", "an exact sum has no plan")
      for call in ("(void)all_reduce(plan(comm), ExactSum{})", "ExactSum x; all_reduce(plan(comm), x)",
                   "std::vector<ExactSum> x(3); all_reduce(plan(comm), x)",
                   "std::vector<ExactSum> x(3); all_reduce(plan(comm), std::span(x))")],
    ("ExactSum x; (void)all_reduce(comm, x); (void)all_reduce(async(comm), x);", None),
    ("(void)receive(comm, std::vector<int>(3), 0);", "a receive writes to a buffer of the caller's"),
]

# Each call with an output, which stands for {}.
CALLS = [
    "gather(comm, in, {})",
    "gather_v(comm, in, {}, layout)",
    "gather_v(comm, in, {}, wide)",
    "all_gather_v(comm, in, {}, layout)",
    "all_gather_v(comm, in, {}, wide)",
    "scatter(comm, in, {})",
    "scatter_v(comm, in, layout, {})",
    "scatter_v(comm, in, wide, {})",
    "all_to_all(comm, in, {})",
    "all_to_all_v(comm, in, layout, {}, layout)",
    "all_to_all_v(comm, in, wide, {}, wide)",
    "reduce(comm, in, {})",
    "reduce_scatter_block(comm, in, {})",
    "all_reduce(comm, in, {})",
    "scan(comm, in, {})",
    "exscan(comm, in, {})",
    "neighbor_all_gather(comm, in, {})",
    "neighbor_all_gather_v(comm, in, {}, layout)",
    "neighbor_all_gather_v(comm, in, {}, wide)",
    "neighbor_all_to_all(comm, in, {})",
    "neighbor_all_to_all_v(comm, in, layout, {}, layout)",
    "neighbor_all_to_all_v(comm, in, wide, {}, wide)",
]
SIZED = ("scatter", "neighbor_all_to_all(")  # whose outputs say how much comes
CASES += [(call.replace("{}", "other") + ";", "same type of elements") for call in CALLS]
CASES += [(call.replace("{}", "into(in)") + ";", "the size of this output says how much comes")
          for call in CALLS if call.startswith(SIZED)]
CASES += [
    ("".join(call.replace("{}", "into(out)") + ";" for call in CALLS if not call.startswith(SIZED)), None),
    ("double x = 0; reduce(comm, 3.0, x);", "a scalar is not written to"),
    ("double x = 0; scatter(comm, in, x);", "a scalar is not written to"),
    ("double x = 0; gather(comm, 3.0, x);", "a scalar is not written to"),
    *[(f"double x = 0; {call}(comm, x);", "a scalar is taken by value") for call in ("bcast", "all_reduce", "scan", "exscan")],
]

TEMPORARY = "use of deleted function"
CASES += [
    ('bcast(async(comm.duplicate("x")), in).wait();', TEMPORARY),
    ('auto p = bcast(plan(comm.duplicate("x")), in);', TEMPORARY),
    ("HaloExchange halo(CartesianGrid(comm, 1), std::array{in.size()}, 1, MPI_DOUBLE);", TEMPORARY),
    ("NeighbourGraph graph(comm, {}, {}); bcast(async(graph.comm()), in).wait(); auto p = bcast(plan(graph.comm()), in);", None),
]

# The same where a project leaves CMake's CXX_EXTENSIONS on: is_arithmetic holds for more types there.
GNU_CASES = [
    *[(f"std::vector<{wide}> x(3); {call};", "MPI has no datatype for this type of numbers")
      for wide in ("__float128", "__int128", "unsigned __int128") for call in ("bcast(comm, x)", "all_reduce(comm, x)")],
    ("(void)all_reduce(comm, __float128{1});", "MPI has no datatype for this type of numbers"),
    ("std::vector<std::complex<__float128>> x(3); all_reduce(comm, x);", "cannot travel between ranks"),
    ("std::vector<std::array<__int128, 2>> x(3); bcast(comm, x);", "cannot travel between ranks"),
    ("enum class Wide : __int128 {}; std::vector<Wide> x(3); bcast(comm, x);", "MPI has no datatype for this type of numbers"),
    ("std::vector<std::complex<long double>> x(3); all_reduce(comm, x);", None),
    ("std::vector<long double> x(3); all_reduce(comm, x);", None),
]


def first_error(compiler, flags, body):
    with tempfile.TemporaryDirectory(prefix="cairn-test-") as folder:
        source = pathlib.Path(folder) / "case.cpp"
        source.write_text(PRELUDE + "  " + body + "\n}\n")
        ended = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-Werror=unused-result", *flags, source], capture_output=True, text=True,
                               timeout=120)
        errors = [line for line in ended.stderr.splitlines() if "error:" in line]
        return ended.returncode, errors[0] if errors else "", ended.stderr


def main(compiler, *flags):
    bad = 0
    cases = [(body, expected, ()) for body, expected in CASES]
    cases += [(body, expected, ("-std=gnu++20",)) for body, expected in GNU_CASES]
    for body, expected, more_flags in cases:
        code, error, everything = first_error(compiler, (*flags, *more_flags), body)
        if expected is None:
            right = code == 0
        else:
            right = code != 0 and ("cairn: " in error or expected == TEMPORARY) and expected in error
        if not right:
            bad += 1
            print(f"FAILED: {body}\n  expected: {expected or 'that it compiles'}\n  the compiler's first error: "
                  f"{error or everything or 'none'}")
    print(f"{len(cases) - bad} of {len(cases)} cases as expected")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
