#include "process_identity.hpp"

#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <sstream>

#include "cairn/consensus/fence.hpp"

namespace cairn::consensus {

std::string boot_id() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

std::string pid_namespace() {
  std::array<char, 64> text{};
  const auto length = ::readlink("/proc/self/ns/pid", text.data(), text.size());
  return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : std::string();
}

std::optional<std::uint64_t> start_ticks(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // The name in parentheses may hold anything, also spaces and parentheses.
  const auto end_of_name = text.rfind(')');
  if (end_of_name == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(end_of_name + 1));
  std::string state;
  rest >> state;
  if (state == "Z" || state == "X") return std::nullopt;  // ended, and only not yet waited for
  std::string skipped;
  for (int field = 4; field < 22; ++field) rest >> skipped;
  std::uint64_t ticks = 0;
  if (!(rest >> ticks)) return std::nullopt;
  return ticks;
}

bool is_of_this_kernel(const Claimant& claimant) {
  return !claimant.boot.empty() && !claimant.pid_namespace.empty() && claimant.boot == boot_id() &&
         claimant.pid_namespace == pid_namespace();
}

bool is_alive_here(const Claimant& claimant) {
  return is_of_this_kernel(claimant) && start_ticks(claimant.pid) == claimant.start_ticks;
}

}  // namespace cairn::consensus
