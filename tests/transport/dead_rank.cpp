// A rank that dies beside others that exchange messages: what it costs them, for mpi_dead.py.
//
// usage: mpirun --enable-recovery -n N dead-rank ROUNDS      N ≥ 3; the last rank kills itself
//
// Every survivor sends to all in each round, the dead one included, and waits for the survivors'.
// It says when it is through, and rank 0 what a round's sending and polling took. Nobody calls
// MPI_Finalize, which would wait for the dead.

#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/transport/mpi_transport.hpp"

namespace {

using namespace cairn;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Message = std::array<std::uint64_t, 16>;  // the round, and as many bytes as a vote has

struct Survivor {
  explicit Survivor(const Communicator& comm) : self(comm.rank()), dead(comm.size() - 1) {}

  /// Sends, and listens once.
  void turn(transport::MpiTransport<Message>& transport, std::uint64_t round) {
    const auto begin = Clock::now();
    for (int to = 0; to <= dead; ++to)
      if (to != self) transport.offer({self, to, {round}});
    listen(transport);
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }

  void listen(transport::MpiTransport<Message>& transport) {
    std::array<transport::Envelope<Message>, 8> room{};
    const auto count = transport.poll(room);
    for (std::size_t i = 0; i < count; ++i) {
      auto& newest = heard[static_cast<std::size_t>(room[i].from)];
      newest = std::max(newest, room[i].message[0]);
    }
  }

  /// Whether all survivors have come as far.
  [[nodiscard]] bool has_heard(std::uint64_t round) const {
    for (int from = 0; from < dead; ++from)
      if (from != self && heard[static_cast<std::size_t>(from)] < round) return false;
    return true;
  }

  int self;
  int dead;
  std::vector<std::uint64_t> heard = std::vector<std::uint64_t>(static_cast<std::size_t>(dead) + 1);
  std::vector<double> seconds;
};

}  // namespace

int main(int argc, char** argv) {
  const Runtime runtime(argc, argv);
  const auto& comm = runtime.world();
  const auto rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (rounds == 0 || comm.size() < 3) return 64;
  transport::MpiTransport<Message> transport(comm, {.suspect_after = 10ms});
  barrier(comm);
  Survivor survivor(comm);
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    if (round == rounds / 10 && comm.rank() == survivor.dead) ::raise(SIGKILL);
    if (comm.rank() == survivor.dead) {
      survivor.turn(transport, 0);  // it only talks, and is gone in the midst of that
      continue;
    }
    survivor.turn(transport, round);
    while (!survivor.has_heard(round)) {
      survivor.listen(transport);
      std::this_thread::yield();
    }
  }
  while (!transport.mailbox().is_suspect(survivor.dead)) survivor.turn(transport, rounds);
  const bool is_bounded = transport.mailbox().held() <= 2 * static_cast<std::size_t>(survivor.dead);
  std::printf("rank %d is through%s\n", comm.rank(), is_bounded ? "" : ", and holds too many");
  std::fflush(stdout);
  if (comm.rank() == 0) {
    auto& seconds = survivor.seconds;
    std::sort(seconds.begin(), seconds.end());
    std::printf("%zu rounds, us: median %.1f, 99.9 %% %.1f, longest %.1f\n", seconds.size(),
                1e6 * seconds[seconds.size() / 2], 1e6 * seconds[seconds.size() * 999 / 1000],
                1e6 * seconds.back());
    std::fflush(stdout);
  }
  // The last messages to others are still to be taken.
  const auto end = Clock::now() + 1s;
  while (Clock::now() < end) survivor.listen(transport);
  ::_exit(0);
}
