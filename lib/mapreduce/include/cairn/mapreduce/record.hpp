/// How (token, count) records travel between ranks: a byte stream that may be cut anywhere.
///
///     record = varint(count) varint(length) token bytes        varint: LEB128, 7 bits a byte
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::mapreduce {

/// A token and how often it occurs.
struct TokenCount {
  std::string_view token;
  std::uint64_t count = 0;
};

/// The order of the output: the larger count first, then the smaller token, as unsigned bytes.
[[nodiscard]] inline bool comes_before(const TokenCount& a, const TokenCount& b) noexcept {
  return a.count != b.count ? a.count > b.count : a.token < b.token;
}

/// Appends `record` to `out`.
void append_record(std::string& out, const TokenCount& record);

/// Finds the records in a stream that comes in pieces.
class RecordDecoder {
 public:
  /// The next piece, of any size. Views that next() gave become invalid.
  void feed(std::string_view bytes);

  /// The next record that has come completely; its token is a view that lives until feed().
  /// @return false when there is none
  bool next(TokenCount& record);

 private:
  std::string pending_;
  std::size_t position_ = 0;
};

}  // namespace cairn::mapreduce
