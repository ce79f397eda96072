// What a claim file says, and what it makes void.

#include <doctest/doctest.h>

#include "cairn/consensus/claim.hpp"
#include "cairn/consensus/fence.hpp"
#include "cairn/core/error.hpp"

using namespace cairn;
using namespace cairn::consensus;

namespace {

Claim example() {
  Claim claim{.incarnation = 7, .owner = this_process()};
  claim.owner.nodes = {"node1", "node2 \"quoted\""};
  claim.owner.scheduler = "slurm";
  claim.owner.scheduler_job = "12";
  claim.honoured = {{2, 10}, {5, 17}};
  return claim;
}

}  // namespace

TEST_CASE("a claim is read as it was written, confirmed or not") {
  auto claim = example();
  CHECK(parse_claim(claim_text(claim)) == claim);
  claim.honoured->clear();
  CHECK(parse_claim(claim_text(claim)) == claim);
  claim.honoured.reset();
  CHECK(parse_claim(claim_text(claim)) == claim);
}

TEST_CASE("a torn or changed claim is never read as another one") {
  const auto text = claim_text(example());
  for (std::size_t length = 0; length < text.size(); ++length) {
    CHECK_THROWS_AS((void)parse_claim(text.substr(0, length)), Error);
    auto zeros = text;
    std::fill(zeros.begin() + static_cast<std::ptrdiff_t>(length), zeros.end(), '\0');
    CHECK_THROWS_AS((void)parse_claim(zeros), Error);
  }
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    auto flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    CHECK_THROWS_AS((void)parse_claim(flipped), Error);
  }
}

TEST_CASE("a claim of a later format is no damage") {
  auto text = claim_text(example());
  text.replace(text.find(" 1 "), 3, " 2 ");
  try {
    (void)parse_claim(text);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::usage);
  }
}

TEST_CASE("what a confirmed claim makes void") {
  const auto claim = example();  // 7, after epoch 10 of 2 and epoch 17 of 5
  struct Case {
    LastEpoch record;
    bool is_void;
  };
  for (const auto& each : {
           Case{{0, 5}, false}, Case{{0, 99}, false},  // of a program without incarnations
           Case{{2, 9}, false}, Case{{2, 10}, false},  // up to the last that counts
           Case{{2, 11}, true},                        // 3, 4 or 5 had taken over
           Case{{5, 17}, false}, Case{{5, 18}, true},  // a zombie's
           Case{{1, 3}, true}, Case{{4, 12}, true},    // had none that counts
           Case{{6, 18}, true}, Case{{6, 1}, true}, Case{{7, 1}, false},
           Case{{7, 99}, false},  // its own
           Case{{8, 20}, false},  // of a later one: not for this to say
       }) {
    CAPTURE(each.record.incarnation);
    CAPTURE(each.record.epoch);
    CHECK(claim.voids(each.record) == each.is_void);
  }
  auto pending = claim;
  pending.honoured.reset();
  CHECK(!pending.voids({5, 18}));
  CHECK(!pending.parent());
  CHECK(claim.parent() == LastEpoch{5, 17});
}

TEST_CASE("names of the fence") {
  for (const char* name : {"inc.1", "inc.27", "inc.3.beat", "inc.00ff.tmp"})
    CHECK(is_fence_file(name));
  for (const char* name : {"inc.", "inc.x", "inc.01", "inc.1.h5", "incx", "lock", "inc.0"})
    CHECK(!is_fence_file(name));
}
