#include "sha1.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <utility>

#include "cairn/core/error.hpp"
#include "sha1_kernels.hpp"

namespace cairn::uts {

namespace {

using Block = std::array<std::uint32_t, 16>;

/// A block on its way through the 80 rounds.
struct Rounds {
  Block w;
  std::uint32_t a = sha1_start[0], b = sha1_start[1], c = sha1_start[2], d = sha1_start[3],
                e = sha1_start[4];
};

/// @par Source  FIPS 180-4, 6.1.3: the schedule needs 16 words at a time
template <std::size_t t>
[[gnu::always_inline]] inline void one_round(Rounds& r) {
  std::uint32_t& w = r.w[t % 16];
  if constexpr (t >= 16)
    w = std::rotl(r.w[(t + 13) % 16] ^ r.w[(t + 8) % 16] ^ r.w[(t + 2) % 16] ^ w, 1);
  std::uint32_t mixed = r.b ^ r.c ^ r.d;
  if constexpr (t < 20) mixed = r.d ^ (r.b & (r.c ^ r.d));
  if constexpr (40 <= t && t < 60) mixed = (r.b & r.c) | (r.d & (r.b | r.c));
  const std::uint32_t next = std::rotl(r.a, 5) + (mixed + r.e + sha1_constants[t / 20] + w);
  r.e = r.d;
  r.d = r.c;
  r.c = std::rotl(r.b, 30);
  r.b = r.a;
  r.a = next;
}

template <std::size_t... t>
[[gnu::always_inline]] inline void all_rounds(Rounds& r, std::index_sequence<t...>) {
  (one_round<t>(r), ...);
}

/// The digest of a message of one block.
std::array<std::uint32_t, 5> digest(const Block& block) {
  Rounds r{block};
  all_rounds(r, std::make_index_sequence<80>{});
  return {r.a + sha1_start[0], r.b + sha1_start[1], r.c + sha1_start[2], r.d + sha1_start[3],
          r.e + sha1_start[4]};
}

std::vector<Kernel> kernels_here() {
  std::vector<Kernel> here;
#if defined(CAIRN_UTS_HAS_REFERENCE)
  here.push_back({"reference", spawn_reference});
#endif
  here.push_back({"portable", spawn_portable});
#if defined(__x86_64__)
  if (has_sha_ni()) here.push_back({"sha_ni", spawn_sha_ni});
  if (has_avx512()) here.push_back({"avx512", spawn_avx512});
#endif
  return here;
}

}  // namespace

void spawn_portable(std::span<const Node> parents, std::span<const Child> wanted, Node* children) {
  Block block{};
  block[6] = sha1_end_mark;
  block[15] = message_bits;
  for (const Child& child : wanted) {
    const Node& parent = parents[child.parent];
    std::copy(parent.state.begin(), parent.state.end(), block.begin());
    block[5] = child.index;
    *children++ = {digest(block), parent.depth + 1};
  }
}

const std::vector<Kernel>& kernels() {
  static const std::vector<Kernel> here = kernels_here();
  return here;
}

const Kernel& kernel(std::string_view name) {
  if (name == "auto") return kernels().back();
  std::string names = "auto";
  for (const Kernel& candidate : kernels()) {
    if (candidate.name == name) return candidate;
    names += ", " + std::string(candidate.name);
  }
  throw Error(Errc::usage, "--kernel " + std::string(name) + " is not here; this CPU has " + names);
}

void spawn(const Kernel& kernel, const Node& parent, std::uint32_t first,
           std::span<Node> children) {
  std::array<Child, 16> some;
  while (!children.empty()) {
    const std::size_t n = std::min(some.size(), children.size());
    for (std::size_t i = 0; i < n; ++i) some[i] = {0, first++};
    kernel.spawn({&parent, 1}, {some.data(), n}, children.data());
    children = children.subspan(n);
  }
}

Node root_of(std::uint32_t seed) {
  Block block{};
  block[4] = seed;
  block[5] = sha1_end_mark;
  block[15] = 20 * 8;
  return {digest(block), 0};
}

}  // namespace cairn::uts
