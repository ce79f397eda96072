/// The story of a schedule, as text and as a message-sequence picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cairn/transport/envelope.hpp"

namespace cairn::consensus {

/// What happened to whom, in order. The text of two runs of one seed is the same byte for byte.
class Sequence {
 public:
  enum class What : std::uint8_t {
    note,      ///< about the world: partitions, healing
    at_node,   ///< something that a node did, was told or wrote
    sent,      ///< from `node` to `peer`
    received,  ///< by `node` from `peer`, sent at `since`
    lost,      ///< sent by `node` to `peer`, and gone
    crash,
    restart,
    violation,
  };
  struct Entry {
    std::uint64_t time = 0;
    What what = What::note;
    transport::NodeIndex node = 0;
    transport::NodeIndex peer = 0;
    std::uint64_t since = 0;
    std::string text;
  };

  void add(Entry entry) { entries_.push_back(std::move(entry)); }
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }

  /// One line per entry.
  [[nodiscard]] std::string text() const;
  /// A column per node, time running down, an arrow per message that arrived, a cross where one was
  /// lost or a node crashed. A complete SVG document.
  [[nodiscard]] std::string svg(int nodes, const std::string& title) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace cairn::consensus
