// The hash of the UTS reference program as a kernel, so that apps/bench/against_uts.py can compare
// the two programs by the same hash. Built only where CAIRN_UTS_REFERENCE names that program's
// sources.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <span>

#include "sha1_kernels.hpp"

/// Of its rng/brg_sha1.c: states are 20 bytes, words big-endian.
extern "C" void rng_spawn(unsigned char* parent, unsigned char* child, int index);

namespace cairn::uts {

static_assert(std::endian::native == std::endian::little);

namespace {

using State = decltype(Node::state);

State reversed(const State& words) {
  State bytes;
  for (std::size_t i = 0; i < words.size(); ++i) bytes[i] = __builtin_bswap32(words[i]);
  return bytes;
}

unsigned char* bytes_of(State& state) { return reinterpret_cast<unsigned char*>(state.data()); }

}  // namespace

/// In three passes over a few children, since the hash reads wider than words are written; siblings
/// share their parent's bytes.
void spawn_reference(std::span<const Node> parents, std::span<const Child> wanted, Node* children) {
  constexpr std::size_t most = 64;
  std::array<State, most> from;
  std::array<State, most> to;
  while (!wanted.empty()) {
    const auto some = wanted.first(std::min(most, wanted.size()));
    auto* last = from.data();
    *last = reversed(parents[some[0].parent].state);
    for (std::size_t i = 1; i < some.size(); ++i)
      if (some[i].parent != some[i - 1].parent) *++last = reversed(parents[some[i].parent].state);
    auto* parent = from.data();
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (i != 0 && some[i].parent != some[i - 1].parent) ++parent;
      rng_spawn(bytes_of(*parent), bytes_of(to[i]), static_cast<int>(some[i].index));
    }
    for (std::size_t i = 0; i < some.size(); ++i)
      *children++ = {reversed(to[i]), parents[some[i].parent].depth + 1};
    wanted = wanted.subspan(some.size());
  }
}

}  // namespace cairn::uts
