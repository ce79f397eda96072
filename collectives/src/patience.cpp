#include "patience.hpp"

#include <sched.h>

#include <chrono>

#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

/// MPI makes progress once in so many yields.
constexpr unsigned polls_per_progress = 16;

/// A yield that finds nobody else takes some 0.3 µs, a switch to another process and back more.
constexpr std::chrono::nanoseconds longest_idle_yield{1500};

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Patience::pause(unsigned polls) {
  if (polls < limit_) {
    relax();
    return;
  }
  if (polls % polls_per_progress == polls_per_progress - 1) {
    int found = 0;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, progress_, &found, MPI_STATUS_IGNORE),
              "MPI_Iprobe");
  }
  yield();
}

void Patience::yield() {
  const auto begin = std::chrono::steady_clock::now();
  sched_yield();
  const bool others_ran = std::chrono::steady_clock::now() - begin > longest_idle_yield;
  limit_ = others_ran ? limit_ / 2 : most_polls_;
}

}  // namespace cairn::detail
