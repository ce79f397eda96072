// The thread that writes an epoch, by itself: no MPI, so that the thread sanitizer can look at it.

#include "background_writer.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>

using cairn::ckpt::BackgroundWriter;
using Result = std::vector<std::uint32_t>;

TEST_CASE("work comes back as it was made, again and again") {
  BackgroundWriter writer;
  CHECK(writer.is_done());
  for (std::uint32_t round = 0; round < 100; ++round) {
    Result input{round, round + 1};
    writer.start([&input] {
      input.push_back(7);
      return input;
    });
    CHECK(writer.take() == Result{round, round + 1, 7});
    CHECK(writer.is_done());
    CHECK(input.size() == 3);  // what the thread wrote is seen here
  }
}

TEST_CASE("is_done says when, and does not wait") {
  BackgroundWriter writer;
  std::atomic<bool> go{false};
  writer.start([&go] {
    while (!go) std::this_thread::yield();
    return Result{1};
  });
  CHECK_FALSE(writer.is_done());
  go = true;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!writer.is_done() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  CHECK(writer.is_done());
  CHECK(writer.take() == Result{1});
}

TEST_CASE("a failure is thrown by take, once, and the next work is not touched by it") {
  BackgroundWriter writer;
  writer.start([]() -> Result { throw std::runtime_error("disk"); });
  CHECK_THROWS_AS((void)writer.take(), std::runtime_error);
  CHECK(writer.take().empty());
  writer.start([] { return Result{2}; });
  CHECK(writer.take() == Result{2});
}

TEST_CASE("the thread is nicer than the program, and leaves signals to it") {
  BackgroundWriter writer;
  int niceness = -100;
  bool is_blocked = false;
  const int mine = ::getpriority(PRIO_PROCESS, 0);
  writer.start([&] {
    niceness = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    is_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGUSR1) == 1;
    return Result{};
  });
  (void)writer.take();
  CHECK(niceness >= mine);
  CHECK(niceness >= 10);
  CHECK(is_blocked);
  CHECK(::getpriority(PRIO_PROCESS, 0) == mine);
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  CHECK(sigismember(&blocked, SIGTERM) == 0);
}

TEST_CASE("destruction waits for the work") {
  bool has_ended = false;
  {
    BackgroundWriter writer;
    writer.start([&has_ended] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      has_ended = true;
      return Result{};
    });
  }
  CHECK(has_ended);
}
