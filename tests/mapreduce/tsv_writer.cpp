#include "cairn/mapreduce/tsv_writer.hpp"

#include <doctest/doctest.h>

using namespace cairn::mapreduce;

TEST_CASE("lines go out in pieces, and the digest is XXH3-128 of them all") {
  for (const std::size_t buffer : {1, 5, 1 << 20}) {
    std::string out;
    TsvWriter writer([&](std::string_view bytes) { out += bytes; }, buffer);
    writer.add({"the", 18446744073709551615ULL});
    writer.add({std::string_view("\0\xff", 2), 1});
    const std::string digest = writer.finish();
    CHECK(out == std::string("the\t18446744073709551615\n\0\xff\t1\n", 30));
    // printf 'the\t18446744073709551615\n\0\xff\t1\n' | xxh128sum
    CHECK(digest == "a406b72de5205aed02e211d68f45c56f");
  }
  // xxh128sum </dev/null
  CHECK(TsvWriter({}).finish() == "99aa06d3014798d86001c324468d497f");
}
