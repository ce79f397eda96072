/// The best value that is known so far, for branch and bound.
///
///     Incumbent<int> best(0);
///     WorkPool pool(comm, {.threads = 2, .incumbent = &best});
///     const Found found = pool.run<Part, Found>(roots, [&](const Part& part, auto& spawner, Found&
///     found) {
///       if (part.bound <= best.value()) return;   // nothing better in there
///       …
///       if (best.offer(solution.size)) found.keep(solution);
///     });
#pragma once

#include <atomic>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace cairn::loadbalance {

/// A number that only rises; what a pool's network sees of an Incumbent. Any thread may call it.
class SharedBest {
 public:
  static constexpr std::int64_t nothing = std::numeric_limits<std::int64_t>::min();

  SharedBest() = default;
  SharedBest(const SharedBest&) = delete;
  SharedBest& operator=(const SharedBest&) = delete;

  [[nodiscard]] std::int64_t key() const noexcept { return key_.load(std::memory_order_relaxed); }

  /// Whether it has risen, to `key`.
  bool raise(std::int64_t key) noexcept {
    auto known = key_.load(std::memory_order_relaxed);
    while (key > known)
      if (key_.compare_exchange_weak(known, key, std::memory_order_relaxed)) return true;
    return false;
  }

 private:
  // With a line of its own: all threads read it all the time.
  alignas(128) std::atomic<std::int64_t> key_{nothing};
};

/// What is better.
enum class Goal { largest, smallest };

/// Values that a key of 64 bits can stand for, in the same order.
template <typename T>
concept IncumbentValue =
    (std::integral<T> && !std::same_as<T, bool> && sizeof(T) <= 8) || std::same_as<T, double>;

/// The best value so far: of this rank's threads at once, and of all ranks of the pool that has it
/// in its options while that runs, as fast as messages are (WorkPoolOptions::incumbent). It never
/// gets worse; news that are late are dropped. A value that is read may be older than the best, so
/// prune by it, and keep the solution itself in the accumulator: merged accumulators are exact.
///
/// When a run of the pool, or a part of one, begins and when it has ended, all ranks have the best
/// value of all. The owner is the program, so it lives through the pauses of run_until(); after a
/// restart from a checkpoint offer() what the restored results have, on any rank, before going on.
///
/// Cost: value() is a load, offer() of what is no better too.
template <IncumbentValue T, Goal goal = Goal::largest>
class Incumbent : public SharedBest {
 public:
  /// @param value  known from the start, on all ranks; for example 0, or a bound that every
  ///               solution meets
  explicit Incumbent(T value) noexcept { raise(key_of(value)); }

  [[nodiscard]] T value() const noexcept { return value_of(key()); }

  /// @param value  of a solution; no NaN
  /// @return whether it was better than all that this rank knew. Of threads that offer the same
  ///         value at once, one is told so
  bool offer(T value) noexcept { return raise(key_of(value)); }

  /// A value as a key: the better, the greater.
  [[nodiscard]] static constexpr std::int64_t key_of(T value) noexcept {
    const std::int64_t key = rising_key_of(value);
    return goal == Goal::largest ? key : ~key;
  }
  [[nodiscard]] static constexpr T value_of(std::int64_t key) noexcept {
    return value_of_rising(goal == Goal::largest ? key : ~key);
  }

 private:
  static constexpr std::uint64_t top_bit = std::uint64_t{1} << 63;

  /// Of negative floating-point numbers, the other bits fall while the number rises.
  static constexpr std::int64_t turn_negative(std::int64_t bits) noexcept {
    return bits < 0 ? bits ^ std::numeric_limits<std::int64_t>::max() : bits;
  }
  static constexpr std::int64_t rising_key_of(T value) noexcept {
    if constexpr (std::same_as<T, double>) {
      return turn_negative(std::bit_cast<std::int64_t>(value));
    } else if constexpr (std::is_signed_v<T>) {
      return value;
    } else {
      return static_cast<std::int64_t>(std::uint64_t{value} ^ top_bit);
    }
  }
  static constexpr T value_of_rising(std::int64_t key) noexcept {
    if constexpr (std::same_as<T, double>) {
      return std::bit_cast<double>(turn_negative(key));
    } else if constexpr (std::is_signed_v<T>) {
      return static_cast<T>(key);
    } else {
      return static_cast<T>(static_cast<std::uint64_t>(key) ^ top_bit);
    }
  }
};

}  // namespace cairn::loadbalance
