/// A thread's own tasks, when some are more urgent than others.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "cairn/loadbalance/task_stack.hpp"

namespace cairn::loadbalance {

/// A task that says how urgent it is, from 0 to `priorities` - 1, by an unsigned integer; the
/// highest is taken first, and what is higher counts as the highest. 1 to 64 priorities.
///
///     struct Part {
///       static constexpr std::size_t priorities = 64;
///       std::size_t priority() const { return bound; }
///       …
///     };
template <typename T>
concept PrioritizedTask = PoolTask<T> && T::priorities >= 1 && T::priorities <= 64 &&
                          requires(const T& task) {
  requires std::unsigned_integral<std::remove_cvref_t<decltype(task.priority())>>;
};

/// A TaskStack for each priority, with the interface of one: the next task is the youngest of the
/// most urgent ones. For one thread, no atomics.
template <PrioritizedTask T>
class PriorityStack {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool can_split() const noexcept { return size_ >= (SplittableTask<T> ? 1 : 2); }

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

  void push(const T& task) { push(T(task)); }
  void push(T&& task) {
    settle();
    put(std::move(task));
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
  void take_all(std::span<T> tasks) { std::ranges::move(tasks, grow(tasks.size()).begin()); }

  /// Not of an empty stack.
  [[nodiscard]] T pop() { return std::move(pop(1).front()); }

  /// The youngest of the most urgent ones, at most `count`, of one priority, the youngest last;
  /// they stand until the next push() or grow().
  [[nodiscard]] std::span<T> pop(std::size_t count) {
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
  /// `out`; at most `most`, then fewer of each, and never the one that is next. A SplittableTask
  /// decides otherwise, about the tasks of one priority at a time.
  void split(std::size_t most, std::vector<T>& out) {
    settle();
    if (!can_split() || most == 0) return;
    if constexpr (SplittableTask<T>) {
      split_buckets(most, out);
    } else {
      move_every_second(most, out);
    }
  }

 private:
  static constexpr std::uint64_t bit(std::size_t bucket) { return std::uint64_t{1} << bucket; }

  void move_every_second(std::size_t most, std::vector<T>& out) {
    const std::size_t step = std::max<std::size_t>(2, (size_ + most - 1) / most);
    std::size_t index = 0;
    std::size_t left = size_;
    for (std::size_t b = 0; b < buckets_.size(); ++b) {
      kept_.clear();
      for (T& task : buckets_[b].all()) {
        const bool leaves = index % step == 0 && index + 1 < size_;
        (leaves ? out : kept_).push_back(std::move(task));
        left -= leaves ? 1 : 0;
        ++index;
      }
      buckets_[b].clear();
      buckets_[b].take_all(kept_);
      if (kept_.empty()) filled_ &= ~bit(b);
    }
    size_ = left;
  }

  /// Each priority gives a fair part of `most`, rounded up while there is room.
  void split_buckets(std::size_t most, std::vector<T>& out) {
    const std::size_t all = size_;
    const std::size_t end = out.size() + most;
    for (std::size_t b = 0; b < buckets_.size() && out.size() < end; ++b) {
      auto& bucket = buckets_[b];
      const std::size_t before = bucket.size();
      bucket.split(std::min((most * before + all - 1) / all, end - out.size()), out);
      size_ -= before - bucket.size();
      if (bucket.empty()) filled_ &= ~bit(b);
    }
  }

  void put(T&& task) {
    const auto bucket = std::min<std::size_t>(task.priority(), buckets_.size() - 1);
    buckets_[bucket].push(std::move(task));
    filled_ |= bit(bucket);
  }

  /// Those that the caller of grow() has written meanwhile.
  void settle() {
    if (fresh_.empty()) [[likely]]
      return;
    for (T& task : fresh_) put(std::move(task));
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
  static_assert(
      !requires(T & task) {
        T::priorities;
        task.priority();
      },
      "cairn: a task has 1 to 64 priorities, and its priority() is const and gives an unsigned "
      "integer");
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
