/// A thread's own tasks, when some are more urgent than others.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cairn/loadbalance/task_stack.hpp"

namespace cairn::loadbalance {

/// A task that says how urgent it is, from 0 to `priorities` - 1; the highest is taken first, and
/// what is higher counts as the highest. 1 to 64 priorities.
///
///     struct Part {
///       static constexpr std::size_t priorities = 64;
///       std::size_t priority() const { return bound; }
///       …
///     };
template <typename T>
concept PrioritizedTask = PoolTask<T> && T::priorities >= 1 && T::priorities <= 64 &&
                          requires(const T& task) {
  { task.priority() } -> std::convertible_to<std::size_t>;
};

/// A TaskStack for each priority, with the interface of one: the next task is the youngest of the
/// most urgent ones. For one thread, no atomics.
template <PrioritizedTask T>
class PriorityStack {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  void clear() noexcept {
    for (auto& bucket : buckets_) bucket.clear();
    fresh_.clear();
    filled_ = 0;
    size_ = 0;
  }

  /// The most urgent last, each priority from the oldest to the youngest; behind them those of the
  /// last grow().
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> tasks;
    tasks.reserve(size_);
    for (const auto& bucket : buckets_)
      tasks.insert(tasks.end(), bucket.all().begin(), bucket.all().end());
    tasks.insert(tasks.end(), fresh_.begin(), fresh_.end());
    return tasks;
  }

  void push(const T& task) {
    settle();
    put(task);
    ++size_;
  }

  /// Room for `count` tasks, to be written by the caller; valid until the next call.
  [[nodiscard]] std::span<T> grow(std::size_t count) {
    settle();
    fresh_.resize(count);
    size_ += count;
    return fresh_;
  }

  void push_all(std::span<const T> tasks) { std::ranges::copy(tasks, grow(tasks.size()).begin()); }

  /// Not of an empty stack.
  [[nodiscard]] T pop() noexcept { return pop(1).front(); }

  /// The youngest of the most urgent ones, at most `count`, of one priority, the youngest last;
  /// they stand until the next push() or grow().
  [[nodiscard]] std::span<const T> pop(std::size_t count) noexcept {
    settle();
    if (filled_ == 0) return {};
    const auto best = static_cast<std::size_t>(std::bit_width(filled_) - 1);
    const auto tasks = buckets_[best].pop(count);
    if (buckets_[best].empty()) filled_ &= ~bit(best);
    size_ -= tasks.size();
    return tasks;
  }

  /// Gives back room for the last `count` tasks of grow(), at once.
  void shrink(std::size_t count) noexcept {
    fresh_.resize(fresh_.size() - count);
    size_ -= count;
  }

  /// Moves every second task of all priorities, counted from the least urgent on, to the end of
  /// `out`; at most `most`, then fewer of each, and never the one that is next.
  void split(std::size_t most, std::vector<T>& out) {
    settle();
    if (size_ < 2 || most == 0) return;
    const std::size_t step = std::max<std::size_t>(2, (size_ + most - 1) / most);
    std::size_t index = 0;
    std::size_t left = size_;
    for (std::size_t b = 0; b < buckets_.size(); ++b) {
      kept_.clear();
      for (const T& task : buckets_[b].all()) {
        const bool leaves = index % step == 0 && index + 1 < size_;
        (leaves ? out : kept_).push_back(task);
        left -= leaves ? 1 : 0;
        ++index;
      }
      buckets_[b].clear();
      buckets_[b].push_all(kept_);
      if (kept_.empty()) filled_ &= ~bit(b);
    }
    size_ = left;
  }

 private:
  static constexpr std::uint64_t bit(std::size_t bucket) { return std::uint64_t{1} << bucket; }

  void put(const T& task) {
    const auto bucket = std::min<std::size_t>(task.priority(), buckets_.size() - 1);
    buckets_[bucket].push(task);
    filled_ |= bit(bucket);
  }

  /// Those that the caller of grow() has written meanwhile.
  void settle() {
    if (fresh_.empty()) [[likely]]
      return;
    for (const T& task : fresh_) put(task);
    fresh_.clear();
  }

  std::array<TaskStack<T>, T::priorities> buckets_;
  std::uint64_t filled_ = 0;  // a bit for each that has tasks
  std::size_t size_ = 0;      // with those in fresh_
  std::vector<T> fresh_;      // not yet in their buckets
  std::vector<T> kept_;       // of split()
};

namespace detail {

template <PoolTask T>
struct StackFor {
  using Type = TaskStack<T>;
};
template <PrioritizedTask T>
struct StackFor<T> {
  using Type = PriorityStack<T>;
};

}  // namespace detail

/// Where tasks of this kind wait: by priority if they have one.
template <PoolTask T>
using StackOf = typename detail::StackFor<T>::Type;

}  // namespace cairn::loadbalance
