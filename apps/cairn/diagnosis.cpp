#include "diagnosis.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "cairn/core/error.hpp"
#include "processes.hpp"

namespace cairn::tool {

std::string describe_exit(int exit_code) {
  if (exit_code > 128 && exit_code < 128 + SIGRTMIN && sigabbrev_np(exit_code - 128) != nullptr) {
    return fmt::format("signal {} ({})", exit_code - 128, strsignal(exit_code - 128));
  }
  return fmt::format("exit code {}", exit_code);
}

bool is_crash(int exit_code) {
  return exit_code == static_cast<int>(Errc::unavailable) ||
         (exit_code >= 128 && exit_code != static_cast<int>(Errc::interrupted));
}

namespace {

bool is_job_of_several_nodes() {
  const char* nodes = std::getenv("SLURM_JOB_NUM_NODES");
  return nodes != nullptr && std::atoi(nodes) > 1;
}

}  // namespace

bool is_lost_node(int exit_code) {
  // Codes of mpirun 4.1 whose daemon on another machine is gone.
  constexpr int daemon_was_lost = 205;
  constexpr int launcher_was_lost = 255;
  return (exit_code == daemon_was_lost || exit_code == launcher_was_lost) &&
         is_job_of_several_nodes();
}

std::optional<std::string> ask_mpirun(const LaunchPlan& plan) {
  if (is_job_of_several_nodes()) return std::nullopt;  // a lost node would keep it waiting
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  auto words = plan.mpirun;
  words.insert(words.end(), {"-n", std::to_string(plan.ranks), "true"});
  const auto arguments = exec_arguments(words);
  const pid_t child = ::fork();
  if (child == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);  // `cairn run` keeps the stop signals blocked
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::unsetenv("OMPI_MCA_orte_execute_quiet");
    ::execvp(arguments.front(), arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> piece{};
  pollfd readable{ends[0], POLLIN, 0};
  while (child > 0 && ::poll(&readable, 1, 10000) > 0) {
    const auto size = ::read(ends[0], piece.data(), piece.size());
    if (size <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  if (child < 0) return std::nullopt;
  int status = 0;
  if (::waitpid(child, &status, WNOHANG) ==
      0) {  // its output has ended, or it was silent for too long
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
  }
  if (status == 0) return std::nullopt;
  return text;
}

}  // namespace cairn::tool
