/// What goes wrong in a simulated schedule, and how often.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::transport {

/// A probability in 65536ths.
using Chance = std::uint32_t;

/// The weather of one schedule. Times are in units of the simulation; a node ticks every
/// `tick_every` of them. The default is a calm day: nothing fails and every message takes 1.
struct Faults {
  std::uint32_t delay_max = 1;       ///< a message takes 1 … delay_max; more than 1 reorders
  Chance slow = 0;                   ///< a message takes up to 16 × delay_max
  Chance loss = 0;                   ///< of a message
  Chance duplication = 0;            ///< of a message
  Chance partition = 0;              ///< that one begins, per unit of time
  std::uint32_t partition_max = 1;   ///< a partition lasts 1 … partition_max
  Chance asymmetric = 0;             ///< that a partition cuts one direction alone
  Chance pause = 0;                  ///< of some node, per unit of time: it neither hears nor ticks
  std::uint32_t pause_max = 1;       ///< a pause lasts 1 … pause_max
  Chance crash = 0;                  ///< of some node, per unit of time
  std::uint32_t down_max = 1;        ///< it stays down for 1 … down_max
  std::uint32_t write_max = 1;       ///< a write to disk takes 1 … write_max
  Chance late_write = 0;             ///< a write takes up to 16 × write_max
  Chance lost_write = 0;             ///< a write under way at a crash did not happen
  Chance torn_write = 0;             ///< the first one that did not happen leaves rubbish
  std::uint32_t tick_every = 4;      ///< units of time between the ticks of a node
  std::uint32_t safety_length = 64;  ///< units of time until everything heals

  friend bool operator==(const Faults&, const Faults&) = default;
};

/// The faults of schedule `seed`: each kind is off in some schedules and has a rate of its own in
/// the others ("swarm testing": Groce et al., ISSTA 2012, doi:10.1145/2338965.2336763).
[[nodiscard]] Faults swarm(std::uint64_t seed) noexcept;

/// One line for traces: the kinds that are on.
[[nodiscard]] std::string describe(const Faults& faults);

}  // namespace cairn::transport
