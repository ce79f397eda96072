#include "cairn/mapreduce/stop.hpp"

#include <string>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/signals.hpp"

namespace cairn::mapreduce {

void throw_stopped(const Communicator& comm, int signal, std::string_view doing) {
  throw_agreed(comm, static_cast<Errc>(stop_exit_code(signal)),
               "stopped on request (" + name_of_signal(signal) + ") while " + std::string(doing) +
                   "; nothing was kept, run the same command again");
}

}  // namespace cairn::mapreduce
