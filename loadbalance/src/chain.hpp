/// A chain of objects of which each rank sees a part, and cuts of it.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/moving.hpp"

namespace cairn::loadbalance::detail {

/// Objects one behind the other, with what stands before them.
struct Segment {
  std::int64_t first = 0;  ///< the number of the first object
  std::vector<std::int64_t>
      weights;  ///< before object i, and before the end: one more than objects

  [[nodiscard]] std::int64_t end() const noexcept {
    return first + static_cast<std::int64_t>(weights.size()) - 1;
  }
};

/// All objects: one segment a rank, or a single one without a communicator. What depends on all
/// that came before travels from rank to rank as a token.
class Chain {
 public:
  explicit Chain(Segment segment) : segment_(std::move(segment)) {}
  Chain(const Communicator& comm, Segment segment) : comm_(&comm), segment_(std::move(segment)) {
    (void)comm.internal();  // makes it, together
  }

  [[nodiscard]] const Segment& segment() const noexcept { return segment_; }
  [[nodiscard]] bool is_first() const noexcept { return comm_ == nullptr || comm_->rank() == 0; }

  /// Calls work() for the segments from the first to the last, or back, each with what the one
  /// before has left in `token`.
  template <typename Work>
  void forward(std::span<std::int64_t> token, Work work) const {
    pass(token, work, 1);
  }
  template <typename Work>
  void backward(std::span<std::int64_t> token, Work work) const {
    pass(token, work, -1);
  }

  /// Gives all what the last segment has.
  void tell_from_last(std::span<std::int64_t> numbers) const {
    if (comm_ != nullptr) bcast(*comm_, numbers, comm_->size() - 1);
  }

  /// Numbers each of which one rank knows; the others have 0 there.
  void share(std::span<std::int64_t> numbers) const {
    if (comm_ != nullptr) all_reduce(*comm_, numbers);
  }

 private:
  template <typename Work>
  void pass(std::span<std::int64_t> token, Work work, int step) const {
    receive(token, step);
    work();
    send(token, step);
  }
  void receive(std::span<std::int64_t> token, int step) const;
  void send(std::span<const std::int64_t> token, int step) const;

  const Communicator* comm_ = nullptr;
  Segment segment_;
};

/// What is known of all objects, by everybody.
struct ChainFacts {
  std::int64_t total = 0;           ///< weight
  std::int64_t largest_weight = 0;  ///< of an object
  std::int64_t largest_load = 0;    ///< of a range as it is
};

/// The least largest load of `parts` ranges.
std::int64_t least_limit(const Chain& chain, const ChainFacts& facts, int parts);

/// Cuts under each of several limits: `parts` + 1 numbers for each.
struct Cuts {
  std::vector<std::int64_t> positions;
  std::vector<std::int64_t> weights;  ///< before them
};

/// For each of `limits`, none of them below the least, the cuts nearest to `current`: each from the
/// left as near as the limit and the cut before let it be, and so that the rest fits.
Cuts nearest_cuts(const Chain& chain, const ChainFacts& facts, std::span<const std::int64_t> limits,
                  const Ranges& current);

}  // namespace cairn::loadbalance::detail
