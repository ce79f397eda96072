// Who does which task: static schedules and work stealing behind one call.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cairn/collectives/communicator.hpp"

namespace cairn::mandelbrot {

enum class Kind { block, round_robin, random, weighted, stealing };

/// Of the option --schedule; nothing if there is none of that name.
[[nodiscard]] std::optional<Kind> kind_of(std::string_view name) noexcept;
/// Of all of them, for a help.
[[nodiscard]] std::string names_of_kinds();

/// Does a task. Called from several threads at once.
/// @param thread  that does it, of this rank: 0 … threads - 1
using Work = std::function<void(std::size_t task, int thread)>;

/// Does each of the tasks 0 … tasks - 1 once, on some thread of some rank. Collective, blocking.
///
/// Static kinds deal the tasks to all threads of all ranks as if these were equal workers, worker
/// rank · threads + thread, and nobody does anything else. With stealing each rank begins with the
/// tasks that are its own by block.
///
/// @param threads  of each rank, equal everywhere
/// @param weights  of the tasks, equal everywhere, for Kind::weighted; else empty
/// @throws on all ranks, agreed: what `work` has thrown first on the lowest rank where it has. With
///         a static kind the other threads do their tasks first.
void distribute(const Communicator& comm, int threads, Kind kind, std::size_t tasks,
                std::span<const double> weights, const Work& work);

}  // namespace cairn::mandelbrot
