#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "cairn/transport/simulated_network.hpp"
#include "cairn/transport/transport.hpp"

using namespace cairn::transport;

namespace {

using Network = SimulatedNetwork<int>;
static_assert(Transport<SimulatedTransport<int>, int>);

std::vector<int> all_that_arrives(Network& network) {
  std::vector<int> arrived;
  while (network.under_way() > 0)
    network.advance([&](const Network::Arrival& a) { arrived.push_back(a.envelope.message); });
  return arrived;
}

std::vector<int> hundred(const Faults& faults, std::uint64_t seed) {
  Network network(2, faults, seed);
  for (int i = 0; i < 100; ++i) network.send({0, 1, i});
  return all_that_arrives(network);
}

}  // namespace

TEST_CASE("on a calm day all messages arrive, in order, after one unit of time") {
  const auto arrived = hundred({}, 1);
  REQUIRE(arrived.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(arrived[i] == i);
}

TEST_CASE("faults obey the seed, and each kind shows") {
  Faults faults;
  faults.loss = 65536 / 4;
  CHECK(hundred(faults, 1).size() < 90);
  CHECK(hundred(faults, 1) == hundred(faults, 1));
  CHECK(hundred(faults, 1) != hundred(faults, 2));
  faults.loss = 0;
  faults.duplication = 65536 / 4;
  CHECK(hundred(faults, 1).size() > 110);
  faults.duplication = 0;
  faults.delay_max = 8;
  const auto shuffled = hundred(faults, 1);
  CHECK(shuffled.size() == 100);
  CHECK_FALSE(std::is_sorted(shuffled.begin(), shuffled.end()));
}

TEST_CASE("a cut drops what is under way, in its direction alone, and spares a node's own words") {
  Network network(2, {}, 1);
  network.send({0, 1, 7});
  network.cut(0, 1);
  network.cut(0, 0);
  CHECK_FALSE(network.send({0, 1, 8}));
  network.send({1, 0, 9});
  network.send({0, 0, 10});
  CHECK(all_that_arrives(network) == std::vector{9, 10});
  network.join(0, 1);
  network.send({0, 1, 11});
  CHECK(all_that_arrives(network) == std::vector{11});
}

TEST_CASE("a transport over the network gives what was put into it, and no more than asked for") {
  Network network(2, {}, 1);
  SimulatedTransport<int> end(network);
  end.offer({0, 1, 5});
  network.advance([&](const Network::Arrival& arrival) { end.put(arrival.envelope); });
  std::array<Envelope<int>, 4> room;
  CHECK(end.poll(std::span(room).first(0)) == 0);
  CHECK(end.poll(room) == 1);
  CHECK(room[0] == Envelope<int>{0, 1, 5});
  CHECK(end.poll(room) == 0);
}
