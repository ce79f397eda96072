/// Many terms, or products, block by block through the vector kernels, and what does not fit them
/// through the bins.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "cairn/collectives/exact_sum.hpp"
#include "exact_bins.hpp"
#include "exact_environment.hpp"
#include "exact_kernels.hpp"

namespace cairn {

/// Lives for the time of one call, on one thread. 80 KiB, untouched as long as no block needs bins.
class ExactSum::Blocks {
 public:
  /// @param size  of the one call of add or add_products that follows
  Blocks(ExactSum& target, std::size_t size) noexcept;
  ~Blocks();
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  void add(std::span<const double> terms) noexcept;

  /// Both of one size.
  void add_products(std::span<const double> a, std::span<const double> b) noexcept;

 private:
  void add_block(std::span<const double> x) noexcept;
  void add_product_block(std::span<const double> a, std::span<const double> b) noexcept;
  template <std::size_t slices, typename Kernel>
  bool add_sliced(const Kernel& kernel, int lowest_bound, bool& all_zero) noexcept;
  void add_scattered(std::span<const double> x) noexcept;
  void add_scattered(std::span<const double> a, std::span<const double> b) noexcept;
  Bins* bins() noexcept;

  ExactSum& target_;
  const std::size_t size_;
  const exact::DefaultEnvironment environment_;
  const exact::Kernels* kernels_;  // null: this machine or its modes allow none
  int bound_ = 0;                  // the next block is expected to have |terms| < 2^bound_
  std::optional<Bins> bins_;
};

}  // namespace cairn
