#include "exact_blocks.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>

#include "exact_bits.hpp"

namespace cairn {

namespace {

using exact::product_slices;
using exact::sum_slices;

/// The b of the smallest power of two with |x| < 2^b, for x normal; for a denormal -1022; more than
/// highest_bound for infinity and NaN.
int bound_of(double x) {
  return static_cast<int>(exact::exponent_field(std::bit_cast<std::uint64_t>(x))) - 1022;
}

/// So that the first slice's binade ends at 2^1023: nothing overflows.
constexpr int highest_bound = 1022 - exact::slice_exponent(0, 0);

/// So that the last slice's last place is 2^-1074 or more: its anchor is no denormal.
constexpr int lowest_sum_bound = -1022 - exact::slice_exponent(0, sum_slices - 1);

/// So that the last slice's last place is 2^-967 or more. Why no error term is lost:
///
/// * |a · b| ≥ 2^-968 when rounded. Then the last places of a and b have a product of 2^-1074 or
///   more, of which a · b and its error term are multiples: no operation on them underflows.
/// * 0 < |a · b| < 2^-968 when rounded, less than half of any slice's last place. So it passes
///   through all slices and is left over: not exact.
/// * a · b is rounded to 0 and neither factor is 0: the kernel looks for that: not exact.
constexpr int lowest_product_bound = -967 + 52 - exact::slice_exponent(0, product_slices - 1);
constexpr double least_product = 0x1p-968;

/// Terms of a call below which to set up and empty bins costs more than they save.
constexpr std::size_t least_for_bins = 4096;

/// Terms so much smaller than their bound cost no retry. Slices are wide enough to waste this.
constexpr int slack = 6;

constexpr auto is_minus_zero = [](double x) {
  return std::bit_cast<std::uint64_t>(x) == exact::sign_bit;
};

/// The largest of a few of the values, for a first guess.
template <typename At>
double sample_largest(std::size_t n, const At& at) {
  const std::size_t step = n / 16 + 1;
  double largest = 0.0;
  for (std::size_t i = 0; i < n; i += step) largest = std::max(largest, std::abs(at(i)));
  return largest;
}

}  // namespace

ExactSum::Blocks::Blocks(ExactSum& target, std::optional<Bins>* bins) noexcept
    : target_(target),
      bins_(bins),
      kernels_(exact::DefaultEnvironment::holds() ? exact::chosen_kernels() : nullptr) {}

ExactSum::Blocks::~Blocks() {
  if (bins_ != nullptr && *bins_) (*bins_)->empty();
}

/// Not inlined: the stack of the bins is for those who may need them.
template <typename Call>
[[gnu::noinline]] void ExactSum::Blocks::with_bins(ExactSum& target, const Call& call) noexcept {
  std::optional<Bins> bins;
  Blocks blocks(target, &bins);
  call(blocks);
}

/// @param size  of the one addition that `call` makes
template <typename Call>
void ExactSum::Blocks::run(ExactSum& target, std::size_t size, const Call& call) noexcept {
  if (size >= least_for_bins) {
    with_bins(target, call);
    return;
  }
  Blocks blocks(target, nullptr);
  call(blocks);
}

void ExactSum::Blocks::add(ExactSum& target, std::span<const double> terms) noexcept {
  run(target, terms.size(), [terms](Blocks& blocks) { blocks.add(terms); });
}

void ExactSum::Blocks::add_products(ExactSum& target, std::span<const double> a,
                                    std::span<const double> b) noexcept {
  run(target, a.size(), [a, b](Blocks& blocks) { blocks.add_products(a, b); });
}

/// Terms of any exponents.
void ExactSum::Blocks::add_scattered(std::span<const double> x) noexcept {
  if (bins_ != nullptr) {
    bins().add(x);
  } else {
    for (const double term : x) target_.add(term);
  }
}

void ExactSum::Blocks::add(std::span<const double> terms) noexcept {
  if (kernels_ == nullptr) {
    add_scattered(terms);
    return;
  }
  bound_ =
      bound_of(sample_largest(terms.size(), [&](std::size_t i) { return terms[i]; })) + slack / 2;
  for (; !terms.empty(); terms = terms.subspan(std::min(terms.size(), exact::block_terms))) {
    add_block(terms.first(std::min(terms.size(), exact::block_terms)));
  }
}

void ExactSum::Blocks::add_products(std::span<const double> a, std::span<const double> b) noexcept {
  if (kernels_ == nullptr) {
    for (std::size_t i = 0; i < a.size(); ++i) target_.add_product(a[i], b[i]);
    return;
  }
  bound_ =
      bound_of(sample_largest(a.size(), [&](std::size_t i) { return a[i] * b[i]; })) + slack / 2;
  for (std::size_t first = 0; first < a.size(); first += exact::block_terms) {
    const std::size_t count = std::min(a.size() - first, exact::block_terms);
    add_product_block(a.subspan(first, count), b.subspan(first, count));
  }
}

/// Runs `kernel`, a second time if the bound was wrong, and adds what it found to the target.
/// @return whether the block is done; if not, nothing was added
template <std::size_t slices, typename Kernel>
bool ExactSum::Blocks::add_sliced(const Kernel& kernel, int lowest_bound, bool& all_zero) noexcept {
  bound_ = std::clamp(bound_, lowest_bound, highest_bound);
  exact::Block<slices> block = kernel(exact::anchors_for<slices>(bound_));
  const int needed = bound_of(block.largest);
  if (needed > highest_bound) return false;
  const int fitting = std::max(needed, lowest_bound);
  if (needed > bound_ || (!block.exact && fitting < bound_ - slack)) {
    bound_ = fitting;
    block = kernel(exact::anchors_for<slices>(bound_));
  }
  if (!block.exact) return false;
  assert(bound_of(block.largest) <= bound_);

  for (std::size_t j = 0; j < slices; ++j) {
    const int place = exact::slice_exponent(bound_, j) - 52 - exact::lowest_exponent;
    target_.add_signed(block.sums[j], static_cast<unsigned>(place));
  }
  target_.count_additions(slices);
  all_zero = block.largest == 0.0;
  if (fitting >= bound_ || fitting < bound_ - slack) bound_ = fitting + slack / 2;
  return true;
}

void ExactSum::Blocks::add_block(std::span<const double> x) noexcept {
  bool all_zero = false;
  const auto kernel = [&](const exact::Anchors<sum_slices>& anchors) {
    return kernels_->sum(x.data(), x.size(), anchors);
  };
  if (!add_sliced<sum_slices>(kernel, lowest_sum_bound, all_zero)) {
    add_scattered(x);
    return;
  }
  const bool minus = all_zero && std::all_of(x.begin(), x.end(), is_minus_zero);
  target_.count_flag(minus ? minus_zeros : others);
}

void ExactSum::Blocks::add_product_block(std::span<const double> a,
                                         std::span<const double> b) noexcept {
  bool all_zero = false;
  const auto kernel = [&](const exact::Anchors<product_slices>& anchors) {
    return kernels_->dot(a.data(), b.data(), a.size(), anchors);
  };
  if (!add_sliced<product_slices>(kernel, lowest_product_bound, all_zero)) {
    add_scattered(a, b);
    return;
  }
  const bool minus = all_zero && std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) {
                       return std::signbit(x) != std::signbit(y);
                     });
  target_.count_flag(minus ? minus_zeros : others);
}

/// Products of any exponents: as two terms each, where they are exact.
void ExactSum::Blocks::add_scattered(std::span<const double> a,
                                     std::span<const double> b) noexcept {
  if (bins_ != nullptr) {
    add_to_bins(a, b);
  } else {
    for (std::size_t i = 0; i < a.size(); ++i) target_.add_product(a[i], b[i]);
  }
}

/// Not inlined, for the sake of the stack.
[[gnu::noinline]] void ExactSum::Blocks::add_to_bins(std::span<const double> a,
                                                     std::span<const double> b) noexcept {
  Bins& scattered = bins();
  constexpr double finite = std::numeric_limits<double>::max();
  std::array<double, exact::block_terms> product;
  std::array<double, exact::block_terms> error;
  kernels_->two_products(a.data(), b.data(), a.size(), product.data(), error.data());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::abs(product[i]) >= least_product && std::abs(error[i]) <= finite) {
      scattered.add(product[i], error[i]);
    } else {
      target_.add_product(a[i], b[i]);
    }
  }
}

}  // namespace cairn
