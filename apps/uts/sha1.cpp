#include "sha1.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "cairn/core/error.hpp"
#include "sha1_kernels.hpp"

namespace cairn::uts {

namespace {

using Block = std::array<std::uint32_t, 16>;

/// The digest of a message of one block.
/// @par Source  FIPS 180-4, 6.1.3: the schedule needs 16 words at a time
std::array<std::uint32_t, 5> digest(Block w) {
  auto [a, b, c, d, e] = sha1_start;
  const auto turn = [&](std::uint32_t mixed, std::uint32_t constant, std::size_t t) {
    const std::uint32_t next = std::rotl(a, 5) + mixed + e + constant + w[t & 15];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  };
  const auto extend = [&](std::size_t t) {
    w[t & 15] = std::rotl(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
  };
  const auto choose = [&] { return d ^ (b & (c ^ d)); };
  const auto parity = [&] { return b ^ c ^ d; };
  const auto majority = [&] { return (b & c) | (d & (b | c)); };
#pragma GCC unroll 16
  for (std::size_t t = 0; t < 16; ++t) turn(choose(), sha1_constants[0], t);
#pragma GCC unroll 4
  for (std::size_t t = 16; t < 20; ++t) extend(t), turn(choose(), sha1_constants[0], t);
#pragma GCC unroll 20
  for (std::size_t t = 20; t < 40; ++t) extend(t), turn(parity(), sha1_constants[1], t);
#pragma GCC unroll 20
  for (std::size_t t = 40; t < 60; ++t) extend(t), turn(majority(), sha1_constants[2], t);
#pragma GCC unroll 20
  for (std::size_t t = 60; t < 80; ++t) extend(t), turn(parity(), sha1_constants[3], t);
  return {a + sha1_start[0], b + sha1_start[1], c + sha1_start[2], d + sha1_start[3],
          e + sha1_start[4]};
}

std::vector<Kernel> kernels_here() {
  std::vector<Kernel> here{{"portable", spawn_portable}};
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
