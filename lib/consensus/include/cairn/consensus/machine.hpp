/// The contract of a protocol machine.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "cairn/consensus/output.hpp"

namespace cairn::consensus {

/// A protocol of one node as a value: copyable, comparable, hashable. No clock, no I/O, no
/// allocation after construction, no exceptions; the same inputs give the same outputs. So the code
/// that runs in production is the code that the simulator runs and that the explorer enumerates.
///
///  * `Machine(config, self, recovered)` starts a life.
///  * `propose(command, out)`: what the application wants.
///  * `step(envelope, out)`: a message has come; any message, in any order, any number of times.
///  * `tick(out)`: some time has passed. Only progress may depend on it, never safety.
///  * `persisted(token, out)`: the write `token` of this life, and all before it, are durable.
///  * `apply(durable, record)`: what a write does to the disk. A machine whose record is its whole
///    durable state assigns; one with a log appends.
///
/// `out` is empty on entry. Messages are trivially copyable, so that transports can send their
/// bytes between nodes of one kind.
template <typename M>
concept Machine = std::copyable<M> && std::equality_comparable<M> &&
                  std::is_trivially_copyable_v<typename M::Message> && std::constructible_from < M,
        const typename M::Config&, NodeIndex, const Recovered<typename M::Durable>
& > &&requires(M machine, const M& view, const typename M::Command& command,
               const Envelope<typename M::Message>& envelope, PersistToken token,
               typename M::Output& out, typename M::Durable& durable,
               const typename M::Record& record) {
  { machine.propose(command, out) }
  noexcept;
  { machine.step(envelope, out) }
  noexcept;
  { machine.tick(out) }
  noexcept;
  { machine.persisted(token, out) }
  noexcept;
  { view.hash() }
  noexcept->std::same_as<std::uint64_t>;
  {M::apply(durable, record)};
};

/// Mixes words into a hash, for Machine::hash.
class Hasher {
 public:
  template <typename T>
  requires std::integral<T> || std::is_enum_v<T>
  void add(T value) noexcept {
    state_ = (state_ ^ static_cast<std::uint64_t>(value)) * 0x9e3779b97f4a7c15ULL;
    state_ ^= state_ >> 29;
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    const auto x = state_ * 0xbf58476d1ce4e5b9ULL;
    return x ^ (x >> 32);
  }

 private:
  std::uint64_t state_ = 0x243f6a8885a308d3ULL;
};

}  // namespace cairn::consensus
