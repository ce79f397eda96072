// Errors of MPI become Error{mpi_failure} on the ranks that see them, in each way of a call, and
// the other ranks go on. The error is a message that is longer than one rank's buffer, or a call
// that does not start.

#include <mpi.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/collectives/async.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/count.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/requests.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

/// Eager, and by rendezvous; but Open MPI writes past the buffer of a rank that sends itself a long
/// message.
std::vector<std::size_t> lengths() {
  if (test::world().size() == 1) return {10};
  return {10, 20000};
}

enum class Ends { well, truncated };

/// Checks how `call` ends on this rank, and that all ranks go on: none waits in a collective.
template <typename Call>
void check_end(Ends expected, const Call& call) {
  const auto& comm = test::world();
  std::optional<Error> error;
  try {
    call();
  } catch (const Error& e) {
    error = e;
  }
  CHECK(error.has_value() == (expected == Ends::truncated));
  if (error) {
    CHECK(error->code() == Errc::mpi_failure);
    CHECK_FALSE(error->agreed());
    CHECK(std::string(error->what()).find("MPI_ERR_TRUNCATE") != std::string::npos);
  }
  CHECK(all_reduce(comm, comm.rank()) == comm.size() * (comm.size() - 1) / 2);
  barrier(comm);
}

template <typename Future>
void test_until_done(Future future) {
  while (!future.test()) {
  }
}

int next_rank() { return (test::world().rank() + 1) % test::world().size(); }
int previous_rank() {
  return (test::world().rank() + test::world().size() - 1) % test::world().size();
}

}  // namespace

TEST_CASE("a bcast that is too long for one rank fails there alone, in each way") {
  const auto& comm = test::world();
  // The last rank passes nothing on.
  const bool is_short = comm.size() > 1 && comm.rank() == comm.size() - 1;
  const Ends expected = is_short ? Ends::truncated : Ends::well;
  // Open MPI's blocking one hangs among three ranks of which one has another length.
  const auto two = comm.split(comm.rank() >= comm.size() - 2 ? 1 : 0);
  for (const std::size_t n : lengths()) {
    CAPTURE(n);
    std::vector<int> x(is_short ? n / 2 : n, two.is_root() ? 7 : 0);
    check_end(expected, [&] { bcast(two, x); });
    CHECK((is_short || x == std::vector<int>(n, 7)));
    const auto refill = [&] { x.assign(x.size(), comm.is_root() ? 7 : 0); };
    const auto check_data = [&] { CHECK((is_short || x == std::vector<int>(n, 7))); };
    refill();
    check_end(expected, [&] { bcast(async(comm), x).wait(); });
    check_data();
    refill();
    check_end(expected, [&] { test_until_done(bcast(async(comm), x)); });
    check_data();
    auto planned = bcast(plan(comm), x);
    for (int start = 0; start < 2; ++start) {
      refill();
      check_end(expected, [&] {
        planned.start();
        planned.wait();
      });
      check_data();
    }
    auto moved = bcast(async(comm), std::move(x));
    check_end(expected, [&] { x = moved.wait(); });
    check_data();
  }
}

TEST_CASE("a plan whose call has failed is started again") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  for (const std::size_t n : lengths()) {
    CAPTURE(n);
    std::vector<int> counts(p, static_cast<int>(n));
    std::vector<int> at(p);
    std::vector<int> all(comm.is_root() ? n * p : 0);
    const std::vector<int> mine(n, comm.rank() + 1);
    packed_displacements(counts, at);
    auto gathered = gather_v(plan(comm), mine, all, Layout{counts, at});
    const auto call = [&] {
      gathered.start();
      gathered.wait();
    };
    check_end(Ends::well, call);
    counts.back() /= 2;  // the layout is lent
    check_end(comm.is_root() ? Ends::truncated : Ends::well, call);
    counts.back() *= 2;
    all.assign(all.size(), 0);
    check_end(Ends::well, call);
    if (!comm.is_root()) continue;
    CHECK(all.front() == 1);
    CHECK(all.back() == comm.size());
  }
}

TEST_CASE("a message that is too long fails where it is received") {
  const auto& comm = test::world();
  const bool is_short = comm.rank() == comm.size() - 1;
  const Ends expected = is_short ? Ends::truncated : Ends::well;
  for (const std::size_t n : lengths()) {
    CAPTURE(n);
    const std::vector<int> out(n, comm.rank());
    std::vector<int> in(is_short ? n / 2 : n);
    const auto check_receive = [&](const auto& call) {
      auto sent = send(async(comm), out, next_rank());
      check_end(expected, call);
      sent.wait();
      CHECK((is_short || in == std::vector<int>(n, previous_rank())));
    };
    check_receive([&] { (void)receive(comm, in, previous_rank()); });
    check_receive([&] { (void)receive(async(comm), in, previous_rank()).wait(); });
    check_receive([&] { test_until_done(receive(async(comm), in, previous_rank())); });
    auto planned = receive(plan(comm), in, previous_rank());
    check_receive([&] {
      planned.start();
      planned.wait();
    });
    check_receive([&] {
      auto message = probe(comm, previous_rank(), 0);
      CHECK(message.count<int>() == n);
      (void)message.receive(in);  // it is gone, though in vain
    });
  }
}

