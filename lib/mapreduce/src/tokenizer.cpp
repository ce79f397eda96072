#include "cairn/mapreduce/tokenizer.hpp"

namespace cairn::mapreduce {

namespace {

constexpr std::array<bool, 256> ascii_space_table() {
  std::array<bool, 256> table{};
  for (const char c : {' ', '\t', '\n', '\v', '\f', '\r'})
    table[static_cast<unsigned char>(c)] = true;
  return table;
}

constexpr std::array<bool, 256> ascii_space = ascii_space_table();

bool is_space(char c) { return ascii_space[static_cast<unsigned char>(c)]; }

}  // namespace

std::size_t find_ascii_space(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size() && !is_space(text[i])) ++i;
  return i;
}

void Tokenizer::begin(Start start) {
  open_.clear();
  state_ = start == Start::inside_foreign ? State::foreign : State::between;
}

void Tokenizer::feed(std::string_view bytes) {
  if (state_ != State::between) bytes = finish_open_token(bytes);
  if (!bytes.empty()) scan(bytes);
  flush();
}

void Tokenizer::end() {
  if (state_ == State::inside) {
    emit(open_);
    flush();
    open_.clear();
  }
  state_ = State::between;
}

/// Passes over what belongs to the token that is open; returns the rest, which is empty or begins
/// with white space.
std::string_view Tokenizer::finish_open_token(std::string_view bytes) {
  const std::size_t length = find_ascii_space(bytes);
  if (state_ == State::inside) open_ += bytes.substr(0, length);
  if (length < bytes.size()) end();
  return bytes.substr(length);
}

void Tokenizer::scan(std::string_view bytes) {
  const char* at = bytes.data();
  const char* const last = at + bytes.size();
  for (;;) {
    while (at != last && is_space(*at)) ++at;
    if (at == last) return;
    const char* const first = at;
    while (at != last && !is_space(*at)) ++at;
    const std::string_view token(first, static_cast<std::size_t>(at - first));
    if (at == last) {
      open_ = token;
      state_ = State::inside;
      return;
    }
    emit(token);
  }
}

void Tokenizer::emit(std::string_view token) {
  batch_[batched_++] = token;
  if (batched_ == batch_.size()) flush();
}

void Tokenizer::flush() {
  if (batched_ > 0) sink_(std::span<const std::string_view>(batch_.data(), batched_));
  batched_ = 0;
}

}  // namespace cairn::mapreduce
