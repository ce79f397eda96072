// A program that makes one mistake, named by its argument; misuse.py says how it has to end.

#include <mpi.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/async.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/core/error.hpp"
#include "mismatches.hpp"

using namespace cairn;
using namespace cairn::test;

namespace {

/// Committed datatypes and operations that nobody has freed; never destroyed.
std::set<const void*>& alive() {
  static auto* const handles = new std::set<const void*>;
  return *handles;
}

}  // namespace

// MPI's profiling interface.
extern "C" {

int MPI_Type_commit(MPI_Datatype* type) {
  alive().insert(*type);
  return PMPI_Type_commit(type);
}
int MPI_Type_free(MPI_Datatype* type) {
  alive().erase(*type);
  return PMPI_Type_free(type);
}
int MPI_Op_create(MPI_User_function* function, int commute, MPI_Op* op) {
  const int code = PMPI_Op_create(function, commute, op);
  alive().insert(*op);
  return code;
}
int MPI_Op_free(MPI_Op* op) {
  alive().erase(*op);
  return PMPI_Op_free(op);
}

}  // extern "C"

namespace {

struct Pair {
  int a;
  int b;
};

/// Everything that lives until after MPI_Finalize in a careless program.
struct Statics {
  std::vector<Communicator> communicators;
  std::vector<Future<>> finished;
  std::vector<Plan<>> plans;
};
Statics statics;

void use_everything(const Communicator& comm) {
  (void)all_reduce(comm, 1, commutative([](int a, int b) { return a * b; }));
  (void)all_reduce(comm, 1, ordered([](int a, int b) { return a + b; }));
  static std::vector<Pair> pairs(3);
  bcast(comm, pairs);
  statics.communicators.push_back(comm.duplicate("static"));
  (void)statics.communicators.back().internal();
  statics.finished.push_back(bcast(async(comm), pairs));
  statics.finished.back().wait();
  statics.plans.push_back(bcast(plan(statics.communicators.back()), pairs));
  statics.plans.back().start();
  statics.plans.back().wait();
}

/// A host program that ends MPI from a static object made before all of ours.
struct EndsMpiLate {
  bool wanted = false;
  ~EndsMpiLate() {
    if (!wanted) return;
    MPI_Finalize();
    if (!alive().empty()) std::_Exit(6);
  }
};

}  // namespace

template <>
inline constexpr auto cairn::members_of<Pair> = cairn::Members<&Pair::a, &Pair::b>{};

int main(int argc, char** argv) {
  const std::string mistake = argc > 1 ? argv[1] : "";
  static EndsMpiLate late;
  if (mistake == "host-ends-mpi-late") {
    late.wanted = true;
    int provided = MPI_THREAD_SINGLE;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    const Runtime runtime(argc, argv);
    (void)all_reduce(runtime.world(), 1, ordered([](int a, int b) { return a + b; }));
    return 0;
  }
  if (mistake == "host-is-single") {
    MPI_Init(&argc, &argv);
    try {
      const Runtime runtime(argc, argv);
    } catch (const Error& error) {
      std::printf("%s\n", error.what());
    }
    {
      const Runtime runtime(argc, argv, {.thread_level = MPI_THREAD_SINGLE});
      barrier(runtime.world());
      std::printf("joined\n");
    }
    MPI_Finalize();
    return 0;
  }
  if (mistake == "check") {
    try {
      const Runtime runtime(argc, argv);
    } catch (const Error& error) {
      // And 0, as mpirun ends the others when one rank fails.
      std::printf("%d%s: %s\n", error.exit_code(), error.agreed() ? " agreed" : "", error.what());
    }
    return 0;
  }
  if (mistake == "host-owns-mpi") {
    int provided = MPI_THREAD_SINGLE;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    {
      const Runtime runtime(argc, argv);
      use_everything(runtime.world());
    }
    if (alive().size() < 3) return 4;  // two operations and a datatype are kept until now
    MPI_Finalize();
    return alive().empty() ? 0 : 5;  // the static objects go after MPI has
  }
  const Runtime runtime(argc, argv);
  const auto& comm = runtime.world();
  if (mistake == "statics") {
    use_everything(comm);
    return 0;
  }
  if (mistake == "unfinished-future") {
    std::vector<double> x(100000, 1.0);
    const auto future = all_reduce(async(comm), x);
    return 0;
  }
  if (mistake == "unfinished-plan") {
    std::vector<double> x(100000, 1.0);
    auto sum = all_reduce(plan(comm), x);
    sum.start();
    return 0;
  }
  if (mistake == "twice") {
    auto future = all_reduce(async(comm), 1);
    (void)future.wait();
    try {
      (void)future.wait();
    } catch (const Error& error) {
      std::printf("%s\n", error.what());
      return 3;
    }
    return 0;
  }
  if (mistake == "unfinished-halo") {
    std::vector<double> field(10);
    const CartesianGrid grid(comm, 1);
    HaloExchange halo(grid, std::array{field.size()}, 1, MPI_DOUBLE);
    halo.start(field.data());
    return 0;
  }
  if (mistake.ends_with("-meets-an-error")) {
    std::vector<double> x(100000, 1.0);
    try {
      const CartesianGrid grid(comm, 1);
      HaloExchange halo(grid, std::array{x.size()}, 1, MPI_DOUBLE);
      auto sum = all_reduce(plan(comm), x);
      if (mistake.starts_with("halo")) halo.start(x.data());
      if (mistake.starts_with("plan")) sum.start();
      if (mistake.starts_with("future")) {
        const auto future = all_reduce(async(comm), x);
        throw Error(Errc::bad_data, "the cause");
      }
      throw Error(Errc::bad_data, "the cause");
    } catch (const Error&) {
      return 3;
    }
  }
  if (mistake == "unreceived-message" || mistake == "unreceived-for-a-reason") {
    send(comm, 1.0, (comm.rank() + 1) % comm.size());
    try {
      const auto message = probe(comm, MPI_ANY_SOURCE, 0);
      if (mistake == "unreceived-for-a-reason") throw Error(Errc::usage, "no room");
    } catch (const Error&) {
      return 3;
    }
    return 0;
  }
  if (mistake == "mismatch") return one_mismatch(comm);
  if (mistake == "mismatches") return all_mismatches(comm);
  return right_calls(comm);
}
