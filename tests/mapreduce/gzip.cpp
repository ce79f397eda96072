#include <doctest/doctest.h>
#include <zlib.h>

#include "cairn/core/error.hpp"
#include "cairn/mapreduce/read.hpp"
#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

namespace {

std::string gzipped(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

test::Counts read(const std::string& bytes, std::size_t buffer) {
  const test::Scratch scratch;
  const InputFile file{scratch.file("text.gz", bytes), bytes.size()};
  test::Counts counts;
  Tokenizer tokenizer([&](std::span<const std::string_view> batch) {
    for (const auto token : batch) ++counts[std::string(token)];
  });
  ReadStatistics statistics;
  std::uint64_t reported = 0;
  const bool complete = read_gzip(file, {buffer}, tokenizer, statistics, [&](std::uint64_t n) {
    reported += n;
    return true;
  });
  CHECK(complete);
  CHECK(statistics.file_bytes == bytes.size());
  CHECK(reported == bytes.size());
  return counts;
}

Errc code_of(const std::string& bytes, std::size_t buffer) {
  try {
    (void)read(bytes, buffer);
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("text.gz is a damaged gzip file") != std::string::npos);
    return error.code();
  }
  return Errc::internal;
}

}  // namespace

TEST_CASE("gzip files count as their text, through buffers of any size") {
  const std::string text = test::random_text(1, 30000);
  test::Counts expected;
  test::count_into(expected, text);
  for (const std::size_t buffer : {1, 2, 3, 1000, 1 << 20})
    CHECK(read(gzipped(text), buffer) == expected);
  CHECK(read(gzipped(""), 10).empty());
}

TEST_CASE(
    "several members are one text: a token may cross them; zeros behind the end are padding") {
  const std::string bytes = gzipped("one tw") + gzipped("") + gzipped("o three");
  const test::Counts expected = {{"one", 1}, {"two", 1}, {"three", 1}};
  for (const std::size_t buffer : {1, 2, 7, 1 << 20}) {
    CHECK(read(bytes, buffer) == expected);
    CHECK(read(bytes + std::string(1000, '\0'), buffer) == expected);
  }
}

TEST_CASE("damaged gzip files are bad_data") {
  const std::string good = gzipped(test::random_text(2, 5000));
  for (const std::size_t buffer : {1, 100, 1 << 20}) {
    CHECK(code_of(good.substr(0, good.size() / 2), buffer) == Errc::bad_data);
    CHECK(code_of(good.substr(0, good.size() - 1), buffer) == Errc::bad_data);
    CHECK(code_of(good.substr(0, 5), buffer) == Errc::bad_data);
    CHECK(code_of("", buffer) == Errc::bad_data);
    CHECK(code_of(good + "garbage", buffer) == Errc::bad_data);
    CHECK(code_of(good + '\0' + good, buffer) == Errc::bad_data);
    for (const std::size_t at : {good.size() / 2, good.size() - 6}) {  // the data, the checksum
      std::string flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
      CHECK(code_of(flipped, buffer) == Errc::bad_data);
    }
  }
}
