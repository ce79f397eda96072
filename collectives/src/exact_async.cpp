// Exact sums of vectors, in the background.

#include "cairn/collectives/exact_async.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "cairn/collectives/count.hpp"
#include "cairn/core/error.hpp"

namespace cairn {

namespace {

/// Adds up all words of `sums` over the ranks, in place.
template <typename Perform>
void reduce_words(Perform& perform, std::span<ExactSum> sums) {
  const std::size_t most = std::max<std::size_t>(1, detail::max_count / detail::ExactWords::count);
  for (; !sums.empty(); sums = sums.subspan(std::min(most, sums.size()))) {
    const auto words = detail::ExactWords::of(sums.first(std::min(most, sums.size())));
    perform(detail::native_all_reduce, static_cast<const void*>(MPI_IN_PLACE),
            static_cast<void*>(words.data()), static_cast<int>(words.size()), MPI_INT64_T, MPI_SUM);
  }
}

/// Sums that are lent.
struct LentSums {
  using Result = void;
  static constexpr bool owns = true;
  std::span<ExactSum> sums;

  void complete() const noexcept { (void)detail::ExactWords::of(sums); }  // carries travel again
  void release() const noexcept {}
};

/// Sums of the call's own, and where they are rounded to.
struct RoundedSums {
  using Result = void;
  static constexpr bool owns = true;
  std::vector<ExactSum> sums;
  std::span<double> out;

  void complete() noexcept {
    LentSums{sums}.complete();
    for (std::size_t i = 0; i < sums.size(); ++i) out[i] = sums[i].round();
  }
  void release() const noexcept {}
};

}  // namespace

Future<> all_reduce(const detail::Async& way, std::span<ExactSum> sums, Where where) {
  const detail::Signature signature{"all_reduce", detail::signature_of<ExactSum>(), sums.size()};
  return carry_out(way, signature, where, LentSums{sums},
                   [](auto& perform, auto& frame) { reduce_words(perform, frame.sums); });
}

Future<> exact_sums(const detail::Async& way, std::span<const double> in, std::span<double> out,
                    Where where) {
  const detail::Signature signature{"exact_sums", detail::signature_of<double>(), in.size()};
  detail::require_for(way, signature, where)(in.size() == out.size(), "as many sums as terms");
  std::vector<ExactSum> sums(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) sums[i].add(in[i]);
  return carry_out(way, signature, where, RoundedSums{std::move(sums), out},
                   [](auto& perform, auto& frame) { reduce_words(perform, frame.sums); });
}

}  // namespace cairn
