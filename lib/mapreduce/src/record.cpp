#include "cairn/mapreduce/record.hpp"

#include <optional>

namespace cairn::mapreduce {

namespace {

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

/// Takes a number from the front of `bytes`; nothing when it has not come completely.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value |= std::uint64_t{byte & 0x7fU} << (7 * i);
    if (byte < 0x80) {
      bytes.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace

void append_record(std::string& out, const TokenCount& record) {
  append_varint(out, record.count);
  append_varint(out, record.token.size());
  out += record.token;
}

void RecordDecoder::feed(std::string_view bytes) {
  pending_.erase(0, position_);
  position_ = 0;
  pending_ += bytes;
}

bool RecordDecoder::next(TokenCount& record) {
  std::string_view rest = std::string_view(pending_).substr(position_);
  const auto count = take_varint(rest);
  if (!count) return false;
  const auto length = take_varint(rest);
  if (!length || rest.size() < *length) return false;
  record = {rest.substr(0, *length), *count};
  position_ = pending_.size() - rest.size() + *length;
  return true;
}

}  // namespace cairn::mapreduce
