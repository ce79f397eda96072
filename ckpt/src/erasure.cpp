#include "erasure.hpp"

#include <isa-l/erasure_code.h>

#include <algorithm>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

namespace {

constexpr std::size_t table_bytes = 32;  // per coefficient, says ISA-L

std::size_t index(int i) { return static_cast<std::size_t>(i); }

/// ISA-L's form of `rows` × `width` coefficients.
std::vector<unsigned char> tables_of(std::vector<unsigned char> coefficients, int width, int rows) {
  std::vector<unsigned char> tables(table_bytes * coefficients.size());
  ec_init_tables(width, rows, coefficients.data(), tables.data());
  return tables;
}

/// rows = tables · data. ISA-L takes an int length and pointers that are not const; it leaves
/// tables and data alone.
void multiply(const std::vector<unsigned char>& tables, std::span<const ErasureCode::Source> data,
              std::span<std::byte* const> results, std::size_t bytes) {
  constexpr std::size_t at_once = std::size_t{1} << 30;
  std::vector<unsigned char*> in(data.size());
  std::vector<unsigned char*> out(results.size());
  for (std::size_t done = 0; done < bytes; done += at_once) {
    // NOLINTBEGIN(cppcoreguidelines-pro-type-*)
    for (std::size_t i = 0; i < data.size(); ++i)
      in[i] = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data[i] + done));
    for (std::size_t i = 0; i < results.size(); ++i)
      out[i] = reinterpret_cast<unsigned char*>(results[i] + done);
    ec_encode_data(static_cast<int>(std::min(at_once, bytes - done)), static_cast<int>(in.size()),
                   static_cast<int>(out.size()), const_cast<unsigned char*>(tables.data()),
                   in.data(), out.data());
    // NOLINTEND(cppcoreguidelines-pro-type-*)
  }
}

}  // namespace

ErasureCode::ErasureCode(int members, int losses) : members_(members), losses_(losses) {
  expects(losses >= 1 && losses < members && members <= 255,
          "an erasure code of at most 255 members that bears 1 loss or more, not all");
  matrix_.resize(index(members) * index(width()));
  gf_gen_cauchy1_matrix(matrix_.data(), members, width());
  if (losses == 1) std::fill(matrix_.end() - width(), matrix_.end(), 1);
  const std::vector<unsigned char> parity(matrix_.begin() + std::ptrdiff_t{width()} * width(),
                                          matrix_.end());
  all_tables_ = tables_of(parity, width(), losses);
  for (auto row = parity.begin(); row != parity.end(); row += width())
    tables_.push_back(tables_of({row, row + width()}, width(), 1));
}

std::uint64_t ErasureCode::chunk_bytes(std::uint64_t longest) const noexcept {
  const auto chunks = static_cast<std::uint64_t>(width());
  return (longest + chunks - 1) / chunks;
}

int ErasureCode::position(int member, int stripe) const noexcept {
  return (member - stripe - losses_ + 2 * members_) % members_;
}

int ErasureCode::member_at(int position, int stripe) const noexcept {
  return (position + stripe + losses_) % members_;
}

int ErasureCode::chunk_of(int member, int stripe) const noexcept {
  return (stripe - member - 1 + 2 * members_) % members_;
}

void ErasureCode::encode(int row, std::span<const Source> data, std::span<std::byte> parity) const {
  std::byte* const result = parity.data();
  multiply(tables_[index(row)], data, {&result, 1}, parity.size());
}

void ErasureCode::encode(std::span<const Source> data, std::span<std::byte* const> parity,
                         std::size_t bytes) const {
  multiply(all_tables_, data, parity, bytes);
}

std::vector<unsigned char> ErasureCode::rows_of(std::span<const int> positions) const {
  std::vector<unsigned char> rows;
  for (const int position : positions) {
    const auto first = matrix_.begin() + std::ptrdiff_t{position} * width();
    rows.insert(rows.end(), first, first + width());
  }
  return rows;
}

void ErasureCode::rebuild(int wanted, std::span<const int> positions,
                          std::span<const Source> sources, std::span<std::byte> result) const {
  auto rows = rows_of(positions);
  std::vector<unsigned char> inverse(rows.size());
  expects(gf_invert_matrix(rows.data(), inverse.data(), width()) == 0,
          "different positions to rebuild from");
  const auto row = inverse.begin() + std::ptrdiff_t{wanted} * width();
  std::byte* const to = result.data();
  multiply(tables_of({row, row + width()}, width(), 1), sources, {&to, 1}, result.size());
}

}  // namespace cairn::ckpt
