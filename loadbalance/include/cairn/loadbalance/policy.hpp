/// Who does which task, by a name that a program can have as an option.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cairn/loadbalance/schedule.hpp"

namespace cairn::loadbalance {

/// The first four are static: all is decided before anybody begins.
enum class Policy : std::uint8_t { block, round_robin, random, weighted, repartition, stealing };

/// By its name: block, round-robin, random, weighted, repartition, stealing; else nothing.
[[nodiscard]] std::optional<Policy> policy_of(std::string_view name) noexcept;
/// All of them, for a help.
[[nodiscard]] std::string names_of_policies();

/// What a policy begins with; those that are not static begin as block. Pure.
/// @param weights  of the tasks for Policy::weighted, else not looked at
/// @throws Error{Errc::usage} as schedule.hpp says
[[nodiscard]] Schedule schedule_of(Policy policy, std::size_t tasks,
                                   std::span<const double> weights, int workers);

}  // namespace cairn::loadbalance
