/// What a benchmark is: a name and a function that measures ours against a baseline, interleaved in
/// the same process, and returns rows.
///
/// A new benchmark is one file, with one line in CMakeLists.txt:
///
///     std::vector<Row> measure(Context& context) { … compare(context, ours, baseline) … }
///     const Benchmark heat{"heat", "heat stepping against a plain OpenMP loop", measure};
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/communicator.hpp"

namespace cairn::bench {

/// What a benchmark gets.
struct Context {
  const Communicator& world;  ///< all ranks
  int threads;                ///< OpenMP threads of each rank; already set
  double seconds;             ///< about how long a row may measure
};

/// Seconds a call, of the slowest rank.
struct Seconds {
  double ours = 0.0;
  double baseline = 0.0;
};

/// In the order in which they are shown.
using Parameter = std::variant<std::int64_t, double, std::string>;
using Parameters = std::vector<std::pair<std::string, Parameter>>;

/// One line of the table.
struct Row {
  std::string name;
  Parameters parameters;
  Seconds seconds;
  std::optional<double> target;  ///< the largest ratio that holds; none: reported only

  [[nodiscard]] double ratio() const { return seconds.ours / seconds.baseline; }
  [[nodiscard]] bool holds() const { return !target || ratio() <= *target; }
};

/// A benchmark, which registers itself: define it at namespace scope in the file that holds it.
class Benchmark {
 public:
  /// Collective over context.world; every rank returns the same rows.
  using Function = std::vector<Row> (*)(Context& context);

  Benchmark(const char* name, const char* summary, Function function);
  Benchmark(const Benchmark&) = delete;
  Benchmark& operator=(const Benchmark&) = delete;

  [[nodiscard]] const char* name() const noexcept { return name_; }
  [[nodiscard]] const char* summary() const noexcept { return summary_; }
  [[nodiscard]] std::vector<Row> measure(Context& context) const { return function_(context); }

 private:
  const char* name_;
  const char* summary_;
  Function function_;
};

/// All benchmarks of this program, by name.
[[nodiscard]] std::vector<const Benchmark*> benchmarks();

/// The median of `values`, shape [n], n ≥ 1; reorders them.
[[nodiscard]] double median(std::span<double> values);

/// Measures `ours` and `baseline`, which are called alike on every rank: in short batches that take
/// turns, each after a barrier and timed by its slowest rank, in several rounds.
///
/// Collective. Calls each at least 15 times, and as often as context.seconds allows.
/// @return for each the smallest median of a round, equal on every rank: noise of the machine only
/// ever adds
template <typename Ours, typename Baseline>
Seconds compare(const Context& context, Ours&& ours, Baseline&& baseline);

/// Keeps the compiler from dropping a computation whose result nobody uses.
void use(double value);

// ---------------------------------------------------------------------------------------------

namespace detail {

inline constexpr int rounds = 5;
inline constexpr double batch_seconds = 2e-4;  // long against the clock, short against other noise

/// Seconds of `calls` calls on the slowest rank. Collective.
template <typename Call>
double time_batch(const Communicator& comm, Call& call, std::int64_t calls) {
  barrier(comm);
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < calls; ++i) call();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return all_reduce(comm, elapsed.count(), Maximum{});
}

/// Calls in a batch: so many that it takes batch_seconds. Also warms up.
template <typename Call>
std::int64_t calls_per_batch(const Communicator& comm, Call& call) {
  std::int64_t calls = 1;
  while (time_batch(comm, call, calls) < batch_seconds) calls *= 2;
  return calls;
}

}  // namespace detail

template <typename Ours, typename Baseline>
Seconds compare(const Context& context, Ours&& ours, Baseline&& baseline) {
  const auto& comm = context.world;
  auto our_calls = detail::calls_per_batch(comm, ours);
  auto baseline_calls = detail::calls_per_batch(comm, baseline);
  if (std::max(our_calls, baseline_calls) <= 2 * std::min(our_calls, baseline_calls)) {
    our_calls = baseline_calls = std::max(our_calls, baseline_calls);
  }
  const double pair = detail::time_batch(comm, ours, our_calls) +
                      detail::time_batch(comm, baseline, baseline_calls);
  const auto pairs =
      static_cast<std::size_t>(std::max(3.0, context.seconds / (pair * detail::rounds)));

  Seconds best{1e300, 1e300};
  for (int round = 0; round < detail::rounds; ++round) {
    std::vector<double> our_times;
    std::vector<double> baseline_times;
    for (std::size_t i = 0; i < pairs; ++i) {
      const bool ours_first = (i % 2 == 0);
      if (ours_first) our_times.push_back(detail::time_batch(comm, ours, our_calls));
      baseline_times.push_back(detail::time_batch(comm, baseline, baseline_calls));
      if (!ours_first) our_times.push_back(detail::time_batch(comm, ours, our_calls));
    }
    best.ours = std::min(best.ours, median(our_times) / static_cast<double>(our_calls));
    best.baseline =
        std::min(best.baseline, median(baseline_times) / static_cast<double>(baseline_calls));
  }
  return best;
}

}  // namespace cairn::bench
