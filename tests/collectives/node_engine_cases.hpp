/// What the tests of the node engine share: engines, sizes, and values that every rank computes
/// from (rank, index) alone. They are small integers, so that floating-point results are exact
/// whatever the bracketing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <vector>

#include "cairn/collectives/node_engine.hpp"
#include "mpi_test.hpp"

namespace cairn::test {

using Doubles = std::vector<double>;

/// One node, and virtual nodes of 1, 2 and 3 ranks; below 0: which are dealt the ranks in turn.
inline constexpr int layouts[] = {0, 1, 2, 3, -2, -3};

/// In elements of 8 bytes: nothing, one, odd, up to and beyond what is reduced at once (2 KiB), a
/// short slot (8 KiB), one chunk (32 KiB) and several, beyond a piece over nodes (1 MiB), beyond
/// all slots where a core's cache has 1 MiB.
inline constexpr std::size_t sizes[] = {0,    1,    7,    256,  257,   1024,  1025,   2047,
                                        2048, 2049, 4097, 8191, 12289, 65537, 140001, 300007};

inline NodeEngine engine_on(const Communicator& comm, int ranks_per_node) {
  return NodeEngine(comm, {.mode = NodeEngineMode::on,
                           .ranks_per_node = std::abs(ranks_per_node),
                           .in_turn = ranks_per_node < 0});
}

/// An engine that is on says no only where no two ranks share a node.
inline bool expected(const NodeEngine& engine) { return engine.report().ranks_per_node > 1; }

/// So it does to an all_gather where nodes hold ranks that do not follow each other.
inline bool gathers(const NodeEngine& engine, int ranks_per_node) {
  return expected(engine) && (ranks_per_node >= 0 || engine.report().nodes == 1);
}

/// Between 1 and 3, so that products stay exact for seven ranks.
inline double value(int rank, std::size_t i, std::uint64_t call = 0) {
  return static_cast<double>((static_cast<std::size_t>(rank) * 5 + i * 7 + call * 11) % 3 + 1);
}

template <typename T>
T as(double x) {
  if constexpr (requires { typename T::value_type; }) {
    return T(static_cast<typename T::value_type>(x));
  } else {
    return static_cast<T>(x);
  }
}

template <typename T = double>
std::vector<T> values(int rank, std::size_t n, std::uint64_t call = 0) {
  std::vector<T> result(n);
  for (std::size_t i = 0; i < n; ++i) result[i] = as<T>(value(rank, i, call));
  return result;
}

template <typename T = double, typename Combine = std::plus<>>
std::vector<T> reduced(int ranks, std::size_t n, std::uint64_t call = 0, Combine combine = {}) {
  auto result = values<T>(0, n, call);
  for (int r = 1; r < ranks; ++r) {
    const auto theirs = values<T>(r, n, call);
    for (std::size_t i = 0; i < n; ++i) result[i] = static_cast<T>(combine(result[i], theirs[i]));
  }
  return result;
}

}  // namespace cairn::test
