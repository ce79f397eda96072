#include "cairn/mapreduce/split.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <set>

#include "cairn/core/error.hpp"
#include "cairn/mapreduce/read.hpp"
#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

namespace {

std::vector<InputFile> write_files(const test::Scratch& scratch,
                                   const std::vector<std::string>& texts) {
  std::vector<InputFile> files;
  for (const std::string& text : texts)
    files.push_back({scratch.file("f" + std::to_string(files.size()), text), text.size()});
  return files;
}

std::uint64_t size_of(const std::vector<InputFile>& files) {
  std::uint64_t total = 0;
  for (const auto& file : files) total += file.bytes;
  return total;
}

/// What part `part` of `parts` reads, in order.
std::vector<std::string> read_split(const std::vector<InputFile>& files, int part, int parts,
                                    std::size_t buffer_bytes) {
  std::vector<std::string> tokens;
  Tokenizer tokenizer([&](std::span<const std::string_view> batch) {
    tokens.insert(tokens.end(), batch.begin(), batch.end());
  });
  ReadStatistics statistics;
  const ByteRange range = equal_part(size_of(files), part, parts);
  for (const FilePart& p : file_parts(files, range))
    CHECK(read_part(files[p.file], p.bytes, {buffer_bytes}, tokenizer, statistics,
                    [](std::uint64_t) { return true; }));
  CHECK(statistics.text_bytes == range.last - range.first);
  return tokens;
}

/// What it has to read: the tokens whose first byte lies in the part.
std::vector<std::string> expected_split(const std::vector<std::string>& texts, int part,
                                        int parts) {
  std::uint64_t total = 0;
  for (const auto& text : texts) total += text.size();
  const ByteRange range = equal_part(total, part, parts);
  std::vector<std::string> tokens;
  std::uint64_t begin = 0;
  for (const auto& text : texts) {
    for (const auto& placed : test::tokens_of(text))
      if (begin + placed.offset >= range.first && begin + placed.offset < range.last)
        tokens.push_back(placed.token);
    begin += text.size();
  }
  return tokens;
}

void check_all_splits(const std::vector<std::string>& texts) {
  const test::Scratch scratch;
  const auto files = write_files(scratch, texts);
  for (const int parts : {1, 2, 3, 4, 7, 13})
    for (const std::size_t buffer : {1, 2, 3, 7, 1 << 20})
      for (int part = 0; part < parts; ++part)
        CHECK(read_split(files, part, parts, buffer) == expected_split(texts, part, parts));
}

}  // namespace

TEST_CASE("equal parts follow each other, cover all and differ by a byte at most") {
  for (const std::uint64_t total : {0ULL, 1ULL, 6ULL, 7ULL, 100ULL, (1ULL << 63) + 12345}) {
    for (const int parts : {1, 2, 3, 7, 1000}) {
      std::uint64_t at = 0;
      for (int i = 0; i < parts; ++i) {
        const auto [first, last] = equal_part(total, i, parts);
        CHECK(first == at);
        const std::uint64_t least = total / static_cast<std::uint64_t>(parts);
        CHECK((last - first == least || last - first == least + 1));
        at = last;
      }
      CHECK(at == total);
    }
  }
  CHECK_THROWS_AS((void)equal_part(1, 2, 2), Error);
}

TEST_CASE("random files: every token belongs to the split of its first byte, in order") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Random random(seed, 1);
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < 1 + random.below(0, 6); ++i)
      texts.push_back(test::random_text(seed * 100 + i, random.below(i + 1, 60), 1 + seed % 8));
    CAPTURE(seed);
    check_all_splits(texts);
  }
}

TEST_CASE("adversarial splits") {
  check_all_splits({"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"});  // crosses all
  check_all_splits({"x aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa y z"});
  check_all_splits({"aaaa", "bbbb"});        // a file ends at a split, without a newline
  check_all_splits({"aaaa\n", "bbbb\n"});    // and with one
  check_all_splits({"aaa bbb", "ccc ddd"});  // a token begins at a split
  check_all_splits({"aaa bbb ", " ccc ddd"});
  check_all_splits({"", "a", "", "", "b", ""});  // empty files everywhere
  check_all_splits({"   ", "\n\n", "\t"});       // white space alone
  check_all_splits({""});
  check_all_splits({"a"});
}

TEST_CASE("a file that shrank is an error that names it, one that grew is read as listed") {
  const test::Scratch scratch;
  auto files = write_files(scratch, {"one two three"});
  Tokenizer tokenizer([](std::span<const std::string_view>) {});
  ReadStatistics statistics;
  files[0].bytes += 5;
  try {
    read_part(files[0], {0, files[0].bytes}, {4}, tokenizer, statistics,
              [](std::uint64_t) { return true; });
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::input_output);
    CHECK(std::string(error.what()).find(files[0].path + " became shorter") != std::string::npos);
  }
  files[0].bytes = 5;  // "one t"
  CHECK(read_split(files, 0, 1, 2) == std::vector<std::string>{"one", "t"});
}

TEST_CASE("a file that shrinks between two reads is an error too") {
  const test::Scratch scratch;
  const auto files = write_files(scratch, {"one two three"});
  Tokenizer tokenizer([](std::span<const std::string_view>) {});
  ReadStatistics statistics;
  const auto truncate = [&](std::uint64_t) {
    std::filesystem::resize_file(files[0].path, 3);
    return true;
  };
  CHECK_THROWS_AS(read_part(files[0], {0, 13}, {4}, tokenizer, statistics, truncate), Error);
}

TEST_CASE("reading stops when told") {
  const test::Scratch scratch;
  const auto files = write_files(scratch, {"one two three"});
  Tokenizer tokenizer([](std::span<const std::string_view>) {});
  ReadStatistics statistics;
  CHECK(!read_part(files[0], {0, 13}, {4}, tokenizer, statistics,
                   [](std::uint64_t) { return false; }));
  CHECK(statistics.text_bytes == 4);
}

TEST_CASE("whole files are dealt by size, each once") {
  std::vector<InputFile> files;
  std::uint64_t total = 0;
  std::uint64_t largest = 0;
  for (std::uint64_t i = 0; i < 50; ++i) {
    files.push_back({"f", Random(3).below(i, 1000)});
    total += files.back().bytes;
    largest = std::max(largest, files.back().bytes);
  }
  for (const int ranks : {1, 2, 3, 7, 60}) {
    const auto dealt = deal_files(files, ranks);
    CHECK(dealt.size() == static_cast<std::size_t>(ranks));
    std::set<std::size_t> seen;
    for (const auto& mine : dealt) {
      std::uint64_t load = 0;
      for (const std::size_t file : mine) {
        CHECK(seen.insert(file).second);
        load += files[file].bytes;
      }
      CHECK(load <= total / static_cast<std::uint64_t>(ranks) + largest);  // Graham's bound
    }
    CHECK(seen.size() == files.size());
  }
}
