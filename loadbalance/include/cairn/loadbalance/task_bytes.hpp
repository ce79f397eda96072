/// Tasks as bytes: how they travel to other ranks, and how they are saved.
///
/// A task is its own bytes if it is trivially copyable, without pointers. One with strings or
/// vectors in it lists its members, in an order that stays:
///
///     struct Path {
///       std::vector<std::int32_t> nodes;
///       std::string name;
///       double length = 0;
///     };
///     template <>
///     inline constexpr auto cairn::members_of<Path> =
///         cairn::Members<&Path::nodes, &Path::name, &Path::length>{};
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cairn/collectives/datatype.hpp"
#include "cairn/core/error.hpp"

namespace cairn::loadbalance {

namespace detail {

template <typename T>
inline constexpr bool is_plain =
    std::is_trivially_copyable_v<T> && !cairn::detail::is_pointer_or_view<T>;

/// How many, then each.
template <typename T>
inline constexpr bool is_sequence = std::same_as<T, std::string>;
template <typename T>
requires(!std::same_as<T, bool>) inline constexpr bool is_sequence<std::vector<T>> = true;

template <typename T>
struct IsPackable;

template <typename T>
inline constexpr bool is_packable = IsPackable<T>::value;

template <typename Members>
inline constexpr bool all_packable = false;
template <auto... pointers>
inline constexpr bool all_packable<const Members<pointers...>> =
    sizeof...(pointers) > 0 &&
    (is_packable<
         typename cairn::detail::PointedMember<std::remove_cv_t<decltype(pointers)>>::Type> &&
     ...);

template <typename T>
struct IsPackable {
  static constexpr bool value =
      is_plain<T> || (cairn::detail::is_described<T> && all_packable<decltype(members_of<T>)>);
};
template <>
struct IsPackable<std::string> : std::true_type {};
template <typename T>
struct IsPackable<std::vector<T>> : std::bool_constant<!std::same_as<T, bool> && is_packable<T>> {};
template <typename T, std::size_t n>
struct IsPackable<std::array<T, n>> : std::bool_constant<is_packable<T>> {};

template <typename T, auto... pointers, typename Call>
void for_members(T& value, const Members<pointers...>&, Call call) {
  using Task = std::remove_const_t<T>;
  constexpr auto room = [](std::size_t size) {
    return (size + alignof(Task) - 1) / alignof(Task) * alignof(Task);
  };
  static_assert((room(sizeof(value.*pointers)) + ...) >= sizeof(Task),
                "cairn: members_of leaves a member of this task out");
  (call(value.*pointers), ...);
}

inline void append(const void* data, std::size_t size, std::vector<std::byte>& out) {
  const auto* const bytes = static_cast<const std::byte*>(data);
  out.insert(out.end(), bytes, bytes + size);
}

}  // namespace detail

/// What can be a task: its bytes mean the same on every rank, or its members are listed (above).
template <typename T>
concept PoolTask = std::is_default_constructible_v<T> &&
    (std::is_trivially_copyable_v<T> || (std::copyable<T> && detail::is_packable<T>));

/// Appends the bytes of one. Machines of a job represent numbers alike.
template <typename T>
requires(detail::is_packable<T>) void pack(const T& value, std::vector<std::byte>& out) {
  if constexpr (detail::is_plain<T>) {
    detail::append(&value, sizeof(T), out);
  } else if constexpr (detail::is_sequence<T>) {
    const std::uint64_t count = value.size();
    detail::append(&count, sizeof count, out);
    if constexpr (detail::is_plain<typename T::value_type>) {
      if (count > 0) detail::append(value.data(), count * sizeof(typename T::value_type), out);
    } else {
      for (const auto& element : value) pack(element, out);
    }
  } else if constexpr (cairn::detail::is_array<T>) {
    for (const auto& element : value) pack(element, out);
  } else {
    detail::for_members(value, members_of<T>, [&](const auto& member) { pack(member, out); });
  }
}

/// Takes values from the front of bytes that pack() has made.
class Unpacker {
 public:
  explicit Unpacker(std::span<const std::byte> bytes) : rest_(bytes) {}
  [[nodiscard]] bool is_empty() const noexcept { return rest_.empty(); }

  /// @throws Error{Errc::bad_data} when they end too early; `value` is then of no use
  template <typename T>
  requires(detail::is_packable<T>) void take(T& value) {
    if constexpr (detail::is_plain<T>) {
      take(&value, sizeof(T));
    } else if constexpr (detail::is_sequence<T>) {
      using Element = typename T::value_type;
      std::uint64_t count = 0;
      take(count);
      constexpr std::size_t least = detail::is_plain<Element> ? sizeof(Element) : 1;
      if (count > rest_.size() / least) throw_short();
      value.resize(count);
      if constexpr (detail::is_plain<Element>) {
        take(value.data(), count * sizeof(Element));
      } else {
        for (auto& element : value) take(element);
      }
    } else if constexpr (cairn::detail::is_array<T>) {
      for (auto& element : value) take(element);
    } else {
      detail::for_members(value, members_of<T>, [&](auto& member) { take(member); });
    }
  }

 private:
  void take(void* data, std::size_t size) {
    if (size > rest_.size()) throw_short();
    if (size > 0) std::memcpy(data, rest_.data(), size);
    rest_ = rest_.subspan(size);
  }

  [[noreturn]] static void throw_short() {
    throw Error(Errc::bad_data, "the bytes of a task end too early");
  }

  std::span<const std::byte> rest_;
};

namespace detail {

/// What a message has.
struct Packed {
  std::size_t tasks = 0;
  std::size_t largest_task_bytes = 0;
};

/// Appends the first of `tasks`, as many as fit, and one that is larger alone.
template <PoolTask T>
Packed pack_tasks(std::span<const T> tasks, std::size_t most_bytes, std::vector<std::byte>& out) {
  if constexpr (std::is_trivially_copyable_v<T>) {
    const auto count = std::min(tasks.size(), std::max<std::size_t>(1, most_bytes / sizeof(T)));
    append(tasks.data(), count * sizeof(T), out);
    return {count, count > 0 ? sizeof(T) : 0};
  } else {
    Packed packed;
    for (const std::size_t begin = out.size(); packed.tasks < tasks.size(); ++packed.tasks) {
      const std::size_t before = out.size();
      pack(tasks[packed.tasks], out);
      if (packed.tasks > 0 && out.size() - begin > most_bytes) {
        out.resize(before);
        break;
      }
      packed.largest_task_bytes = std::max(packed.largest_task_bytes, out.size() - before);
    }
    return packed;
  }
}

/// Puts the tasks of a message onto a stack, or at the end of another container.
template <PoolTask T, typename Stack>
void unpack_tasks(std::span<const std::byte> bytes, Stack& stack) {
  if constexpr (std::is_trivially_copyable_v<T>) {
    const auto room = stack.grow(bytes.size() / sizeof(T));
    if (!room.empty()) std::memcpy(static_cast<void*>(room.data()), bytes.data(), bytes.size());
  } else {
    for (Unpacker unpacker(bytes); !unpacker.is_empty();) {
      T task;
      unpacker.take(task);
      stack.push(std::move(task));
    }
  }
}

}  // namespace detail

}  // namespace cairn::loadbalance
