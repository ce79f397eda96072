/// What a program gives a WorkPool to work with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cairn/loadbalance/priority_stack.hpp"

namespace cairn::loadbalance {

namespace detail {

/// Of a BlockProcess, at most.
inline constexpr std::size_t tasks_at_once = 128;

}  // namespace detail

/// Takes new tasks: the youngest is taken first, or the most urgent (PrioritizedTask).
template <PoolTask T>
class Spawner {
 public:
  explicit Spawner(StackOf<T>& stack) : stack_(&stack) {}
  void push(const T& task) { stack_->push(task); }
  void push(T&& task) requires(!std::is_trivially_copyable_v<T>) { stack_->push(std::move(task)); }
  /// Room for `count` tasks, all of which the caller writes before its next call.
  [[nodiscard]] std::span<T> grow(std::size_t count) { return stack_->grow(count); }
  /// The last `count` of those are not needed.
  void shrink(std::size_t count) noexcept { stack_->shrink(count); }

 private:
  StackOf<T>* stack_;
};

/// What the results of a thread are gathered in. The same for any distribution of the tasks if
/// `merge` is associative, commutative and exact. Made by its default constructor.
template <typename A>
concept Accumulator = std::is_trivially_copyable_v<A> && std::is_default_constructible_v<A> &&
    requires(A a, const A& other) {
  a.merge(other);
};

/// How a task is named when it fails: as `describe(task)` says, if its namespace has that function,
/// else by its bytes.
template <PoolTask T>
[[nodiscard]] std::string description_of(const T& task) {
  if constexpr (requires { std::string(describe(task)); }) {
    return std::string(describe(task));
  } else {
    constexpr std::size_t most = 32;
    std::vector<std::byte> bytes;
    detail::pack_tasks(std::span(&task, 1), sizeof(T), bytes);
    std::string text = "of the bytes";
    for (const auto byte : std::span(bytes).first(std::min(bytes.size(), most))) {
      constexpr std::string_view digits = "0123456789abcdef";
      text += {' ', digits[std::to_integer<std::size_t>(byte >> 4)],
               digits[std::to_integer<std::size_t>(byte & std::byte{15})]};
    }
    return text + (bytes.size() > most ? " …" : "");
  }
}

/// Processes one task at a time, which is its own.
template <typename P, typename T, typename A>
concept TaskProcess = requires(P& process, T& task, Spawner<T>& spawner, A& results) {
  process(task, spawner, results);
};

/// Processes a block of tasks at a time: those that a thread would take next. They stand in the
/// stack: a process copies them before it pushes. What it throws names the first one, and how many
/// others it may have been. What could be called with one task as well is a TaskProcess: so a
/// generic lambda is, unless it names the span.
template <typename P, typename T, typename A>
concept BlockProcess = !TaskProcess<P, T, A> && requires(P & process, std::span<const T> tasks,
                                                         Spawner<T>& spawner, A& results) {
  process(tasks, spawner, results);
};

}  // namespace cairn::loadbalance
