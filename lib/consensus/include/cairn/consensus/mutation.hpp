/// Known ways to get a protocol wrong, for the tests that must notice them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace cairn::consensus {

enum class Mutant : std::uint8_t {
  none,
  vote_before_persist,     ///< a participant's vote leaves before it is durable
  promise_before_persist,  ///< a 1b leaves before it is durable
  accept_before_persist,   ///< a 2b leaves before it is durable
  majority_of_votes,       ///< commits when most participants are prepared
  unilateral_abort,        ///< a prepared participant loses patience and aborts alone
  forget_accepted,         ///< a 1b says that nothing was accepted
  no_promise_check,        ///< accepts ballots below the promised one
  lowest_ballot,           ///< a new ballot takes over the value of the lowest one
  quorum_of_one,           ///< one acceptor decides
  ballot_not_durable,      ///< a proposer may use a ballot again after a restart
  learn_across_ballots,    ///< a learner adds up acceptances of different ballots
  // Raft's; it has vote_before_persist and quorum_of_one too.
  append_before_persist,    ///< an append is acknowledged before it is durable
  leader_counts_unwritten,  ///< a leader counts its own entries before they are durable
  term_not_durable,         ///< a restarted node has forgotten its term and vote
  vote_twice,               ///< a second candidate of a term gets a vote too
  vote_without_log_check,   ///< a candidate with an older log gets a vote
  commit_older_terms,       ///< entries of older terms are committed by counting copies
  append_without_check,     ///< entries are taken whatever stands before them
  keep_conflicting,         ///< entries that conflict with the leader's are kept
  one_majority_when_joint,  ///< while voters change only the new ones are asked
};

/// All mutants, without `none`.
[[nodiscard]] std::span<const Mutant> all_mutants() noexcept;
/// "lowest-ballot" for Mutant::lowest_ballot.
[[nodiscard]] std::string_view name_of(Mutant mutant) noexcept;
[[nodiscard]] std::optional<Mutant> mutant_of(std::string_view name) noexcept;

/// The machine as it is meant: costs nothing, the questions are answered by the compiler.
struct Faithful {
  [[nodiscard]] static constexpr bool is(Mutant) noexcept { return false; }
  friend bool operator==(const Faithful&, const Faithful&) = default;
};

/// The machine with one mistake. Only simulations make it.
struct Mutated {
  Mutant mutant = Mutant::none;
  [[nodiscard]] constexpr bool is(Mutant other) const noexcept { return mutant == other; }
  friend bool operator==(const Mutated&, const Mutated&) = default;
};

}  // namespace cairn::consensus
