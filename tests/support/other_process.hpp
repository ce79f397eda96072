/// A second process of a test: a fork that runs a function and leaves with its exit code.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>

namespace cairn::test {

class OtherProcess {
 public:
  explicit OtherProcess(const std::function<int()>& work) : pid_(::fork()) {
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it does not outlive the test
    int code = 99;
    try {
      code = work();
    } catch (...) {  // NOLINT(bugprone-empty-catch): the code says it
    }
    ::_exit(code);
  }
  OtherProcess(OtherProcess&& other) noexcept : pid_(other.pid_) { other.pid_ = 0; }
  OtherProcess& operator=(OtherProcess&&) = delete;
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    if (pid_ <= 0) return;
    signal(SIGKILL);
    wait();
  }

  void signal(int number) const { ::kill(pid_, number); }

  /// Whether wait() would return at once.
  [[nodiscard]] bool has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }

  /// Its exit code, or 128 and the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

/// Bytes between processes: who waits goes on when another has posted.
class Gate {
 public:
  Gate() {
    if (::pipe(ends_) != 0) throw std::runtime_error("pipe");
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void post(int times = 1) const {
    for (int i = 0; i < times; ++i) (void)!::write(ends_[1], "x", 1);
  }
  void wait() const {
    char byte = 0;
    (void)!::read(ends_[0], &byte, 1);
  }

 private:
  int ends_[2] = {};
};

}  // namespace cairn::test
