/// A thread's own tasks.
#pragma once

#include <algorithm>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "cairn/loadbalance/task_bytes.hpp"

namespace cairn::loadbalance {

/// A task that says itself how a stack of its kind is split between two threads or ranks, instead
/// of by every second one:
///
///     /// Leaves what it keeps in front, changed or not, and appends at most `most` to `out`.
///     /// @param tasks  from the oldest to the youngest, at least one
///     /// @return how many it keeps
///     static std::size_t split(std::span<T> tasks, std::size_t most, std::vector<T>& out);
///
/// It may make new tasks of one, as the halves of a range. It shall not throw but for memory.
template <typename T>
concept SplittableTask = PoolTask<T> &&
    requires(std::span<T> tasks, std::size_t most, std::vector<T>& out) {
  { T::split(tasks, most, out) } -> std::convertible_to<std::size_t>;
};

namespace detail {

/// Moves every second task, from the oldest on, to the end of `out`; at most `most`, then fewer of
/// every age, and never the youngest. The others close up. @return how many these are
template <PoolTask T>
std::size_t move_every_second(std::span<T> tasks, std::size_t most, std::vector<T>& out) {
  const std::size_t step = std::max<std::size_t>(2, (tasks.size() + most - 1) / most);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (i % step == 0 && i + 1 < tasks.size()) {
      out.push_back(std::move(tasks[i]));
    } else {
      if (kept != i) tasks[kept] = std::move(tasks[i]);
      ++kept;
    }
  }
  return kept;
}

/// By the task's own split, or every second one. Of at least one task; most > 0.
/// @return how many are kept
template <PoolTask T>
std::size_t split_tasks(std::span<T> tasks, std::size_t most, std::vector<T>& out) {
  if constexpr (SplittableTask<T>) {
    const std::size_t kept = T::split(tasks, most, out);
    assert(kept <= tasks.size());
    return kept;
  } else {
    return move_every_second(tasks, most, out);
  }
}

}  // namespace detail

/// A stack of tasks that one thread uses; grows, never shrinks, no atomics.
template <PoolTask T>
class TaskStack {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void clear() noexcept { size_ = 0; }

  /// From the oldest to the youngest.
  [[nodiscard]] std::span<const T> all() const noexcept { return {tasks_.get(), size_}; }
  [[nodiscard]] std::span<T> all() noexcept { return {tasks_.get(), size_}; }

  /// Whether split() may find some.
  [[nodiscard]] bool can_split() const noexcept { return size_ >= (SplittableTask<T> ? 1 : 2); }

  void push(const T& task) {
    if (size_ == capacity_) [[unlikely]]
      reserve(size_ + 1);
    tasks_[size_++] = task;
  }
  void push(T&& task) requires(!std::is_trivially_copyable_v<T>) {
    if (size_ == capacity_) [[unlikely]]
      reserve(size_ + 1);
    tasks_[size_++] = std::move(task);
  }

  /// Room for `count` tasks at the top, to be written by the caller; valid until the next call.
  [[nodiscard]] std::span<T> grow(std::size_t count) {
    if (size_ + count > capacity_) [[unlikely]]
      reserve(size_ + count);
    size_ += count;
    return {tasks_.get() + size_ - count, count};
  }

  void push_all(std::span<const T> tasks) { std::ranges::copy(tasks, grow(tasks.size()).begin()); }
  /// Leaves them without a value.
  void take_all(std::span<T> tasks) { std::ranges::move(tasks, grow(tasks.size()).begin()); }

  /// The youngest one. Not of an empty stack.
  [[nodiscard]] T pop() noexcept { return std::move(tasks_[--size_]); }

  /// The youngest ones, at most `count`, the youngest last; they stand until the next push() or
  /// grow().
  [[nodiscard]] std::span<T> pop(std::size_t count) noexcept {
    count = std::min(count, size_);
    size_ -= count;
    return {tasks_.get() + size_, count};
  }

  /// Gives back room for the last `count` tasks that grow() gave.
  void shrink(std::size_t count) noexcept { size_ -= count; }

  /// Moves every second task, from the oldest on, to the end of `out`; at most `most`, then fewer
  /// of every age, and never the youngest. What a task stands for is mostly told by its age: so
  /// both sides have a share of all kinds. A SplittableTask decides otherwise.
  void split(std::size_t most, std::vector<T>& out) {
    if (!can_split() || most == 0) return;
    size_ = detail::split_tasks(all(), most, out);
  }

 private:
  void reserve(std::size_t wanted) {
    const std::size_t capacity = std::max({wanted, 2 * capacity_, std::size_t{256}});
    auto larger = std::make_unique_for_overwrite<T[]>(capacity);
    std::move(tasks_.get(), tasks_.get() + size_, larger.get());
    tasks_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> tasks_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace cairn::loadbalance
