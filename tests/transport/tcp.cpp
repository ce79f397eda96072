// TcpTransport among friends: messages, queues, peers that die, hang and come back.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cairn/core/error.hpp"
#include "tcp_nodes.hpp"

using namespace tcp_test;

TEST_CASE("every node reaches every node, itself too") {
  for (const int count : {1, 2, 3, 4, 7}) {
    CAPTURE(count);
    Nodes nodes(count);
    for (int from = 0; from < count; ++from)
      for (int to = 0; to < count; ++to) nodes.send(from, to, 100U * from + to);
    nodes.until([&] {
      for (int from = 0; from < count; ++from)
        for (int to = 0; to < count; ++to)
          if (!nodes.has_heard(to, from, 100U * from + to)) return false;
      return true;
    });
    for (const auto& heard : nodes.heard) CHECK(heard.size() == static_cast<std::size_t>(count));
  }
}

TEST_CASE("addresses of IPv6 and names will do") {
  for (const auto* host : {"::1", "localhost"}) {
    CAPTURE(host);
    std::optional<Nodes> nodes;
    try {
      nodes.emplace(2, options(host));
    } catch (const cairn::Error& error) {
      MESSAGE("not here: ", error.what());  // a container without IPv6
      continue;
    }
    nodes->send(0, 1, 7);
    nodes->until([&] { return nodes->has_heard(1, 0, 7); });
  }
}

TEST_CASE("what cannot be is said at the start") {
  CHECK_THROWS_AS(Node(0, secret(), options("no-such-host.invalid")), cairn::Error);
  CHECK_THROWS_AS(Node(-1, secret(), options()), cairn::Error);
  CHECK_THROWS_AS((void)TcpSecret::from_text("short"), cairn::Error);
  Node first(0, secret(), options());
  CHECK_THROWS_AS(Node(1, secret(), options("127.0.0.1", first.mesh().endpoint().port)),
                  cairn::Error);
  Node third(2, secret(), options());
  const std::vector<TcpEndpoint> two(2);
  CHECK_THROWS_AS(third.mesh().start(two), cairn::Error);
  auto none = options();
  none.queue_frames = 0;
  CHECK_THROWS_AS(Node(0, secret(), none), cairn::Error);
}

namespace {

bool may_watch = true;

}  // namespace

/// The one of the C library, unless the system is to have no memory for it.
extern "C" int epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event) noexcept {
  if (may_watch)
    return static_cast<int>(::syscall(SYS_epoll_ctl, epoll, operation, descriptor, event));
  errno = ENOMEM;
  return -1;
}

TEST_CASE("a start that fails has begun nothing, and may be repeated") {
  Node first(0, secret(), options());
  Node second(1, secret(), options());
  std::vector<TcpEndpoint> endpoints{first.mesh().endpoint(), second.mesh().endpoint()};
  auto unknown = endpoints;
  unknown[1].host = "no-such-host.invalid";
  CHECK_THROWS_AS(first.mesh().start(unknown), cairn::Error);
  may_watch = false;
  CHECK_THROWS_AS(first.mesh().start(endpoints), cairn::Error);  // nobody could call it
  may_watch = true;
  CHECK(first.mesh().nodes() == 0);
  CHECK_FALSE(first.mesh().offer(1, {}));
  first.mesh().start(endpoints);
  second.mesh().start(endpoints);
  std::array<Envelope<Note>, 4> room;
  std::size_t heard = 0;
  while (heard < 2) {
    first.offer({.from = 0, .to = 1, .message = note(1)});
    second.offer({.from = 1, .to = 0, .message = note(2)});
    heard =
        std::min<std::size_t>(first.poll(room), 1) + std::min<std::size_t>(second.poll(room), 1);
  }
}

TEST_CASE("to nobody: dropped; before the start: nothing") {
  Nodes nodes(2);
  nodes.send(0, 2, 1);
  nodes.send(0, -1, 1);
  CHECK(nodes.counts(0).dropped == 2);
  Node silent(0, secret(), options());
  silent.offer({.from = 0, .to = 1, .message = note(1)});
  std::array<Envelope<Note>, 4> room;
  CHECK(silent.poll(room) == 0);
}

TEST_CASE("much at once: a part of it arrives, unaltered, in order, once") {
  Nodes nodes(2);
  nodes.connect_all();
  constexpr std::uint64_t count = 20000;
  std::array<Envelope<Note>, 3> room;
  std::uint64_t last = 0;
  std::uint64_t got = 0;
  const auto take = [&] {
    const auto taken = nodes[1].poll(room);
    for (std::size_t i = 0; i < taken; ++i) {
      const auto number = room[i].message.number;
      CHECK(room[i] == Envelope<Note>{0, 1, note(number)});
      CHECK(number > last);
      last = number;
      ++got;
    }
  };
  for (std::uint64_t i = 1; i <= count; ++i) {
    nodes.send(0, 1, i);
    if (i % 7 == 0) take();
  }
  // The last one does not give way to any.
  while (last != count) {
    std::array<Envelope<Note>, 1> none;
    nodes[0].poll(none);
    take();
  }
  CHECK(got + nodes.counts(0).dropped == count);
}

