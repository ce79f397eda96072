/// Stops and wakes ranks of a test, as a node that hangs does.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "mpi_test.hpp"

namespace cairn::test {

/// The processes of all ranks, which are on one machine.
class Processes {
 public:
  /// Collective. From here on no rank outlives mpirun, stopped or not.
  explicit Processes(const Communicator& comm) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::array<int, 1> mine{static_cast<int>(::getpid())};
    ids_.resize(static_cast<std::size_t>(comm.size()));
    all_gather(comm, mine, ids_);
  }

  /// Returns when the rank is stopped.
  void stop(int rank) const {
    CHECK(::kill(id(rank), SIGSTOP) == 0);
    while (state(rank) != 'T') std::this_thread::yield();
  }
  void wake(int rank) const { CHECK(::kill(id(rank), SIGCONT) == 0); }

 private:
  [[nodiscard]] pid_t id(int rank) const { return ids_[static_cast<std::size_t>(rank)]; }
  /// As in proc(5): the letter behind the name in parentheses.
  [[nodiscard]] char state(int rank) const {
    std::ifstream file("/proc/" + std::to_string(id(rank)) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto end = line.rfind(')');
    return end == std::string::npos || end + 2 >= line.size() ? '?' : line[end + 2];
  }

  std::vector<int> ids_;
};

}  // namespace cairn::test
