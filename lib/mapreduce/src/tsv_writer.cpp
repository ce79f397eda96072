#include "cairn/mapreduce/tsv_writer.hpp"

#include <xxhash.h>

#include <array>
#include <charconv>
#include <new>
#include <utility>

namespace cairn::mapreduce {

struct TsvWriter::Digest {
  Digest() : state(XXH3_createState()) {
    if (state == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(state);
  }
  ~Digest() { XXH3_freeState(state); }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  XXH3_state_t* state;
};

void append_line(std::string& out, const TokenCount& record) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), record.count).ptr;
  out += record.token;
  out += '\t';
  out.append(digits.begin(), end);
  out += '\n';
}

TsvWriter::TsvWriter(Write write, std::size_t buffer_bytes)
    : write_(std::move(write)), buffer_bytes_(buffer_bytes), digest_(std::make_unique<Digest>()) {}

TsvWriter::~TsvWriter() = default;

void TsvWriter::add(const TokenCount& record) {
  append_line(buffer_, record);
  if (buffer_.size() >= buffer_bytes_) flush();
}

std::string TsvWriter::finish() {
  flush();
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(digest_->state));
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

void TsvWriter::flush() {
  if (buffer_.empty()) return;
  XXH3_128bits_update(digest_->state, buffer_.data(), buffer_.size());
  if (write_) write_(buffer_);
  buffer_.clear();
}

}  // namespace cairn::mapreduce
