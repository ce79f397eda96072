#include "cairn/mapreduce/record.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

TEST_CASE("records survive a stream that is cut anywhere") {
  const std::vector<std::pair<std::string, std::uint64_t>> records = {
      {"a", 1},
      {"", 0},
      {std::string("\0\xff", 2), 127},
      {std::string(127, 'x'), 128},
      {std::string(128, 'y'), std::numeric_limits<std::uint64_t>::max()},
      {std::string(20000, 'z'), 1ULL << 35}};
  std::string stream;
  for (const auto& [token, count] : records) append_record(stream, {token, count});
  for (const std::size_t piece : {1, 2, 3, 100, 1 << 20}) {
    RecordDecoder decoder;
    TokenCount record;
    std::vector<std::pair<std::string, std::uint64_t>> decoded;
    for (std::size_t i = 0; i < stream.size(); i += piece) {
      decoder.feed(std::string_view(stream).substr(i, piece));
      while (decoder.next(record)) decoded.emplace_back(record.token, record.count);
    }
    CHECK(decoded == records);
    CHECK(!decoder.next(record));
  }
}

TEST_CASE("the order: larger counts first, then the bytes of the token, unsigned") {
  CHECK(comes_before({"b", 2}, {"a", 1}));
  CHECK(!comes_before({"a", 1}, {"b", 2}));
  CHECK(comes_before({"a", 1}, {"b", 1}));
  CHECK(comes_before({"a", 1}, {"ab", 1}));
  CHECK(comes_before({"z", 1}, {"\x80", 1}));
  CHECK(!comes_before({"a", 1}, {"a", 1}));
}
