#include "launch.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "cairn/core/error.hpp"
#include "processes.hpp"

namespace cairn::tool {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

double unix_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Under nohup. A signal that is ignored must not be blocked: then it would arrive.
bool is_ignored(int signal) {
  struct sigaction action = {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set, signal);
  if (!is_ignored(SIGHUP)) sigaddset(&set, SIGHUP);
  return set;
}

/// A file descriptor of our own; -1 for none.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// A descriptor that becomes readable when the process ends; none where the system has no such.
Descriptor process_descriptor(pid_t process) {
  return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

std::vector<std::string> command_line(const LaunchPlan& plan) {
  auto words = plan.mpirun;
  words.insert(words.end(), {"-n", std::to_string(plan.ranks)});
  words.insert(words.end(), plan.program.begin(), plan.program.end());
  return words;
}

/// Becomes mpirun; in the child. Returns only when that failed.
void become_mpirun(const LaunchPlan& plan, const std::vector<char*>& arguments, pid_t parent) {
  // When `cairn run` is killed mpirun gets SIGTERM, and ends its ranks.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  ::setpgid(0, 0);  // Ctrl-C goes to `cairn run` alone
  const auto set = stop_set();
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  for (const auto& [name, value] : plan.environment) ::setenv(name.c_str(), value.c_str(), 1);
  ::execvp(arguments.front(), arguments.data());
}

pid_t start(const LaunchPlan& plan) {
  auto words = command_line(plan);
  const auto arguments = exec_arguments(words);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw Error(Errc::unavailable, "no process could be made for mpirun; try again");
  if (child == 0) {
    become_mpirun(plan, arguments, parent);
    ::_exit(static_cast<int>(Errc::unavailable));
  }
  ::setpgid(child, child);  // here too: whoever comes first
  start_guard(child);
  return child;
}

/// Which rank of this machine ends first, and when. mpirun kills the others within a millisecond,
/// so that we may find several ended at once; but epoll hands them out in the order of their ends.
class RankWatch {
 public:
  RankWatch(pid_t mpirun, int ranks)
      : mpirun_(mpirun),
        ranks_(static_cast<std::size_t>(ranks)),
        queue_(::epoll_create1(EPOLL_CLOEXEC)) {}

  /// Looks for ranks that have appeared under mpirun.
  void look() {
    if (is_complete()) return;
    for (const auto process : children_of(mpirun_)) {
      if (watched_.contains(process)) continue;
      if (const auto rank = rank_of(process)) watch(process, *rank);
    }
  }

  /// Whether looking again is useless: all were found, or it took too long (other machines).
  [[nodiscard]] bool is_complete() const {
    return watched_.size() >= ranks_ || Clock::now() - began_ > std::chrono::seconds(20);
  }

  [[nodiscard]] bool has_any() const { return !watched_.empty(); }

  /// Readable when a rank has ended; -1 once the first is known.
  [[nodiscard]] int descriptor() const { return first_ ? -1 : queue_.number(); }

  /// Notes the first rank that has ended, if any has.
  void note() {
    epoll_event event = {};
    if (first_ || ::epoll_wait(queue_.number(), &event, 1, 0) != 1) return;
    first_ = static_cast<int>(event.data.u32);
    ended_at_ = unix_time();
  }

  [[nodiscard]] std::optional<int> first() const { return first_; }
  [[nodiscard]] double ended_at() const { return ended_at_; }

 private:
  void watch(pid_t process, int rank) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<std::uint32_t>(rank);
    const auto& descriptor = watched_.emplace(process, process_descriptor(process)).first->second;
    ::epoll_ctl(queue_.number(), EPOLL_CTL_ADD, descriptor.number(), &event);
  }

  pid_t mpirun_;
  std::size_t ranks_;
  Clock::time_point began_ = Clock::now();
  Descriptor queue_;
  std::map<pid_t, Descriptor> watched_;
  std::optional<int> first_;
  double ended_at_ = 0;
};

/// What a request to stop leads to.
class Stopping {
 public:
  Stopping(pid_t mpirun, std::chrono::seconds grace) : mpirun_(mpirun), grace_(grace) {}

  void request(int signal) {
    if (signal == 0) return;
    if (signal_ == 0) {
      signal_ = signal;
      deadline_ = Clock::now() + grace_;
      next_ = Clock::now();
    } else if (signal == SIGINT) {
      deadline_ = Clock::now();
    }
  }

