#include "cairn/collectives/signals.hpp"

#include <csignal>
#include <initializer_list>

#include "mpi_test.hpp"

using namespace cairn;

TEST_CASE("a signal to one rank is a fact of all, for every rank and signal") {
  const auto& comm = test::world();
  catch_stop_signals();
  CHECK(agreed_stop_signal(comm) == 0);
  for (int target = 0; target < comm.size(); ++target) {
    for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) {
      catch_stop_signals();
      if (comm.rank() == target) std::raise(signal);
      CHECK(agreed_stop_signal(comm) == signal);
      CHECK(pending_stop_signal() == (comm.rank() == target ? signal : 0));
      request_stop(0);
    }
  }
  CHECK(agreed_stop_signal(comm) == 0);
}

TEST_CASE(
    "catching again after Ctrl-C leaves the second one deadly, until the request is taken back") {
  const auto is_deadly = [] {
    struct sigaction action = {};
    sigaction(SIGINT, nullptr, &action);
    return action.sa_handler == SIG_DFL;
  };
  catch_stop_signals();
  catch_stop_signals();
  CHECK(!is_deadly());
  std::raise(SIGINT);
  CHECK(is_deadly());
  catch_stop_signals();
  CHECK(is_deadly());
  CHECK(pending_stop_signal() == SIGINT);
  request_stop(0);
  catch_stop_signals();
  CHECK(!is_deadly());
}

TEST_CASE("the first signal is kept, and tells the exit code") {
  catch_stop_signals();
  std::raise(SIGUSR1);
  std::raise(SIGTERM);
  CHECK(pending_stop_signal() == SIGUSR1);
  request_stop(0);
  CHECK(stop_exit_code(SIGUSR1) == 75);
  CHECK(stop_exit_code(SIGTERM) == 75);
  CHECK(stop_exit_code(SIGINT) == 130);
}
