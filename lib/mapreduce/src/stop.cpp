#include "cairn/mapreduce/stop.hpp"

#include <csignal>
#include <cstring>
#include <string>

#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"

namespace cairn::mapreduce {

void throw_stopped(int signal, std::string_view doing) {
  Error error(static_cast<Errc>(stop_exit_code(signal)),
              "stopped by signal " + std::to_string(signal) + " (SIG" + sigabbrev_np(signal) +
                  ") while " + std::string(doing) +
                  "; nothing was kept, run the same command again");
  error.mark_agreed();
  throw error;
}

}  // namespace cairn::mapreduce
