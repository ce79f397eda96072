#include "cairn/mapreduce/tokenizer.hpp"

#include <doctest/doctest.h>

#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

namespace {

/// The tokens that come out when `text` is fed in pieces of `piece` bytes.
std::vector<std::string> fed(std::string_view text, std::size_t piece,
                             Tokenizer::Start start = Tokenizer::Start::between_tokens) {
  std::vector<std::string> tokens;
  Tokenizer tokenizer([&](std::span<const std::string_view> batch) {
    tokens.insert(tokens.end(), batch.begin(), batch.end());
  });
  tokenizer.begin(start);
  for (std::size_t i = 0; i < text.size(); i += piece) tokenizer.feed(text.substr(i, piece));
  tokenizer.end();
  return tokens;
}

std::vector<std::string> expected(std::string_view text) {
  std::vector<std::string> tokens;
  for (auto& placed : test::tokens_of(text)) tokens.push_back(placed.token);
  return tokens;
}

}  // namespace

TEST_CASE("tokens are maximal runs between the six ASCII white space bytes, whatever the pieces") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const std::string text = test::random_text(seed, 100 + seed * 20, 1 + seed % 7);
    for (const std::size_t piece : {1, 2, 3, 5, 64, 100000})
      CHECK(fed(text, piece) == expected(text));
  }
}

TEST_CASE("every other byte belongs to tokens") {
  for (int c = 0; c < 256; ++c) {
    const std::string text = std::string("a") + static_cast<char>(c) + "b";
    CHECK(fed(text, 100).size() == (test::is_ascii_space(static_cast<char>(c)) ? 2 : 1));
  }
}

TEST_CASE("empty text, white space alone, and more tokens than a batch holds") {
  CHECK(fed("", 1).empty());
  CHECK(fed(" \t\n\v\f\r ", 2).empty());
  std::string many;
  for (int i = 0; i < 1000; ++i) many += std::to_string(i) + " ";
  CHECK(fed(many, 1 << 20) == expected(many));
}

TEST_CASE("a foreign token at the start is passed over, and never counts as open") {
  for (const std::size_t piece : {1, 2, 100}) {
    CHECK(fed("reign one two", piece, Tokenizer::Start::inside_foreign) ==
          std::vector<std::string>{"one", "two"});
    CHECK(fed(" one", piece, Tokenizer::Start::inside_foreign) == std::vector<std::string>{"one"});
    CHECK(fed("allforeign", piece, Tokenizer::Start::inside_foreign).empty());
  }
  Tokenizer tokenizer([](std::span<const std::string_view>) {});
  tokenizer.begin(Tokenizer::Start::inside_foreign);
  tokenizer.feed("xx");
  CHECK(!tokenizer.inside_token());
  tokenizer.feed(" y");
  CHECK(tokenizer.inside_token());
  tokenizer.feed("\n");
  CHECK(!tokenizer.inside_token());
}
