// The erasure code: every set of losses that it must bear, for all small groups, against the bytes
// that went in.

#include "erasure.hpp"

#include <doctest/doctest.h>

#include <bit>

#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"

using cairn::ckpt::ErasureCode;

namespace {

using Bytes = std::vector<std::byte>;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

/// A group: what every member has, padded, and the parity that it holds (row by row).
struct Group {
  Group(const ErasureCode& erasure_code, const std::vector<std::size_t>& lengths)
      : code(erasure_code) {
    std::size_t longest = 0;
    for (const auto length : lengths) longest = std::max(longest, length);
    chunk = code.chunk_bytes(longest);
    for (const auto length : lengths) {
      Bytes bytes(chunk * index(code.width()));
      for (std::size_t i = 0; i < length; ++i)
        bytes[i] = static_cast<std::byte>(cairn::Random(1, data.size()).bits(i));
      data.push_back(std::move(bytes));
    }
    parity.assign(lengths.size(), Bytes(chunk * index(code.losses())));
    for (int stripe = 0; stripe < code.members(); ++stripe) encode(stripe);
  }

  [[nodiscard]] const std::byte* at(int position, int stripe) const {
    const int member = code.member_at(position, stripe);
    if (position >= code.width())
      return parity[index(member)].data() + chunk * index(position - code.width());
    return data[index(member)].data() + chunk * index(code.chunk_of(member, stripe));
  }

  void encode(int stripe) {
    std::vector<const std::byte*> sources;
    for (int position = 0; position < code.width(); ++position)
      sources.push_back(at(position, stripe));
    for (int row = 0; row < code.losses(); ++row) {
      const int holder = code.member_at(code.width() + row, stripe);
      code.encode(row, sources,
                  std::span(parity[index(holder)]).subspan(chunk * index(row), chunk));
    }
  }

  /// What `lost` (a bit per member) had, from what the others hold.
  [[nodiscard]] Bytes rebuilt(int member, unsigned lost) const {
    Bytes result(data[index(member)].size());
    for (int stripe = 0; stripe < code.members(); ++stripe) {
      if (code.holds_parity(member, stripe)) continue;
      std::vector<int> positions;
      std::vector<const std::byte*> sources;
      for (int position = 0; position < code.members(); ++position) {
        const bool is_lost = (lost >> code.member_at(position, stripe) & 1U) != 0;
        if (is_lost || index(code.width()) == positions.size()) continue;
        positions.push_back(position);
        sources.push_back(at(position, stripe));
      }
      code.rebuild(code.position(member, stripe), positions, sources,
                   std::span(result).subspan(chunk * index(code.chunk_of(member, stripe)), chunk));
    }
    return result;
  }

  const ErasureCode& code;
  std::size_t chunk = 0;
  std::vector<Bytes> data;
  std::vector<Bytes> parity;
};

void check_all_losses(const ErasureCode& code, const std::vector<std::size_t>& lengths) {
  const Group group(code, lengths);
  for (unsigned lost = 0; lost < 1U << code.members(); ++lost) {
    if (std::popcount(lost) > code.losses()) continue;
    for (int member = 0; member < code.members(); ++member) {
      if ((lost >> member & 1U) == 0) continue;
      CAPTURE(code.members());
      CAPTURE(code.losses());
      CAPTURE(lost);
      CAPTURE(member);
      CHECK(group.rebuilt(member, lost) == group.data[index(member)]);
    }
  }
}

}  // namespace

TEST_CASE("every stripe has each member once, and each member has every chunk once") {
  for (int n = 2; n <= 9; ++n) {
    for (int m = 1; m < n; ++m) {
      const ErasureCode code(n, m);
      for (int member = 0; member < n; ++member) {
        unsigned chunks = 0;
        unsigned rows = 0;
        for (int stripe = 0; stripe < n; ++stripe) {
          const int position = code.position(member, stripe);
          CHECK(code.member_at(position, stripe) == member);
          if (code.holds_parity(member, stripe)) {
            rows |= 1U << (position - code.width());
          } else {
            chunks |= 1U << code.chunk_of(member, stripe);
          }
        }
        CHECK(chunks == (1U << code.width()) - 1);
        CHECK(rows == (1U << m) - 1);
      }
    }
  }
}

TEST_CASE("whatever may be lost is rebuilt, for all groups of up to 6 members and 3 losses") {
  for (int n = 2; n <= 6; ++n) {
    for (int m = 1; m <= std::min(3, n - 1); ++m) {
      const ErasureCode code(n, m);
      check_all_losses(code, std::vector<std::size_t>(index(n), 0));
      check_all_losses(code, std::vector<std::size_t>(index(n), 1));
      check_all_losses(code, std::vector<std::size_t>(index(n), 1000));
      for (std::uint64_t round = 0; round < 8; ++round) {
        std::vector<std::size_t> lengths;
        for (std::uint64_t member = 0; member < index(n); ++member)
          lengths.push_back(cairn::Random(2, round).below(member, 700));
        lengths[round % index(n)] = 0;
        check_all_losses(code, lengths);
      }
    }
  }
}

TEST_CASE(
    "parity of one loss is the XOR of the data, and all rows at once are the rows one by one") {
  const ErasureCode one(4, 1);
  const Bytes data{std::byte{0x53}, std::byte{0xca}, std::byte{0xff}};
  const std::vector<const std::byte*> sources{&data[0], &data[1], &data[2]};
  Bytes parity(1);
  one.encode(0, sources, parity);
  CHECK(parity[0] == (data[0] ^ data[1] ^ data[2]));

  const ErasureCode three(6, 3);
  Bytes rows(3);
  const std::vector<std::byte*> all{&rows[0], &rows[1], &rows[2]};
  three.encode(sources, all, 1);
  for (int row = 0; row < 3; ++row) {
    three.encode(row, sources, parity);
    CHECK(parity[0] == rows[index(row)]);
  }
}

namespace {

/// Multiplication in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1, bit by bit.
unsigned multiply(unsigned a, unsigned b) {
  unsigned product = 0;
  for (; b != 0; b >>= 1U) {
    if ((b & 1U) != 0) product ^= a;
    a = (a << 1U) ^ ((a & 0x80U) != 0 ? 0x11dU : 0U);
  }
  return product;
}

unsigned inverse(unsigned a) {
  unsigned b = 1;
  while (multiply(a, b) != 1) ++b;
  return b;
}

}  // namespace

TEST_CASE("the coefficients of more than one loss are those of FORMAT.md") {
  for (int k = 1; k <= 9; ++k) {
    for (int m = 2; m <= 4; ++m) {
      const ErasureCode code(k + m, m);
      for (int i = 0; i < m; ++i) {
        for (int j = 0; j < k; ++j) {
          Bytes data(index(k));
          data[index(j)] = std::byte{0x37};
          std::vector<const std::byte*> sources;
          for (const auto& byte : data) sources.push_back(&byte);
          Bytes parity(1);
          code.encode(i, sources, parity);
          const auto coefficient = inverse(static_cast<unsigned>((k + i) ^ j));
          CHECK(std::to_integer<unsigned>(parity[0]) == multiply(0x37, coefficient));
        }
      }
    }
  }
}

TEST_CASE("a group that could not bear its losses is refused") {
  CHECK_THROWS_AS(ErasureCode(3, 3), cairn::Error);
  CHECK_THROWS_AS(ErasureCode(3, 0), cairn::Error);
  CHECK_THROWS_AS(ErasureCode(256, 2), cairn::Error);
}
