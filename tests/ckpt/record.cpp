#include "record.hpp"

#include <doctest/doctest.h>

#include <string>

#include "cairn/core/error.hpp"
#include "crc.hpp"
#include "data_file.hpp"

using namespace cairn;
using namespace cairn::ckpt;

namespace {

EpochRecord sample() {
  EpochRecord record;
  record.job = "0123";
  record.program = "cairn-heat";
  record.identity = "size=4 \"quoted\" ü";
  record.epoch = 7;
  record.step = 700;
  record.launch = 1;
  record.ranks = 2;
  record.parent = 6;
  record.data_file = "epoch-0000000007.h5";
  record.data_bytes = 4096;
  record.structure = {{0, 2048, 0xdeadbeef}, {4000, 96, 1}};
  record.values = {{"time", ScalarType::float64, std::vector<std::byte>(8, std::byte{0xab})}};
  record.fields = {
      {"u", ScalarType::float32, {4, 3}, 2048, {{{{0, 0}, {2, 3}}, {1}}, {{{2, 0}, {2, 3}}, {2}}}}};
  return record;
}

std::string why_refused(const std::string& text) {
  try {
    (void)parse_record(text);
  } catch (const Error& error) {
    if (error.code() != Errc::bad_data)
      return "code " + std::to_string(error.exit_code()) + ": " + error.what();
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a record comes back as it was written") {
  const auto record = sample();
  const auto back = parse_record(record_text(record));
  CHECK(back.job == record.job);
  CHECK(back.identity == record.identity);
  CHECK(back.parent == record.parent);
  CHECK(back.structure[0].crc == 0xdeadbeef);
  CHECK(back.values[0].bytes == record.values[0].bytes);
  CHECK(back.fields[0].global == Shape{4, 3});
  CHECK(back.fields[0].parts[1].box.offset == Shape{2, 0});
  CHECK(back.fields[0].parts[1].piece_crcs == std::vector<std::uint32_t>{2});
  CHECK(record_text(back) == record_text(record));
}

TEST_CASE("every single flipped bit and every truncation of a record is noticed") {
  const auto text = record_text(sample());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = text;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const bool is_version_digit = i == std::string("cairn-epoch-record ").size();
      CHECK(why_refused(damaged) != "");
      if (!is_version_digit) CHECK(!why_refused(damaged).starts_with("code"));
    }
    CHECK(why_refused(text.substr(0, i)) != "");
  }
  CHECK(why_refused(text + "x") != "");
}

TEST_CASE("a record of a later version says so") {
  auto later = record_text(sample());
  later.replace(later.find(" 1 "), 3, " 5 ");
  CHECK(why_refused(later).starts_with("code 64: it has version 5"));
  CHECK(why_refused("cairn-epoch-record 2 xxh3-128=0\n{}") ==
        "its digest does not fit its contents");
  CHECK(why_refused("hello") == "it is not an epoch record");
}

TEST_CASE("records that make no sense are refused although their digest fits") {
  auto outside = sample();
  outside.fields[0].parts[1].box.offset = {3, 0};
  CHECK(why_refused(record_text(outside)).find("outside its shape") != std::string::npos);
  auto digests = sample();
  digests.fields[0].parts[0].piece_crcs.push_back(5);
  CHECK(why_refused(record_text(digests)).find("number of digests") != std::string::npos);
  auto gap = sample();
  gap.fields[0].parts.pop_back();
  CHECK(why_refused(record_text(gap)).find("do not cover") != std::string::npos);
  auto elsewhere = sample();
  elsewhere.data_file = "../other/epoch-0000000007.h5";
  CHECK(why_refused(record_text(elsewhere)).find("another directory") != std::string::npos);
}

TEST_CASE("crc32c is the one of RFC 3720") {
  const std::string check = "123456789";
  CHECK(crc32c(std::as_bytes(std::span(check))) == 0xe3069283);
  const std::vector<std::byte> zeros(32);
  CHECK(crc32c(zeros) == 0x8a9136aa);
  CHECK(crc32c(std::as_bytes(std::span(check)).subspan(4),
               crc32c(std::as_bytes(std::span(check)).first(4))) == 0xe3069283);
}

TEST_CASE("types have names and sizes") {
  for (const auto type : {ScalarType::int8, ScalarType::uint64, ScalarType::complex128}) {
    CHECK(scalar_type_named(name_of(type)) == type);
  }
  CHECK(scalar_type_of<int>() == ScalarType::int32);
  CHECK(scalar_type_of<std::size_t>() == ScalarType::uint64);
  CHECK(scalar_type_of<bool>() == ScalarType::uint8);
  CHECK(scalar_type_of<std::complex<double>>() == ScalarType::complex128);
  CHECK(size_of(ScalarType::complex64) == 8);
}