TEST_CASE("a peer that does not listen costs its messages alone, and hears the newest in the end") {
  Nodes nodes(3);
  nodes.connect_all();
  std::array<Envelope<Note>, 16> room;
  for (std::uint64_t i = 1; i <= 30000; ++i) {
    nodes.send(0, 1, i);
    nodes[0].poll(room);  // node 1 is not polled
  }
  CHECK(nodes.counts(0).dropped > 0);
  nodes.send(0, 2, 5);
  while (!nodes.has_heard(2, 0, 5)) {
    nodes[0].poll(room);
    const auto count = nodes[2].poll(room);
    nodes.heard[2].insert(nodes.heard[2].end(), room.begin(), room.begin() + count);
  }
  nodes.until([&] { return nodes.has_heard(1, 0, 30000); });
  CHECK(nodes.heard[1].size() + nodes.counts(0).dropped == 30000);
}

TEST_CASE("what waits for a peer that is not there yet is the newest") {
  Nodes nodes(2);
  nodes.kill(1);
  for (std::uint64_t i = 1; i <= 1000; ++i) nodes.send(0, 1, i);
  const auto kept = options().queue_frames;
  CHECK(nodes.counts(0).dropped == 1000 - kept);
  nodes.revive(1);
  nodes.until([&] { return nodes.has_heard(1, 0, 1000); });
  CHECK(nodes.heard[1].size() == kept);
  CHECK(nodes.heard[1].front().message.number == 1001 - kept);
}

TEST_CASE("a node that dies and comes back at its address is found again, as often as it likes") {
  Nodes nodes(3);
  for (std::uint64_t life = 1; life <= 5; ++life) {
    nodes.connect_all();
    nodes.send(0, 1, life);
    nodes.send(1, 2, life);
    nodes.until([&] { return nodes.has_heard(1, 0, life) && nodes.has_heard(2, 1, life); });
    nodes.kill(1);
    for (std::uint64_t i = 0; i < 10; ++i) {
      nodes.send(0, 1, 1000 + i);
      nodes.send(0, 2, life * 1000 + i);
    }
    nodes.until([&] { return nodes.has_heard(2, 0, life * 1000 + 9); });
    nodes.revive(1);
  }
  nodes.connect_all();
  CHECK(nodes.counts(0).lost_connections > 0);
}

TEST_CASE("a node that comes back elsewhere is found when its peers are told") {
  Nodes nodes(2);
  nodes.connect_all();
  nodes.kill(1);
  nodes.nodes[1] = std::make_unique<Node>(1, secret(), options());
  nodes.mesh(1).start(nodes.endpoints);
  nodes.mesh(0).move_peer(1, nodes.mesh(1).endpoint());
  nodes.send(0, 1, 3);
  nodes.send(1, 0, 4);
  nodes.until([&] { return nodes.has_heard(1, 0, 3) && nodes.has_heard(0, 1, 4); });
}

namespace {

/// Node 1 in a process of its own, which sends back what it hears.
pid_t echo_process(Nodes& nodes) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // stopped or not, it does not outlive the test
  nodes.kill(0);
  std::array<Envelope<Note>, 16> room;
  for (;;) {
    const auto count = nodes[1].poll(room);
    for (std::size_t i = 0; i < count; ++i)
      nodes[1].offer({.from = 1, .to = 0, .message = room[i].message});
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

/// How long calls take, for a look: nothing is asserted about it. Of the longest the processor's
/// time is told, since a busy machine may take the processor away from it.
class Times {
 public:
  template <typename Call>
  void time(Call&& call) {
    const auto begin = std::chrono::steady_clock::now();
    const auto begin_work = work_microseconds();
    call();
    longest_work_ = std::max(longest_work_, work_microseconds() - begin_work);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    took_.push_back(took.count());
  }
  void tell(const std::string& when) {
    std::sort(took_.begin(), took_.end());
    MESSAGE("offer and poll, ", when, ": median ", took_[took_.size() / 2], " us, 99.9 % below ",
            took_[took_.size() - took_.size() / 1000], " us; longest work ", longest_work_, " us");
  }

 private:
  static double work_microseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
  }
  std::vector<double> took_;
  double longest_work_ = 0;
};

void speak(Nodes& nodes, std::uint64_t number) {
  std::array<Envelope<Note>, 16> room;
  nodes.send(0, 1, number);
  nodes[0].poll(room);
}

}  // namespace

TEST_CASE("stopped, woken and killed: nothing waits, and no SIGPIPE comes") {
  ::signal(SIGPIPE, SIG_DFL);
  Nodes nodes(2);
  const pid_t child = echo_process(nodes);
  nodes.kill(1);
  nodes.send(0, 1, 1);
  nodes.until([&] { return nodes.has_heard(0, 1, 1); });

  ::kill(child, SIGSTOP);
  int status = 0;
  CHECK(::waitpid(child, &status, WUNTRACED) == child);
  Times stopped;
  for (std::uint64_t i = 10; i < 50000; ++i) stopped.time([&] { speak(nodes, i); });
  stopped.tell("while the peer is stopped");
  CHECK(nodes.counts(0).dropped > 0);

  ::kill(child, SIGCONT);
  nodes.until([&] { return nodes.has_heard(0, 1, 49999); });

  ::kill(child, SIGKILL);
  CHECK(::waitpid(child, &status, 0) == child);
  Times killed;
  for (std::uint64_t i = 0; i < 50000; ++i) killed.time([&] { speak(nodes, i); });
  killed.tell("after the peer was killed");
  nodes.until([&] { return !nodes.mesh(0).is_connected_to(1); });
}
