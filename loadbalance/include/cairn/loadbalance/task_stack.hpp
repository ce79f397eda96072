/// A thread's own tasks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace cairn::loadbalance {

/// What can be a task: bytes that mean the same on every rank, so no pointers in it.
template <typename T>
concept PoolTask = std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>;

/// A stack of tasks that one thread uses; grows, never shrinks, no atomics.
template <PoolTask T>
class TaskStack {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void clear() noexcept { size_ = 0; }

  /// From the oldest to the youngest.
  [[nodiscard]] std::span<const T> all() const noexcept { return {tasks_.get(), size_}; }

  void push(const T& task) {
    if (size_ == capacity_) [[unlikely]]
      reserve(size_ + 1);
    tasks_[size_++] = task;
  }

  /// Room for `count` tasks at the top, to be written by the caller; valid until the next call.
  [[nodiscard]] std::span<T> grow(std::size_t count) {
    if (size_ + count > capacity_) [[unlikely]]
      reserve(size_ + count);
    size_ += count;
    return {tasks_.get() + size_ - count, count};
  }

  void push_all(std::span<const T> tasks) { std::ranges::copy(tasks, grow(tasks.size()).begin()); }

  /// The youngest one. Not of an empty stack.
  [[nodiscard]] T pop() noexcept { return tasks_[--size_]; }

  /// The youngest ones, at most `count`, the youngest last; they stand until the next push() or
  /// grow().
  [[nodiscard]] std::span<const T> pop(std::size_t count) noexcept {
    count = std::min(count, size_);
    size_ -= count;
    return {tasks_.get() + size_, count};
  }

  /// Gives back room for the last `count` tasks that grow() gave.
  void shrink(std::size_t count) noexcept { size_ -= count; }

  /// Moves every second task, from the oldest on, to the end of `out`; at most `most`, then fewer
  /// of every age, and never the youngest. What a task stands for is mostly told by its age: so
  /// both sides have a share of all kinds.
  void split(std::size_t most, std::vector<T>& out) {
    if (size_ < 2 || most == 0) return;
    const std::size_t step = std::max<std::size_t>(2, (size_ + most - 1) / most);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      if (i % step == 0 && i + 1 < size_) {
        out.push_back(tasks_[i]);
      } else {
        tasks_[kept++] = tasks_[i];
      }
    }
    size_ = kept;
  }

 private:
  void reserve(std::size_t wanted) {
    const std::size_t capacity = std::max({wanted, 2 * capacity_, std::size_t{256}});
    auto larger = std::make_unique_for_overwrite<T[]>(capacity);
    std::copy_n(tasks_.get(), size_, larger.get());
    tasks_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> tasks_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace cairn::loadbalance
