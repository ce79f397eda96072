// Exact sums over ranks.

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "cairn/collectives/call.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/core/error.hpp"
#include "exact_bits.hpp"

namespace cairn {

namespace {

/// What one MPI call may carry of a vector of sums: MPI takes as much again for itself.
constexpr std::size_t message_bytes = std::size_t{1} << 20;

/// The same of what is made for the call, on the stack.
constexpr std::size_t buffer_words = std::size_t{1} << 14;

/// Reduces all ranks' words, in place. A part of a call that the ranks have compared.
void reduce_words(const Communicator& comm, std::span<std::int64_t> words, MPI_Op op) {
  detail::Now perform(comm);
  perform(detail::native_all_reduce, static_cast<const void*>(MPI_IN_PLACE),
          static_cast<void*>(words.data()), static_cast<int>(words.size()), MPI_INT64_T, op);
}

}  // namespace

namespace detail {

std::span<std::int64_t, ExactWords::count> ExactWords::of(ExactSum& sum) noexcept {
  sum.propagate_carries();
  return sum.words_;
}

std::span<std::int64_t> ExactWords::of(std::span<ExactSum> sums) noexcept {
  static_assert(sizeof(ExactSum) == sizeof(sums[0].words_));  // so that an array of sums is words
  for (auto& sum : sums) sum.propagate_carries();
  return {sums.empty() ? nullptr : sums[0].words_.data(), sums.size() * count};
}

ExactSum ExactWords::merged(std::span<const std::int64_t, count> words) noexcept {
  ExactSum sum;
  std::copy(words.begin(), words.end(), sum.words_.begin());
  sum.propagate_carries();
  return sum;
}

}  // namespace detail

namespace {

/// Merges all ranks' sums, in place. A part of a call that the ranks have compared.
void merge_over_ranks(const Communicator& comm, std::span<ExactSum> sums) {
  constexpr std::size_t most = message_bytes / sizeof(ExactSum);
  for (; !sums.empty(); sums = sums.subspan(std::min(most, sums.size()))) {
    const auto chunk = sums.first(std::min(most, sums.size()));
    reduce_words(comm, detail::ExactWords::of(chunk), MPI_SUM);
    (void)detail::ExactWords::of(chunk);  // carries travel again
  }
}

ExactSum& merged(const Communicator& comm, ExactSum& local) {
  merge_over_ranks(comm, std::span(&local, 1));
  return local;
}

}  // namespace

void all_reduce(const Communicator& comm, std::span<ExactSum> sums, Where where) {
  detail::compare_if_checked(comm, {"all_reduce", detail::signature_of<ExactSum>(), sums.size()},
                             where);
  merge_over_ranks(comm, sums);
}

ExactSum all_reduce(const Communicator& comm, const ExactSum& local, Where where) {
  ExactSum sum = local;
  all_reduce(comm, std::span(&sum, 1), where);
  return sum;
}

double exact_sum(const Communicator& comm, std::span<const double> local, ExactOptions options,
                 Where where) {
  detail::compare_if_checked(comm, {"exact_sum"}, where);
  ExactSum sum;
  sum.add(local, options);
  return merged(comm, sum).round();
}

double exact_dot(const Communicator& comm, std::span<const double> a, std::span<const double> b,
                 ExactOptions options, Where where) {
  const detail::Signature signature{"exact_dot"};
  detail::Require(comm, signature, where)(a.size() == b.size(), "two factors of equal size");
  detail::compare_if_checked(comm, signature, where);
  ExactSum sum;
  sum.add_products(a, b, options);
  return merged(comm, sum).round();
}

double exact_norm(const Communicator& comm, std::span<const double> x, ExactOptions options,
                  Where where) {
  detail::compare_if_checked(comm, {"exact_norm"}, where);
  ExactSum sum;
  sum.add_products(x, x, options);
  return merged(comm, sum).round_root();
}

// ---------------------------------------------------------------------------------------------

/// The digits that finite terms touch, and so all that ranks which add one term each have to tell
/// each other: without carries, 2^31 ranks' digits add up to less than 2^63.
class ExactSum::Window {
 public:
  /// Of all ranks' terms. Collective.
  Window(const Communicator& comm, std::span<const double> terms) {
    std::array<std::int64_t, 3> bounds{-nothing, -nothing, 0};  // last, -first, infinity or NaN
    for (const double term : terms) {
      const auto bits = std::bit_cast<std::uint64_t>(term);
      if ((bits & ~exact::sign_bit) == 0) continue;
      const std::int64_t digit = exact::parts_of(bits).scale / 32;
      bounds[0] = std::max(bounds[0], digit + 2);
      bounds[1] = std::max(bounds[1], -digit);
      if (exact::exponent_field(bits) == exact::special_exponent) bounds[2] = 1;
    }
    reduce_words(comm, bounds, MPI_MAX);
    special_ = bounds[2] != 0;
    if (bounds[0] == -nothing) return;
    first_ = static_cast<std::size_t>(-bounds[1]);
    width_ = static_cast<std::size_t>(bounds[0] + bounds[1] + 1);
  }

