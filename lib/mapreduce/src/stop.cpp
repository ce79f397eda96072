#include "cairn/mapreduce/stop.hpp"

#include <csignal>
#include <cstring>
#include <string>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/signals.hpp"

namespace cairn::mapreduce {

void throw_stopped(const Communicator& comm, int signal, std::string_view doing) {
  throw_agreed(comm, static_cast<Errc>(stop_exit_code(signal)),
               "stopped by signal " + std::to_string(signal) + " (SIG" + sigabbrev_np(signal) +
                   ") while " + std::string(doing) +
                   "; nothing was kept, run the same command again");
}

}  // namespace cairn::mapreduce
