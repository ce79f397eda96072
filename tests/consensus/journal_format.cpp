// The bytes of a journal as version 1 wrote them.

#include "journal_format.hpp"

#include <doctest/doctest.h>

#include <string>

#include "../support/hex.hpp"

using namespace cairn::consensus;
using namespace cairn::consensus::journal;
using cairn::test::hex;
using cairn::test::unhex;

namespace {

const Head head{.identity = {std::byte{1}, std::byte{2}}, .node = 2, .nodes = 5};
constexpr std::string_view text = R"({"epoch":7,"kind":"epoch"})";

Final final_of(const RaftEntry& entry) {
  return {.index = 1, .digest = raft_digest(0, entry), .entry = entry};
}

constexpr std::string_view log_of_version_1 =
    "636169726e6a6c31020000000500000000000000000000000102000000000000000000000000000000000000"
    "0000000000000000000000000aa05a050efa97aa4a52454300000000f59d55d8f1d1672b010000001a000000"
    "7b2265706f6368223a372c226b696e64223a2265706f6368227d0000000000004a524543000000005b06c0d6"
    "cfe7cbac0200000040000000010000000000000067a32890aff8aeb403000000000000000100000000000000"
    "00000000000000000000000000000000f6036e43c0169a0e558d65a9c43089b4";
constexpr std::string_view durable_of_version_1 =
    "09000000000000000200000000000000040000000000000008000000000000001f0000000000000000000000"
    "000000004d000000000000000100000000000000090000000000000001000000000000000000000000000000"
    "000000000000000001000000000000000200000000000000";

}  // namespace

TEST_CASE("a log of version 1 is read, and written as ever") {
  const RaftEntry entry{.term = 3, .kind = RaftEntry::Kind::command, .command = digest_of(text)};
  auto bytes = encode(head);
  append_text(bytes, text);
  append_final(bytes, final_of(entry));
  CHECK(hex(bytes) == log_of_version_1);

  const auto contents = parse_log(unhex(log_of_version_1));
  CHECK(contents.head == head);
  CHECK(contents.damaged_bytes == 0);
  CHECK(contents.texts.at(digest_of(text)) == text);
  CHECK(contents.finals.at(1) == final_of(entry));
  CHECK(chained(contents.finals).size() == 1);
}

TEST_CASE("a record of version 1 is read, and written as ever") {
  RaftDurable durable{.term = 9, .vote = 2};
  durable.log.restart(
      {.index = 4, .term = 8, .membership = {.voters = RaftNodes::first(5)}, .digest = 77});
  durable.log.push({.term = 9, .kind = RaftEntry::Kind::command, .command = {1, 2}});
  CHECK(hex(encode(durable)) == durable_of_version_1);
  CHECK(decode_durable(unhex(durable_of_version_1)) == durable);
  CHECK_FALSE(decode_durable(unhex(durable_of_version_1.substr(2))));
  CHECK_FALSE(decode_durable({}));
}

TEST_CASE("the largest record fits its slot") {
  RaftDurable durable;
  durable.log.restart({});
  while (durable.log.push({.term = 1})) {
  }
  CHECK(encode(durable).size() <= slot_payload_bytes);
  CHECK(decode_durable(encode(durable)) == durable);
}

TEST_CASE("every flipped bit of a log costs a record at most, and adds none") {
  const RaftEntry entry{.term = 3, .kind = RaftEntry::Kind::command, .command = digest_of(text)};
  auto whole = encode(head);
  append_text(whole, text);
  append_final(whole, final_of(entry));
  append_text(whole, "another");
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    auto bytes = whole;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    const auto contents = parse_log(bytes);
    CHECK((!contents.head || contents.head == head));
    CHECK(contents.texts.size() + contents.finals.size() >= 2);
    for (const auto& [digest, words] : contents.texts) CHECK((words == text || words == "another"));
    for (const auto& [index, item] : contents.finals) CHECK(item == final_of(entry));
  }
}