  /// Tells the ranks; again while none of them has been seen, since mpirun loses signals when it
  /// starts. Once is enough after that, and a signal that reaches mpirun when it ends would kill
  /// it.
  void tell(const RankWatch& ranks) {
    if (signal_ == 0 || was_heard_ || ranks.first() || Clock::now() < next_) return;
    ::kill(mpirun_, SIGUSR1);
    was_heard_ = ranks.has_any() || ranks.is_complete();
    next_ = Clock::now() + milliseconds(200);
  }

  [[nodiscard]] int signal() const { return signal_; }
  [[nodiscard]] bool is_over() const { return signal_ != 0 && Clock::now() >= deadline_; }

 private:
  pid_t mpirun_;
  std::chrono::seconds grace_;
  int signal_ = 0;
  bool was_heard_ = false;
  Clock::time_point deadline_;
  Clock::time_point next_;
};

/// mpirun 4.1 can deadlock in its own end (in PMIx_server_finalize) when ranks die while they
/// start: for five seconds its children have ended, and it has not. A launcher that never had a
/// child may have its ranks elsewhere, and is left alone.
class Hang {
 public:
  [[nodiscard]] bool is_over(pid_t mpirun, bool has_seen_ranks) {
    if (Clock::now() < next_look_) return false;
    next_look_ = Clock::now() + milliseconds(500);
    const auto children = state_of_children(mpirun);
    const bool is_idle =
        children == Children::all_dead || (children == Children::none && has_seen_ranks);
    if (!is_idle) idle_since_ = Clock::now();
    return Clock::now() - idle_since_ > std::chrono::seconds(5);
  }

 private:
  Clock::time_point next_look_ = Clock::now();
  Clock::time_point idle_since_ = Clock::now();
};

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

StopSignals::StopSignals() {
  const auto set = stop_set();
  check_posix(sigprocmask(SIG_BLOCK, &set, nullptr), "sigprocmask");
  descriptor_ = check_posix(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
}

StopSignals::~StopSignals() { ::close(descriptor_); }

int StopSignals::next() noexcept {
  signalfd_siginfo information = {};
  const auto size = ::read(descriptor_, &information, sizeof information);
  return size == sizeof information ? static_cast<int>(information.ssi_signo) : 0;
}

int StopSignals::wait(milliseconds time) noexcept {
  pollfd descriptor{descriptor_, POLLIN, 0};
  ::poll(&descriptor, 1, static_cast<int>(time.count()));
  return next();
}

LaunchEnd run_launch(const LaunchPlan& plan, StopSignals& signals) {
  LaunchEnd end;
  end.began = unix_time();
  const auto began = Clock::now();
  end.mpirun = start(plan);
  const auto mpirun = process_descriptor(end.mpirun);
  RankWatch ranks(end.mpirun, plan.ranks);
  Stopping stopping(end.mpirun, plan.grace);
  Hang hang;

  int status = 0;
  while (::waitpid(end.mpirun, &status, WNOHANG) == 0) {
    ranks.look();
    // poll() passes over descriptors of -1
    std::array<pollfd, 3> descriptors{{{signals.descriptor(), POLLIN, 0},
                                       {mpirun.number(), POLLIN, 0},
                                       {ranks.descriptor(), POLLIN, 0}}};
    const bool may_sleep = ranks.is_complete() && stopping.signal() == 0 && mpirun.number() >= 0;
    ::poll(descriptors.data(), descriptors.size(), may_sleep ? 1000 : 50);
    ranks.note();
    stopping.request(signals.next());
    stopping.tell(ranks);
    end.was_killed = stopping.is_over();
    end.mpirun_hung = hang.is_over(end.mpirun, ranks.has_any());
    if (end.was_killed || end.mpirun_hung) {
      ::kill(end.mpirun, SIGKILL);
      ::waitpid(end.mpirun, &status, 0);
      break;
    }
  }
  ranks.note();
  end_all_children();
  end.exit_code = exit_code_of(status);
  end.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  end.stop_signal = stopping.signal();
  end.first_rank_to_end = ranks.first();
  end.first_rank_ended = ranks.ended_at();
  return end;
}

}  // namespace cairn::tool
