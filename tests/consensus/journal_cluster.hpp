/// The nodes of a journal on loopback in one process, and their directories.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "cairn/consensus/journal.hpp"
#include "cairn/consensus/journal_reader.hpp"
#include "cairn/transport/tcp_transport.hpp"
#include "deadline.hpp"
#include "scratch.hpp"

namespace journal_test {

using namespace cairn::consensus;
using cairn::transport::TcpOptions;
using cairn::transport::TcpSecret;
using Network = cairn::transport::TcpTransport<JournalMessage>;
using Node = JournalNode<Network>;

inline JournalEntry epoch(std::uint64_t number) {
  return {.kind = JournalEntry::Kind::epoch, .incarnation = 1, .epoch = number, .ranks = 4};
}

inline TcpSecret secret() { return TcpSecret::from_text("the secret of these tests"); }

inline TcpOptions tcp(const cairn::transport::TcpEndpoint& bind = {}) {
  TcpOptions options;
  options.bind = bind;
  options.retry_first = std::chrono::milliseconds(1);
  options.retry_max = std::chrono::milliseconds(20);
  return options;
}

inline JournalOptions options_of(int node, int nodes) {
  return {.identity = journal_identity("a job of these tests"),
          .node = node,
          .nodes = nodes,
          .tick = std::chrono::milliseconds(10)};
}

/// A node or a replica in a line, for who looks why a test has waited in vain.
template <typename Node>
std::string describe(const Node& node) {
  const auto status = node.status();
  return "\n  term " + std::to_string(status.term) + ", role " +
         std::to_string(static_cast<int>(status.role)) + ", leader " +
         std::to_string(status.leader.value_or(-1)) + ", " + std::to_string(status.voters_heard) +
         " heard, " + std::to_string(node.entries().size()) + " final, " +
         std::to_string(status.waiting) + " wait; " + status.trouble;
}
/// The same of all that live.
template <typename Nodes>
std::string describe_all(const Nodes& nodes) {
  std::string text;
  for (const auto& node : nodes) text += node ? describe(*node) : "\n  down";
  return text;
}

class Cluster {
 public:
  explicit Cluster(int count) : count_(count), networks(count), nodes(count) {
    for (int i = 0; i < count; ++i) create_journal(directory(i), options(i));
    for (int i = 0; i < count; ++i) {
      networks[i] = std::make_unique<Network>(i, secret(), tcp());
      endpoints_.push_back(networks[i]->mesh().endpoint());
    }
    for (auto& network : networks) network->mesh().start(endpoints_);
    for (int i = 0; i < count; ++i) open(i);
  }

  [[nodiscard]] JournalOptions options(int node) const { return options_of(node, count_); }
  [[nodiscard]] std::filesystem::path directory(int node) const {
    return scratch / ("node-" + std::to_string(node));
  }
  [[nodiscard]] std::vector<std::filesystem::path> directories() const {
    std::vector<std::filesystem::path> all;
    for (int i = 0; i < count_; ++i) all.push_back(directory(i));
    return all;
  }

  void open(int i) { nodes[i] = std::make_unique<Node>(*networks[i], directory(i), options(i)); }
  /// The node and its sockets go.
  void kill(int i) {
    nodes[i].reset();
    networks[i].reset();
  }
  void kill_all() {
    for (int i = 0; i < count_; ++i) kill(i);
  }
  /// It comes back without its directory.
  void lose(int i) {
    kill(i);
    std::filesystem::remove_all(directory(i));
    revive(i);
  }
  void revive(int i) {
    networks[i] = std::make_unique<Network>(i, secret(), tcp(endpoints_[i]));
    networks[i]->mesh().start(endpoints_);
    open(i);
  }
  Node& operator[](int i) { return *nodes[i]; }
  [[nodiscard]] const std::vector<cairn::transport::TcpEndpoint>& endpoints() const {
    return endpoints_;
  }

  void poll() {
    for (auto& node : nodes)
      if (node) node->poll();
  }
  template <typename Condition>
  void until(Condition&& holds) {
    const cairn::test::Deadline deadline;
    while (!holds()) {
      deadline.check([&] { return describe_all(nodes); });
      poll();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  [[nodiscard]] bool has(int node, std::uint64_t number) const {
    for (const auto& record : nodes[node]->entries())
      if (record.entry.epoch == number) return true;
    return false;
  }
  /// Appends at one node, and waits until all that live have it as final; one after the other.
  void record(int at, std::uint64_t number) {
    until([&] { return nodes[at]->append(epoch(number)); });
    settle(number);
  }
  void record(int at, std::uint64_t first, std::uint64_t last) {
    for (auto number = first; number <= last; ++number) record(at, number);
  }
  void settle(std::uint64_t number) {
    until([&] {
      for (int i = 0; i < count_; ++i)
        if (nodes[i] && !has(i, number)) return false;
      return true;
    });
  }

 private:
  int count_;
  std::vector<cairn::transport::TcpEndpoint> endpoints_;

 public:
  cairn::test::Scratch scratch;
  std::vector<std::unique_ptr<Network>> networks;
  std::vector<std::unique_ptr<Node>> nodes;
};

inline std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> all(last - first + 1);
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// The epochs that a view or a node has, in its order.
template <typename Records>
std::vector<std::uint64_t> epochs(const Records& records) {
  std::vector<std::uint64_t> numbers;
  for (const auto& record : records) numbers.push_back(record.entry.epoch);
  return numbers;
}

}  // namespace journal_test
