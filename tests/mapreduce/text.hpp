/// What the tests of mapreduce share: random text, and the slow obvious twin of the tokenizer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/core/random.hpp"
#include "scratch.hpp"

namespace cairn::test {

inline bool is_ascii_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
}

/// A token and where it begins.
struct PlacedToken {
  std::uint64_t offset;
  std::string token;
};

/// The tokens of a text, one byte after the other.
inline std::vector<PlacedToken> tokens_of(std::string_view text) {
  std::vector<PlacedToken> tokens;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_ascii_space(text[i])) continue;
    if (i == 0 || is_ascii_space(text[i - 1])) tokens.push_back({i, ""});
    tokens.back().token += text[i];
  }
  return tokens;
}

using Counts = std::map<std::string, std::uint64_t>;

inline void count_into(Counts& counts, std::string_view text) {
  for (const PlacedToken& placed : tokens_of(text)) ++counts[placed.token];
}

/// `length` bytes: short words of few letters, all kinds of white space, NUL, 0xff and what only
/// looks like space; `dense` of 8 bytes belong to tokens.
inline std::string random_text(std::uint64_t seed, std::size_t length, std::uint64_t dense = 5) {
  const std::string_view spaces(" \t\n\v\f\r");
  const std::string_view letters("abcab\0\xff\x85\xa0\x1f", 10);
  const Random random(seed);
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    const std::uint64_t bits = random.bits(i);
    text += bits % 8 < dense ? letters[(bits >> 8) % letters.size()]
                             : spaces[(bits >> 8) % spaces.size()];
  }
  return text;
}

}  // namespace cairn::test
