/// What a program gives a WorkPool to work with.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include "cairn/loadbalance/task_stack.hpp"

namespace cairn::loadbalance {

/// Takes new tasks.
template <PoolTask T>
class Spawner {
 public:
  explicit Spawner(TaskStack<T>& stack) : stack_(&stack) {}
  void push(const T& task) { stack_->push(task); }
  /// Room for `count` tasks, all of which the caller writes before its next call.
  [[nodiscard]] std::span<T> grow(std::size_t count) { return stack_->grow(count); }
  /// The last `count` of those are not needed.
  void shrink(std::size_t count) noexcept { stack_->shrink(count); }

 private:
  TaskStack<T>* stack_;
};

/// What the results of a thread are gathered in. The same for any distribution of the tasks if
/// `merge` is associative, commutative and exact. Made by its default constructor.
template <typename A>
concept Accumulator = std::is_trivially_copyable_v<A> && std::is_default_constructible_v<A> &&
    requires(A a, const A& other) {
  a.merge(other);
};

/// Processes a block of tasks at a time: those that a thread would take next. They stand in the
/// stack: a process copies them before it pushes.
template <typename P, typename T, typename A>
concept BlockProcess = std::invocable < P&,
        std::span<const T>, Spawner<T>
&, A& > ;

}  // namespace cairn::loadbalance
