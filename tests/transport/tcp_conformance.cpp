// The cases for all transports, over TCP.

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "cairn/transport/tcp_transport.hpp"
#include "cases.hpp"

using namespace cairn::transport;

namespace {

/// All nodes of a job, on loopback in this process.
class TcpNet {
 public:
  using End = TcpTransport<transport_cases::Note>;
  static constexpr bool drops_strangers = true;
  static constexpr bool loses_nothing = true;

  explicit TcpNet(int nodes) {
    const auto secret = TcpSecret::random();
    std::vector<TcpEndpoint> endpoints;
    for (NodeIndex node = 0; node < nodes; ++node) {
      ends_.push_back(std::make_unique<End>(node, secret));
      endpoints.push_back(ends_.back()->mesh().endpoint());
      here_.push_back(node);
    }
    for (auto& end : ends_) end->mesh().start(endpoints);
  }

  [[nodiscard]] int nodes() const { return static_cast<int>(ends_.size()); }
  [[nodiscard]] const std::vector<NodeIndex>& here() const { return here_; }
  End& operator[](NodeIndex node) { return *ends_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] static bool all(bool holds) { return holds; }
  static void pass() { std::this_thread::sleep_for(std::chrono::microseconds(50)); }
  void close() {}

 private:
  std::vector<std::unique_ptr<End>> ends_;
  std::vector<NodeIndex> here_;
};

}  // namespace

TEST_CASE("TCP is a transport") { transport_cases::conform<TcpNet>({1, 2, 3, 4, 7}); }
