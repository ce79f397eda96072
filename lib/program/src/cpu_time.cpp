#include "cairn/program/cpu_time.hpp"

#include <ctime>

#include "cairn/core/error.hpp"

namespace cairn::program {

namespace {

double seconds_of(clockid_t clock) {
  std::timespec now{};
  check_posix(::clock_gettime(clock, &now), "clock_gettime");
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

double process_cpu_seconds() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

double thread_cpu_seconds() { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace cairn::program
