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

/// Lives for the time of one call, on one thread. From 4096 terms on that call has 80 KiB of stack,
/// for products 96 KiB, untouched as long as no block needs bins.
class ExactSum::Blocks {
 public:
  static void add(ExactSum& target, std::span<const double> terms) noexcept;

  /// Both of one size.
  static void add_products(ExactSum& target, std::span<const double> a,
                           std::span<const double> b) noexcept;

  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

 private:
  /// @param bins  for the terms of any exponents; null where they are few
  Blocks(ExactSum& target, std::optional<Bins>* bins) noexcept;
  ~Blocks();

  template <typename Call>
  static void with_bins(ExactSum& target, const Call& call) noexcept;
  template <typename Call>
  static void run(ExactSum& target, std::size_t size, const Call& call) noexcept;

  void add(std::span<const double> terms) noexcept;
  void add_products(std::span<const double> a, std::span<const double> b) noexcept;
  void add_block(std::span<const double> x) noexcept;
  void add_product_block(std::span<const double> a, std::span<const double> b) noexcept;
  template <std::size_t slices, typename Kernel>
  bool add_sliced(const Kernel& kernel, int lowest_bound, bool& all_zero) noexcept;
  void add_scattered(std::span<const double> x) noexcept;
  void add_scattered(std::span<const double> a, std::span<const double> b) noexcept;
  void add_to_bins(std::span<const double> a, std::span<const double> b) noexcept;
  Bins& bins() noexcept { return *bins_ ? **bins_ : bins_->emplace(target_); }

  ExactSum& target_;
  std::optional<Bins>* const bins_;
  const exact::DefaultEnvironment environment_;
  const exact::Kernels* kernels_;  // null: this machine or its modes allow none
  int bound_ = 0;                  // the next block is expected to have |terms| < 2^bound_
};

}  // namespace cairn
