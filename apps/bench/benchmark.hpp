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

  /// So little time is only to see that the program works: small inputs will do.
  [[nodiscard]] bool is_trial() const noexcept { return seconds < 0.02; }
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

/// Measures `ours` and `baseline`, which are called alike on every rank: in short batches, each
/// after a barrier and timed by its slowest rank.
///
///     group   ours baseline baseline ours | baseline ours ours baseline | ours baseline …
///
/// The ratio is the median of the ratios within the groups, of the quietest quarter of them: both
/// sides of a group met the same machine, and what drifts meanwhile cancels.
///
/// Collective. Calls each at least 16 times, and as often as context.seconds allows; up to four
/// times as long where other work disturbs it.
/// @param before  is called on every rank ahead of each batch, outside its time
/// @return `baseline`: the median over those groups; `ours`: that times the ratio; equal on every
/// rank
template <typename Ours, typename Baseline, typename Before>
Seconds compare(const Context& context, Ours&& ours, Baseline&& baseline, Before&& before);
template <typename Ours, typename Baseline>
Seconds compare(const Context& context, Ours&& ours, Baseline&& baseline) {
  return compare(context, ours, baseline, [] {});
}

/// Keeps the compiler from dropping a computation whose result nobody uses.
void use(double value);

// ---------------------------------------------------------------------------------------------

namespace detail {

inline constexpr std::size_t least_groups = 8;
inline constexpr double patience = 4;          // so much longer on a busy machine
inline constexpr double batch_seconds = 1e-4;  // long against the clock, short against other noise

/// Seconds of `calls` calls on the slowest rank. Collective.
template <typename Call, typename Before>
double time_batch(const Communicator& comm, Call& call, std::int64_t calls, Before& before) {
  before();
  barrier(comm);
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < calls; ++i) call();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return all_reduce(comm, elapsed.count(), Maximum{});
}

/// Calls in a batch: so many that it takes batch_seconds. Also warms up.
template <typename Call, typename Before>
std::int64_t calls_per_batch(const Communicator& comm, Call& call, Before& before) {
  std::int64_t calls = 1;
  for (int attempt = 0; attempt < 3; ++attempt) {  // a disturbed one must not end it too early
    while (time_batch(comm, call, calls, before) < batch_seconds) {
      calls *= 2;
      attempt = 0;
    }
  }
  return calls;
}

/// Seconds a call in one group of batches.
struct Group {
  double ours = 0.0;
  double baseline = 0.0;

  [[nodiscard]] double total() const { return ours + baseline; }
};

/// What the quiet groups say, shape [n], n ≥ 1; reorders them. A busy machine only ever adds time.
inline Seconds judge(std::span<Group> groups) {
  const auto quiet = groups.first((groups.size() + 3) / 4);
  std::nth_element(groups.begin(), quiet.end() - 1, groups.end(),
                   [](const Group& a, const Group& b) { return a.total() < b.total(); });
  std::vector<double> ratios;
  std::vector<double> baselines;
  for (const auto& group : quiet) {
    ratios.push_back(group.ours / group.baseline);
    baselines.push_back(group.baseline);
  }
  const double baseline = median(baselines);
  return {median(ratios) * baseline, baseline};
}

}  // namespace detail

template <typename Ours, typename Baseline, typename Before>
Seconds compare(const Context& context, Ours&& ours, Baseline&& baseline, Before&& before) {
  const auto& comm = context.world;
  auto our_calls = detail::calls_per_batch(comm, ours, before);
  auto baseline_calls = detail::calls_per_batch(comm, baseline, before);
  if (std::max(our_calls, baseline_calls) <= 2 * std::min(our_calls, baseline_calls)) {
    our_calls = baseline_calls = std::max(our_calls, baseline_calls);
  }
  const auto time_ours = [&] { return detail::time_batch(comm, ours, our_calls, before); };
  const auto time_baseline = [&] {
    return detail::time_batch(comm, baseline, baseline_calls, before);
  };
  std::vector<detail::Group> groups;
  double elapsed = 0.0;  // equal on every rank, as all times are
  double shortest = 1e300;
  const auto is_enough = [&] {
    const bool as_if_quiet = static_cast<double>(groups.size()) * shortest >= context.seconds;
    return groups.size() >= detail::least_groups &&
           (as_if_quiet || elapsed >= detail::patience * context.seconds);
  };
  while (!is_enough()) {
    double our_time = 0.0;
    double baseline_time = 0.0;
    if (groups.size() % 2 == 0) {
      our_time = time_ours();
      baseline_time = time_baseline() + time_baseline();
      our_time += time_ours();
    } else {
      baseline_time = time_baseline();
      our_time = time_ours() + time_ours();
      baseline_time += time_baseline();
    }
    elapsed += our_time + baseline_time;
    shortest = std::min(shortest, our_time + baseline_time);
    groups.push_back({our_time / static_cast<double>(2 * our_calls),
                      baseline_time / static_cast<double>(2 * baseline_calls)});
  }
  return detail::judge(groups);
}

}  // namespace cairn::bench
