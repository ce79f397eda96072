// The cases of every transport, in memory: on a calm day and under faults.
#include <doctest/doctest.h>

#include <memory>
#include <numeric>
#include <vector>

#include "cairn/transport/simulated_network.hpp"
#include "cases.hpp"

using namespace cairn::transport;
using transport_cases::Note;

namespace {

static_assert(Transport<SimulatedTransport<Note>, Note>);

Faults calm() { return {}; }
Faults rough() {
  Faults faults;
  faults.loss = 65536 / 3;
  faults.duplication = 65536 / 4;
  faults.delay_max = 8;
  return faults;
}

/// All nodes in one process.
template <Faults (*faults)()>
class SimulatedNet {
 public:
  static constexpr bool loses_nothing = faults == &calm;
  explicit SimulatedNet(int nodes) : network_(nodes, faults(), 1) {
    for (int i = 0; i < nodes; ++i) ends_.emplace_back(network_);
  }
  int nodes() const { return network_.nodes(); }
  std::vector<NodeIndex> here() const {
    std::vector<NodeIndex> all(ends_.size());
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  SimulatedTransport<Note>& operator[](NodeIndex node) {
    return ends_[static_cast<std::size_t>(node)];
  }
  bool all(bool holds) const { return holds; }
  void pass() {
    network_.advance(
        [&](const auto& arrival) { (*this)[arrival.envelope.to].put(arrival.envelope); });
  }
  void close() {}

 private:
  SimulatedNetwork<Note> network_;
  std::vector<SimulatedTransport<Note>> ends_;
};

}  // namespace

TEST_CASE("the simulated transport is a transport") {
  transport_cases::conform<SimulatedNet<calm>>({1, 2, 3, 4, 7});
}

TEST_CASE("… also where a third is lost, a quarter comes twice, and all of it in any order") {
  transport_cases::conform<SimulatedNet<rough>>({1, 2, 3, 4, 7});
}
