/// Erasure code over the members of a group: whichever few of them are lost, the others' bytes
/// give back theirs. Bytes in memory only; who sends what to whom stands in redundancy.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cairn::ckpt {

/// The code and its layout, in which every member holds data and parity alike:
///
///     3 members, 1 loss: 2 chunks of each member, 3 stripes, member g holds the parity of stripe g
///
///                  stripe 0   stripe 1   stripe 2
///       member 0   parity     chunk 1    chunk 0       chunks of member x in the order of the
///       member 1   chunk 0    parity     chunk 1       stripes x + 1, x + 2, … (modulo n)
///       member 2   chunk 1    chunk 0    parity
///
/// Stripe g of n has its parity at members g … g + losses - 1 (modulo n). A member's bytes are cut
/// into width() = n - losses chunks of equal length, with zeros behind their end. Position 0 …
/// width() - 1 of a stripe is data, the others are parity. With one loss to bear parity is the XOR
/// of the data; else its coefficients are those of a Cauchy matrix, every square part of which has
/// an inverse.
///
/// All functions are local.
/// @par Source  Reed and Solomon, "Polynomial codes over certain finite fields", J. SIAM 8(2),
/// 1960, doi:10.1137/0108018; Blömer et al., "An XOR-based erasure-resilient coding scheme", ICSI
/// TR-95-048, 1995 (Cauchy matrices); the arithmetic is ISA-L's
class ErasureCode {
 public:
  /// @throws Error{Errc::internal} unless 1 <= losses < members <= 255
  ErasureCode(int members, int losses);

  [[nodiscard]] int members() const noexcept { return members_; }
  [[nodiscard]] int losses() const noexcept { return losses_; }
  /// Data chunks of a stripe, and chunks of a member.
  [[nodiscard]] int width() const noexcept { return members_ - losses_; }
  /// Bytes of a chunk when the longest member has so many.
  [[nodiscard]] std::uint64_t chunk_bytes(std::uint64_t longest) const noexcept;

  /// The member's place in the stripe: below width() its data, else row position - width() of
  /// parity.
  [[nodiscard]] int position(int member, int stripe) const noexcept;
  [[nodiscard]] int member_at(int position, int stripe) const noexcept;
  [[nodiscard]] bool holds_parity(int member, int stripe) const noexcept {
    return position(member, stripe) >= width();
  }
  /// Which of its chunks the member has in a stripe whose parity it does not hold.
  [[nodiscard]] int chunk_of(int member, int stripe) const noexcept;

  using Source = const std::byte*;

  /// Row `row` of a stripe's parity, 0 <= row < losses(), from all its data.
  void encode(int row, std::span<const Source> data, std::span<std::byte> parity) const;
  /// All rows at once, `bytes` of each.
  void encode(std::span<const Source> data, std::span<std::byte* const> parity,
              std::size_t bytes) const;

  /// The data at one position of a stripe from `sources`, of which `positions` says where they
  /// stand. Both have width() entries.
  void rebuild(int wanted, std::span<const int> positions, std::span<const Source> sources,
               std::span<std::byte> result) const;

 private:
  [[nodiscard]] std::vector<unsigned char> rows_of(std::span<const int> positions) const;

  int members_;
  int losses_;
  std::vector<unsigned char> matrix_;               // members × width; the first rows the identity
  std::vector<std::vector<unsigned char>> tables_;  // one per parity row
  std::vector<unsigned char> all_tables_;
};

}  // namespace cairn::ckpt
