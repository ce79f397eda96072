#include "cairn/transport/faults.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "cairn/transport/draws.hpp"

namespace cairn::transport {
namespace {

constexpr Chance percent(std::uint32_t value) { return value * 65536 / 100; }

/// Off in half of the schedules, else uniform up to `most`.
std::uint32_t some(Draws& draws, std::uint32_t most) {
  const bool on = draws.below(2) == 1;
  const auto rate = 1 + draws.below(most);
  return on ? rate : 0;
}

}  // namespace

Faults swarm(std::uint64_t seed) noexcept {
  Draws draws(seed, 7);
  Faults faults;
  faults.delay_max = 1 + draws.below(12);
  faults.slow = some(draws, percent(10));
  faults.loss = some(draws, percent(30));
  faults.duplication = some(draws, percent(50));
  faults.partition = some(draws, percent(4));
  faults.partition_max = 8 + draws.below(64);
  faults.asymmetric = some(draws, percent(100));
  faults.pause = some(draws, percent(5));
  faults.pause_max = 4 + draws.below(60);
  faults.crash = some(draws, percent(8));
  faults.down_max = 2 + draws.below(40);
  faults.write_max = 1 + draws.below(24);
  faults.late_write = some(draws, percent(10));
  faults.lost_write = some(draws, percent(100));
  faults.torn_write = some(draws, percent(50));
  faults.tick_every = 2 + draws.below(6);
  faults.safety_length = 64 + draws.below(256);
  return faults;
}

std::string describe(const Faults& faults) {
  const std::array<std::pair<std::string_view, std::uint32_t>, 16> fields{{
      {"delay_max", faults.delay_max},
      {"slow", faults.slow},
      {"loss", faults.loss},
      {"duplication", faults.duplication},
      {"partition", faults.partition},
      {"partition_max", faults.partition_max},
      {"asymmetric", faults.asymmetric},
      {"pause", faults.pause},
      {"pause_max", faults.pause_max},
      {"crash", faults.crash},
      {"down_max", faults.down_max},
      {"write_max", faults.write_max},
      {"late_write", faults.late_write},
      {"lost_write", faults.lost_write},
      {"torn_write", faults.torn_write},
      {"tick_every", faults.tick_every},
  }};
  std::string text = "faults:";
  for (const auto& field : fields) {
    if (field.second == 0) continue;
    text += ' ';
    text += field.first;
    text += '=';
    text += std::to_string(field.second);
  }
  return text;
}

}  // namespace cairn::transport
