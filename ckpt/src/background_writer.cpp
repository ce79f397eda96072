#include "background_writer.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

#include "cairn/core/signals_blocked.hpp"

namespace cairn::ckpt {

namespace {

/// So much nicer than the program: it takes the time that the program leaves.
constexpr int niceness = 10;

}  // namespace

BackgroundWriter::~BackgroundWriter() {
  if (thread_.joinable()) thread_.join();
}

void BackgroundWriter::start(Work work) {
  work_ = std::move(work);
  failure_ = nullptr;
  const SignalsBlocked for_the_thread;  // they are the main thread's
  done_.store(false, std::memory_order_relaxed);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    done_.store(true, std::memory_order_relaxed);
    throw;
  }
}

void BackgroundWriter::run() noexcept {
  // On Linux the priority is the thread's own. Not to get it is no failure.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
  try {
    result_ = work_();
  } catch (...) {
    failure_ = std::current_exception();
  }
  done_.store(true, std::memory_order_release);
}

std::vector<std::uint32_t> BackgroundWriter::take() {
  if (thread_.joinable()) thread_.join();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  return std::exchange(result_, {});
}

}  // namespace cairn::ckpt