  /// Whether there are infinities or NaNs, which a window does not hold.
  [[nodiscard]] bool special() const { return special_; }

  /// Of one element: the digits, and how many of its terms are anything but -0.
  [[nodiscard]] std::size_t words_per_term() const { return width_ + 1; }

  void write(double term, std::span<std::int64_t> words) const {
    std::fill(words.begin(), words.end(), 0);
    const auto bits = std::bit_cast<std::uint64_t>(term);
    words[width_] = bits == exact::sign_bit ? 0 : 1;
    if ((bits & ~exact::sign_bit) == 0) return;
    const auto [significand, scale] = exact::parts_of(bits);
    const auto shifted = static_cast<exact::Uint128>(significand) << (scale % 32);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto chunk = static_cast<std::uint32_t>(shifted >> (32 * i));
      words[scale / 32 - first_ + i] = exact::with_sign(chunk, exact::sign_of(bits));
    }
  }

  /// Of an element's words, added up over all ranks.
  [[nodiscard]] double round(std::span<const std::int64_t> reduced) const {
    if (reduced[width_] == 0) return -0.0;
    std::array<std::int64_t, digits + 2> room;
    const auto range = std::span(room).first(width_ + 2);
    std::copy_n(reduced.begin(), width_, range.begin());
    range[width_] = range[width_ + 1] = 0;
    return round_digits(range, exact::first_double_digit + first_, Rounding::value);
  }

 private:
  static constexpr std::int64_t nothing = std::numeric_limits<std::int32_t>::max();
  bool special_ = false;
  std::size_t first_ = 0;  // counted from first_double_digit
  std::size_t width_ = 0;
};

namespace {

/// exact_sums() for terms of any kind.
void sum_each_in_full(const Communicator& comm, std::span<const double> in, std::span<double> out) {
  constexpr std::size_t most = buffer_words * sizeof(std::int64_t) / sizeof(ExactSum);
  for (std::size_t first = 0; first < in.size(); first += most) {
    const std::size_t count = std::min(most, in.size() - first);
    std::array<ExactSum, most> sums{};
    for (std::size_t i = 0; i < count; ++i) sums[i].add(in[first + i]);
    merge_over_ranks(comm, std::span(sums).first(count));
    for (std::size_t i = 0; i < count; ++i) out[first + i] = sums[i].round();
  }
}

}  // namespace

void exact_sums(const Communicator& comm, std::span<const double> in, std::span<double> out,
                Where where) {
  const detail::Signature signature{"exact_sums", detail::signature_of<double>(), in.size()};
  detail::Require(comm, signature, where)(in.size() == out.size(), "as many sums as terms");
  detail::compare_if_checked(comm, signature, where);
  const ExactSum::Window window(comm, in);
  if (window.special()) {
    sum_each_in_full(comm, in, out);
    return;
  }
  const std::size_t words = window.words_per_term();
  std::array<std::int64_t, buffer_words> buffer;
  const std::size_t most = buffer.size() / words;
  for (std::size_t first = 0; first < in.size(); first += most) {
    const std::size_t count = std::min(most, in.size() - first);
    const auto of = [&](std::size_t i) { return std::span(buffer).subspan(i * words, words); };
    for (std::size_t i = 0; i < count; ++i) window.write(in[first + i], of(i));
    reduce_words(comm, std::span(buffer).first(count * words), MPI_SUM);
    for (std::size_t i = 0; i < count; ++i) out[first + i] = window.round(of(i));
  }
}

}  // namespace cairn
