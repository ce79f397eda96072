#include "cairn/consensus/mutation.hpp"

#include <array>
#include <utility>

namespace cairn::consensus {
namespace {

constexpr std::array mutants{
    Mutant::vote_before_persist,     Mutant::promise_before_persist, Mutant::accept_before_persist,
    Mutant::majority_of_votes,       Mutant::unilateral_abort,       Mutant::forget_accepted,
    Mutant::no_promise_check,        Mutant::lowest_ballot,          Mutant::quorum_of_one,
    Mutant::ballot_not_durable,      Mutant::learn_across_ballots,   Mutant::append_before_persist,
    Mutant::leader_counts_unwritten, Mutant::term_not_durable,       Mutant::vote_twice,
    Mutant::vote_without_log_check,  Mutant::commit_older_terms,     Mutant::append_without_check,
    Mutant::keep_conflicting,        Mutant::one_majority_when_joint};

}  // namespace

std::span<const Mutant> all_mutants() noexcept { return mutants; }

std::string_view name_of(Mutant mutant) noexcept {
  switch (mutant) {
    case Mutant::none:
      return "none";
    case Mutant::vote_before_persist:
      return "vote-before-persist";
    case Mutant::promise_before_persist:
      return "promise-before-persist";
    case Mutant::accept_before_persist:
      return "accept-before-persist";
    case Mutant::majority_of_votes:
      return "majority-of-votes";
    case Mutant::unilateral_abort:
      return "unilateral-abort";
    case Mutant::forget_accepted:
      return "forget-accepted";
    case Mutant::no_promise_check:
      return "no-promise-check";
    case Mutant::lowest_ballot:
      return "lowest-ballot";
    case Mutant::quorum_of_one:
      return "quorum-of-one";
    case Mutant::ballot_not_durable:
      return "ballot-not-durable";
    case Mutant::learn_across_ballots:
      return "learn-across-ballots";
    case Mutant::append_before_persist:
      return "append-before-persist";
    case Mutant::leader_counts_unwritten:
      return "leader-counts-unwritten";
    case Mutant::term_not_durable:
      return "term-not-durable";
    case Mutant::vote_twice:
      return "vote-twice";
    case Mutant::vote_without_log_check:
      return "vote-without-log-check";
    case Mutant::commit_older_terms:
      return "commit-older-terms";
    case Mutant::append_without_check:
      return "append-without-check";
    case Mutant::keep_conflicting:
      return "keep-conflicting";
    case Mutant::one_majority_when_joint:
      return "one-majority-when-joint";
  }
  return "none";
}

std::optional<Mutant> mutant_of(std::string_view name) noexcept {
  for (const auto mutant : mutants)
    if (name == name_of(mutant)) return mutant;
  return std::nullopt;
}

}  // namespace cairn::consensus
