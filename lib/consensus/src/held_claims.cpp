#include "held_claims.hpp"

#include <mutex>
#include <set>

namespace cairn::consensus {

namespace {

struct Held {
  std::mutex mutex;
  std::set<std::string> nonces;
};

Held& held() {
  static Held all;
  return all;
}

}  // namespace

void hold_here(const std::string& nonce) {
  const std::lock_guard lock(held().mutex);
  held().nonces.insert(nonce);
}

void let_go_here(const std::string& nonce) noexcept {
  const std::lock_guard lock(held().mutex);
  held().nonces.erase(nonce);
}

bool is_held_here(const std::string& nonce) {
  const std::lock_guard lock(held().mutex);
  return held().nonces.contains(nonce);
}

}  // namespace cairn::consensus
