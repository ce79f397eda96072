// Messages over MPI: the cases of every transport, and what a rank that does not answer costs.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "../support/mpi_test.hpp"
#include "../support/stopped.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"
#include "cairn/transport/mpi_transport.hpp"
#include "cases.hpp"

using namespace std::chrono_literals;
using namespace cairn;
using namespace cairn::transport;
using cairn::test::world;
using transport_cases::envelope;
using transport_cases::note;
using transport_cases::Note;
using Closing = MpiMailbox::Closing;

namespace {

static_assert(Transport<MpiTransport<Note>, Note>);

/// One node a process; the cases run with as many as mpirun has started.
class MpiNet {
 public:
  static constexpr bool drops_strangers = true;
  static constexpr bool loses_nothing = true;
  explicit MpiNet(int /*nodes*/) : transport_(world()) {}
  int nodes() const { return world().size(); }
  std::vector<NodeIndex> here() const { return {world().rank()}; }
  MpiTransport<Note>& operator[](NodeIndex) { return transport_; }
  bool all(bool holds) const { return agree(world(), holds); }
  void pass() const { std::this_thread::yield(); }
  void close() {
    CHECK(transport_.mailbox().close(50s) == Closing::clean);
    CHECK_NOTHROW(transport_.mailbox().check());
  }
  std::size_t held(NodeIndex) const { return transport_.mailbox().held(); }
  std::size_t held_max() const {
    return 2 * static_cast<std::size_t>(nodes() - 1) + MpiMailbox::own_max;
  }

 private:
  MpiTransport<Note> transport_;
};

/// Listens until `number` has come from `from`.
void until_heard(MpiTransport<Note>& transport, NodeIndex from, std::uint64_t number) {
  std::array<Envelope<Note>, 8> room{};
  for (bool is_heard = false; !is_heard;) {
    const auto count = transport.poll(room);
    for (std::size_t i = 0; i < count; ++i)
      is_heard = is_heard || (room[i].from == from && room[i].message.number == number);
    std::this_thread::yield();
  }
}

}  // namespace

TEST_CASE("MPI is a transport") { transport_cases::conform<MpiNet>({world().size()}); }

TEST_CASE("one message is in flight, the latest waits, and comes when the first has been taken") {
  if (world().size() < 2) return;
  MpiTransport<Note> transport(world(), {.suspect_after = 1ms});
  auto& mailbox = transport.mailbox();
  const auto self = world().rank();
  if (self == 0) {
    for (std::uint64_t number = 1; number <= 100; ++number) transport.offer(envelope(0, 1, number));
    CHECK(mailbox.held() == 2);
    CHECK(mailbox.counts().replaced == 98);
    while (!mailbox.is_suspect(1)) std::this_thread::yield();
    CHECK(mailbox.waiting() == 0);  // not for a suspect
    CHECK_FALSE(mailbox.is_suspect(0));
  }
  barrier(world());
  if (self == 0)
    while (mailbox.held() > 0) mailbox.progress();
  if (self == 1) {
    std::vector<std::uint64_t> heard;
    std::array<Envelope<Note>, 4> room{};
    while (heard.size() < 2) {
      const auto count = transport.poll(room);
      for (std::size_t i = 0; i < count; ++i) heard.push_back(room[i].message.number);
    }
    CHECK(heard == std::vector<std::uint64_t>{1, 100});
  }
  CHECK(mailbox.close(50s) == Closing::clean);
  CHECK_FALSE(mailbox.is_suspect(1));
}

TEST_CASE("messages to oneself wait in a ring; the oldest gives way") {
  MpiTransport<Note> transport(world());
  const auto self = world().rank();
  for (std::uint64_t number = 1; number <= MpiMailbox::own_max + 3; ++number)
    transport.offer(envelope(self, self, number));
  std::array<Envelope<Note>, MpiMailbox::own_max + 1> room{};
  CHECK(transport.poll(room) == MpiMailbox::own_max);
  CHECK(room[0] == envelope(self, self, 4));
  CHECK(transport.mailbox().close(50s) == Closing::clean);
}

TEST_CASE("closing waits for its patience and no longer, and may be asked again") {
  if (world().size() < 2) return;
  MpiTransport<Note> transport(world());
  transport.offer(envelope(world().rank(), 0, 1));
  const bool is_late = world().rank() == 0;
  // Those who ask before rank 0 does cannot end.
  if (!is_late) CHECK(transport.mailbox().close(10ms) == Closing::unfinished);
  barrier(world());
  CHECK(transport.mailbox().close(50s) == Closing::clean);
  CHECK(transport.mailbox().close(0ms) == Closing::clean);
  std::array<Envelope<Note>, 4> room{};
  transport.offer(envelope(world().rank(), 0, 2));
  CHECK(transport.poll(room) == 0);
  CHECK(transport.mailbox().held() == 0);
}

TEST_CASE("a transport that goes without a clean end leaves what is under way to the process") {
  {
    MpiTransport<Note> transport(world());
    MpiTransport<Note> other(world());
    transport = std::move(other);
  }
  barrier(world());
}

TEST_CASE("a stopped rank stops nobody, and hears the latest when it wakes") {
  if (world().size() < 3) return;
  MpiTransport<Note> transport(world(), {.suspect_after = 1ms});
  const auto self = world().rank();
  const auto last = world().size() - 1;
  const test::Processes ranks(world());
  barrier(world());
  if (self == 0) {
    ranks.stop(last);
    transport.offer(envelope(0, 1, 1));
    for (std::uint64_t number = 1; number <= 2000; ++number) {
      transport.offer(envelope(0, last, number));
      transport.poll({});
    }
    CHECK(transport.mailbox().held() <= 3);
    // The others talk as before.
    until_heard(transport, 1, 1);
    while (!transport.mailbox().is_suspect(last)) transport.poll({});
    ranks.wake(last);
    while (transport.mailbox().held() > 0) transport.poll({});
  }
  if (self == 1) {
    until_heard(transport, 0, 1);
    transport.offer(envelope(1, 0, 1));
    while (transport.mailbox().held() > 0) transport.poll({});
  }
  if (self == last) until_heard(transport, 0, 2000);
  CHECK(transport.mailbox().close(50s) == Closing::clean);
}
