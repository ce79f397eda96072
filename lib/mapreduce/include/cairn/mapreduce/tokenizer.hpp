/// Tokenizer: exact byte tokens between ASCII white space, from a text that comes in pieces.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace cairn::mapreduce {

/// The first of the six ASCII white space bytes (space \t \n \v \f \r) in `text`, or text.size().
[[nodiscard]] std::size_t find_ascii_space(std::string_view text) noexcept;

/// Cuts a text into maximal runs of bytes other than the six ASCII white space bytes. Any other
/// byte belongs to tokens, also NUL and what is no UTF-8.
///
///     tokens.begin(Start::between_tokens);
///     tokens.feed("to be or n");
///     tokens.feed("ot to be");         // "to" "be" "or" "not" "to" so far
///     tokens.end();                    // "be": the end of a text ends its last token
///
/// Local, not copyable. Keeps one unfinished token; a token may be as long as memory allows.
class Tokenizer {
 public:
  /// Takes tokens in the order of the text, several at a time. The views are valid during the call.
  using Sink = std::function<void(std::span<const std::string_view>)>;

  enum class Start {
    between_tokens,  ///< the first byte may begin a token
    inside_foreign,  ///< bytes up to the first white space belong to a token of somebody else
  };

  explicit Tokenizer(Sink sink) : sink_(std::move(sink)) {}
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// A new text begins.
  void begin(Start start);

  /// The next bytes of the text. Tokens that end in them reach the sink before it returns.
  void feed(std::string_view bytes);

  /// The text ends, and with it the token that is open.
  void end();

  /// Whether a token of ours has begun and not ended yet.
  [[nodiscard]] bool inside_token() const noexcept { return state_ == State::inside; }

 private:
  enum class State { between, inside, foreign };
  std::string_view finish_open_token(std::string_view bytes);
  void scan(std::string_view bytes);
  void emit(std::string_view token);
  void flush();

  Sink sink_;
  State state_ = State::between;
  std::string open_;  // the beginning of the token that is open
  std::array<std::string_view, 256> batch_;
  std::size_t batched_ = 0;
};

}  // namespace cairn::mapreduce
