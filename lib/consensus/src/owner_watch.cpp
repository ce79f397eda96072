#include "owner_watch.hpp"

#include <unistd.h>

#include <utility>

#include "cairn/core/error.hpp"
#include "fence_files.hpp"
#include "heartbeat.hpp"
#include "held_claims.hpp"
#include "process_identity.hpp"

namespace cairn::consensus {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// One that was started by the same `cairn run`, or by the same job of the scheduler, and earlier:
/// they start a launch only when the former one has ended for them.
bool is_superseded(const Claimant& owner, const Claimant& here) {
  if (!owner.supervisor.empty() && owner.supervisor == here.supervisor)
    return owner.launch < here.launch;
  return !owner.scheduler_job.empty() && owner.scheduler == here.scheduler &&
         owner.cluster == here.cluster && owner.scheduler_job == here.scheduler_job &&
         owner.scheduler_restarts < here.scheduler_restarts;
}

}  // namespace

OwnerWatch::OwnerWatch(std::filesystem::path directory, std::uint64_t incarnation,
                       const FenceOptions& options)
    : directory_(std::move(directory)),
      incarnation_(incarnation),
      options_(options),
      begin_(Clock::now()),
      changed_(begin_) {}

double OwnerWatch::watched_seconds() const { return seconds_since(begin_); }

bool OwnerWatch::scheduler_says_gone() {
  if (claim_->owner.scheduler_job.empty() || !options_.ask_scheduler) return false;
  constexpr double pause_seconds = 5;
  if (asked_ && seconds_since(*asked_) < pause_seconds) return false;
  asked_ = Clock::now();
  return options_.ask_scheduler(claim_->owner) == JobState::gone;
}

bool OwnerWatch::is_known_gone() {
  is_alive_here_ = false;
  if (!claim_) return false;  // nobody knows whose it is
  const auto& owner = claim_->owner;
  if (beat_ && *beat_ == released_text(owner.nonce)) return true;
  if (is_of_this_kernel(owner)) {
    is_alive_here_ = consensus::is_alive_here(owner);
    // This very process knows which claims it holds.
    if (owner.pid == ::getpid()) is_alive_here_ = is_alive_here_ && is_held_here(owner.nonce);
    if (!is_alive_here_) return true;
  }
  return is_superseded(owner, this_process()) || scheduler_says_gone();
}

OwnerWatch::Verdict OwnerWatch::look() {
  const auto begin = Clock::now();  // silence counts up to here, however long this look takes
  auto beat = std::optional<std::string>();
  try {
    beat = text_of(beat_path(directory_, incarnation_));
    // A claim that is made without link(2) is torn for a moment.
    if (!claim_) {
      auto found = find_claim(directory_, incarnation_);
      claim_ = std::move(found.claim);
      problem_ = std::move(found.problem);
    }
  } catch (const Error& error) {
    if (error.code() != Errc::bad_data && error.code() != Errc::no_input) throw;
    problem_ = error.what();
  }
  const bool is_first = std::exchange(is_first_, false);
  if (is_first || beat != beat_) changed_ = Clock::now();
  has_beaten_ = has_beaten_ || (!is_first && beat != beat_);
  beat_ = std::move(beat);
  if (is_known_gone()) return Verdict::gone;
  const auto silence = std::chrono::duration<double>(begin - changed_).count();
  if (silence >= options_.stale_seconds) return Verdict::gone;
  return has_beaten_ || is_alive_here_ ? Verdict::alive : Verdict::unknown;
}

std::string OwnerWatch::refusal() const {
  auto text = "checkpoint directory " + directory_.string() + " is in use by another running job";
  if (claim_) {
    text += " (" + describe(claim_->owner) + ", incarnation " + std::to_string(incarnation_) + ")";
  } else {
    text += ", which nobody can name (" + problem_ + ")";
  }
  return text + "; end that job, or choose another directory; if it is certain that it is gone: " +
         "cairn journal fence " + directory_.string();
}

}  // namespace cairn::consensus
