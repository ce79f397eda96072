/// Visits every state that a protocol can reach, breadth first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cairn::consensus {

/// A set of 64-bit fingerprints: open addressing, 8 bytes a slot, at most 3/4 full.
///
/// Two states of one fingerprint count as one. Among n states that happens with a probability of
/// about n² / 2^65: 3·10^-4 for 10^8.
class FingerprintSet {
 public:
  FingerprintSet() : slots_(1 << 16) {}

  /// Says whether it is new.
  bool insert(std::uint64_t fingerprint) {
    if (fingerprint == 0) fingerprint = 1;  // 0 marks a free slot
    if (size_ + 1 > slots_.size() / 4 * 3) grow();
    return place(fingerprint);
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return slots_.size() * 8; }

 private:
  bool place(std::uint64_t fingerprint) {
    auto slot = fingerprint & (slots_.size() - 1);
    while (slots_[slot] != 0) {
      if (slots_[slot] == fingerprint) return false;
      slot = (slot + 1) & (slots_.size() - 1);
    }
    slots_[slot] = fingerprint;
    ++size_;
    return true;
  }
  void grow() {
    std::vector<std::uint64_t> old(slots_.size() * 2);
    old.swap(slots_);
    size_ = 0;
    for (const auto fingerprint : old)
      if (fingerprint != 0) place(fingerprint);
  }

  std::vector<std::uint64_t> slots_;
  std::uint64_t size_ = 0;
};

struct Exploration {
  std::uint64_t states = 0;       ///< distinct ones
  std::uint64_t transitions = 0;  ///< also to states that were known
  int depth = 0;                  ///< levels, the initial states being the first, as TLC counts
  bool is_complete = false;       ///< false: stopped at `states_max` or at a violation
  std::string violation;
};

/// Explores `model`, which has a copyable `State` and
///  * `initial(visit)` and `successors(state, visit)`, which call `visit(const State&)`;
///  * `fingerprint(state)`, 64 well mixed bits;
///  * `check(state)`, empty or what is broken.
/// Memory: 11 to 22 bytes a state, and the states of two levels.
template <typename Model>
[[nodiscard]] Exploration explore(Model& model, std::uint64_t states_max = ~std::uint64_t{0}) {
  using State = typename Model::State;
  Exploration result;
  FingerprintSet seen;
  std::vector<State> level;
  std::vector<State> next;
  const auto visit = [&](const State& state) {
    ++result.transitions;
    if (!seen.insert(model.fingerprint(state))) return;
    if (result.violation.empty()) result.violation = model.check(state);
    next.push_back(state);
  };
  model.initial(visit);
  result.transitions = 0;
  while (!next.empty() && result.violation.empty() && seen.size() < states_max) {
    ++result.depth;
    level.swap(next);
    next.clear();
    for (const auto& state : level) {
      model.successors(state, visit);
      if (!result.violation.empty() || seen.size() >= states_max) break;
    }
  }
  result.states = seen.size();
  result.is_complete = next.empty() && result.violation.empty();
  return result;
}

}  // namespace cairn::consensus