namespace {

/// Three messages from the rank before the last one to the last, where message `failing` is too
/// long and the third one comes late.
void check_three_messages(std::size_t failing, bool by_test) {
  constexpr std::size_t n = 20000;
  const auto& comm = test::world();
  const int receiver = comm.size() - 1;
  const std::vector<int> out(n, 5);
  std::array<std::vector<int>, 3> in;
  detail::Requests requests;
  for (std::size_t i = 0; i < in.size() && comm.rank() == receiver; ++i) {
    in[i].resize(i == failing ? n / 2 : n);
    check_mpi(MPI_Irecv(in[i].data(), static_cast<int>(in[i].size()), MPI_INT, previous_rank(),
                        static_cast<int>(i), comm.native(), &requests.next()),
              "MPI_Irecv");
  }
  for (int i = 0; i < 3 && next_rank() == receiver; ++i) {
    if (i == 2) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    send(comm, out, receiver, i);
  }
  const bool fails = comm.rank() == receiver && failing < in.size();
  std::vector<int> last;
  check_end(fails ? Ends::truncated : Ends::well, [&] {
    try {
      while (by_test && !requests.test()) {
      }
      if (!by_test) requests.wait();
    } catch (const Error&) {
      last = in[2];  // as it is when the error comes
      throw;
    }
    last = in[2];
  });
  CHECK((comm.rank() != receiver || failing == 2 || last == out));
  CHECK_FALSE(requests.pending());
}

}  // namespace

TEST_CASE("all requests of a call are completed, and the first that failed gives the reason") {
  if (test::world().size() == 1) return;  // Open MPI cuts short what is received from oneself
  for (const std::size_t failing : {0, 1, 2, 3}) {
    for (const bool by_test : {false, true}) {
      CAPTURE(failing);
      CAPTURE(by_test);
      check_three_messages(failing, by_test);
    }
  }
}

namespace {

int calls_until_failure = 0;

}  // namespace

/// MPI's own, but for the call that fails without having started.
extern "C" int MPI_Iallreduce(const void* in, void* out, int count, MPI_Datatype type, MPI_Op op,
                              MPI_Comm comm, MPI_Request* request) {
  if (calls_until_failure > 0 && --calls_until_failure == 0) return MPI_ERR_NO_MEM;
  return PMPI_Iallreduce(in, out, count, type, op, comm, request);
}

TEST_CASE("one of several requests that does not start is an error when the others are done") {
  const auto& comm = test::world();
  const auto most = std::exchange(detail::max_count, 4);  // ten elements travel in three calls
  std::vector<int> x(10);
  auto planned = all_reduce(plan(comm), x);
  const std::array<std::function<void()>, 3> ways{
      [&] { all_reduce(async(comm), x).wait(); },
      [&] { test_until_done(all_reduce(async(comm), x)); },
      [&] {
        planned.start();
        planned.wait();
      }};
  for (const auto& call : ways) {
    for (const int failing : {1, 2, 3}) {  // on every rank
      CAPTURE(failing);
      x.assign(10, 1);
      calls_until_failure = failing;
      CHECK_THROWS_WITH_AS(call(), doctest::Contains("MPI_ERR_NO_MEM"), Error);
      if (failing > 1) CHECK(x.front() == comm.size());
      if (failing == 2) CHECK(x.back() == comm.size());
      x.assign(10, 1);
      call();
      CHECK(x == std::vector<int>(10, comm.size()));
    }
  }
  detail::max_count = most;
}

TEST_CASE("a halo exchange that fails is over") {
  const CartesianGrid grid(test::world(), 1);
  const bool is_last = grid.neighbour(0, 1) == MPI_PROC_NULL;
  const bool is_short = is_last && grid.dims(0) > 1;
  std::vector<double> field(9, grid.comm().rank());
  HaloExchange halo(grid, std::array{field.size()}, is_last ? 1 : 2, MPI_DOUBLE);
  for (int repeat = 0; repeat < 2; ++repeat) {
    check_end(is_short ? Ends::truncated : Ends::well, [&] { halo.exchange(field.data()); });
  }
}
