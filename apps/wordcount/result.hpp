// What cairn-wordcount tells a program about its run, as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/mapreduce/input.hpp"

namespace wordcount {

/// A frequent token.
struct TopToken {
  std::string token;
  std::uint64_t count;
};

/// One run.
struct Result {
  std::uint64_t tokens = 0;
  std::uint64_t distinct = 0;
  std::uint64_t text_bytes = 0;  ///< after decompression
  int ranks = 1;
  int threads = 1;
  double seconds = 0;
  std::string digest;  ///< XXH3-128 of the complete table, written or not
  std::vector<TopToken> top;
};

/// `bytes` as valid UTF-8, without loss: what is well-formed UTF-8 stays, a backslash becomes two,
/// and every byte that is not part of a well-formed character becomes \xHH (two small hexadecimal
/// digits).
[[nodiscard]] std::string escape_bytes(std::string_view bytes);

/// The text of a result file; README.md lists the fields.
[[nodiscard]] std::string to_json(const Result& result, const cairn::mapreduce::InputList& list);

}  // namespace wordcount
