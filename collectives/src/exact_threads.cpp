// Exact sums of large inputs on several threads of a rank. The only file that is compiled with
// OpenMP, and it works without.

#include <algorithm>
#include <cstddef>

#include "cairn/collectives/exact_sum.hpp"
#include "cairn/core/error.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace cairn {

namespace {

/// A thread's share of terms below which to start it costs more than it saves.
[[maybe_unused]] constexpr std::size_t least_share = std::size_t{1} << 15;

/// Threads for n terms.
[[maybe_unused]] int threads_for([[maybe_unused]] std::size_t n,
                                 [[maybe_unused]] ExactOptions options) {
#if defined(_OPENMP)
  if (options.threads == 1 || (options.threads <= 0 && n < 2 * least_share)) return 1;
  if (omp_in_parallel() != 0) return 1;
  if (options.threads > 1) {
    return static_cast<int>(
        std::min(static_cast<std::size_t>(options.threads), std::max(n, std::size_t{1})));
  }
  return static_cast<int>(
      std::min<std::size_t>(static_cast<std::size_t>(omp_get_max_threads()), n / least_share));
#else
  return 1;
#endif
}

/// Calls add_part(sum, first, count) for consecutive parts of [0, n), each on a thread and with a
/// sum of its own, and merges the sums into `target`: integers, so that the order plays no role.
template <typename AddPart>
void add_on_threads(ExactSum& target, std::size_t n, [[maybe_unused]] int threads,
                    const AddPart& add_part) {
#if defined(_OPENMP)
  if (threads > 1) {
#pragma omp parallel num_threads(threads)
    {
      const auto count = static_cast<std::size_t>(omp_get_num_threads());
      const auto index = static_cast<std::size_t>(omp_get_thread_num());
      const std::size_t first = n / count * index + std::min(index, n % count);
      ExactSum part;
      add_part(part, first, n / count + (index < n % count ? 1 : 0));
#pragma omp critical(cairn_exact_sum)
      target.merge(part);
    }
    return;
  }
#endif
  add_part(target, 0, n);
}

}  // namespace

void ExactSum::add(std::span<const double> terms, ExactOptions options) noexcept {
  add_on_threads(*this, terms.size(), threads_for(terms.size(), options),
                 [&](ExactSum& sum, std::size_t first, std::size_t count) {
                   sum.add(terms.subspan(first, count));
                 });
}

void ExactSum::add_products(std::span<const double> a, std::span<const double> b,
                            ExactOptions options) {
  expects(a.size() == b.size(), "two factors of equal size");
  add_on_threads(*this, a.size(), threads_for(a.size(), options),
                 [&](ExactSum& sum, std::size_t first, std::size_t count) {
                   sum.add_products(a.subspan(first, count), b.subspan(first, count));
                 });
}

}  // namespace cairn
