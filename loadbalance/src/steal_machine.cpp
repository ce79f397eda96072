#include "cairn/loadbalance/steal_machine.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cairn/core/expects.hpp"

namespace cairn::loadbalance {

namespace {

/// Children of a rank in the tree that waves climb: a compromise of its height and of the messages
/// that an inner rank has to take. Simulated with T1L on 4096 ranks, a wave takes least with six.
constexpr int tree_width = 6;

/// The ranks 1, 2, 4 … behind `rank`, so that work reaches everybody in log2(p) steps.
std::vector<int> lifelines_of(int rank, int ranks) {
  std::vector<int> buddies;
  for (int distance = 1; distance < ranks; distance *= 2)
    buddies.push_back((rank + distance) % ranks);
  return buddies;
}

/// The others on the host of `rank`; none where all are on one host: nobody is asked first there.
std::vector<int> host_mates_of(int rank, std::span<const int> host_of) {
  const int host = host_of[static_cast<std::size_t>(rank)];
  const auto on_host = std::ranges::count(host_of, host);
  std::vector<int> mates;
  if (on_host == std::ssize(host_of)) return mates;
  mates.reserve(static_cast<std::size_t>(on_host - 1));
  for (int r = 0; r < static_cast<int>(host_of.size()); ++r)
    if (r != rank && host_of[static_cast<std::size_t>(r)] == host) mates.push_back(r);
  return mates;
}

}  // namespace

StealMachine::StealMachine(int rank, std::span<const int> host_of, const StealOptions& options,
                           StealMutant mutant)
    : rank_(rank),
      ranks_(static_cast<int>(host_of.size())),
      steals_(options.steals),
      host_tries_(options.host_tries),
      random_tries_(options.random_tries),
      mutant_(mutant),
      buddies_(lifelines_of(rank, ranks_)),
      seed_(options.seed),
      remembers_me_(buddies_.size()) {
  expects(rank >= 0 && rank < ranks_, "a rank of the run");
  host_mates_ = host_mates_of(rank, host_of);
}

void StealMachine::begin(std::int64_t best) {
  thieves_.clear();
  remembered_.clear();
  std::ranges::fill(remembers_me_, 0);
  is_asking_ = is_parked_ = is_pausing_ = is_stopped_ = false;
  best_ = best;
  tries_ = 0;
  messages_ = late_ = {};
  detector_ = {};
  below_ = {};
  risen_ = 0;
  has_risen_ = false;
  over_.reset();
  counts_ = {};
  outbox_.clear();
}

std::vector<StealMessage> StealMachine::take_messages() { return std::exchange(outbox_, {}); }

/// Whether the four counters count it.
bool StealMachine::is_for_the_end(Say what) const noexcept {
  return is_counted(what) && !(mutant_ == StealMutant::uncounted_gifts && what == Say::gift);
}

void StealMachine::count(Say what) {
  ++counts_.messages;
  if (is_for_the_end(what)) ++(mutant_ == StealMutant::count_after_send ? late_ : messages_).sent;
}

void StealMachine::say(int to, Say what, Wave wave) {
  count(what);
  outbox_.push_back({to, what, wave, what == Say::better ? best_ : 0});
}

// --- what comes ----------------------------------------------------------------------------

void StealMachine::hear(const StealMessage& message) {
  if (is_for_the_end(message.say)) ++messages_.received;
  switch (message.say) {
    case Say::ask:
      return thieves_.push_back(message.peer);
    case Say::none:
      is_asking_ = false;
      ++tries_;
      return;
    case Say::remember:
      return remembered_.push_back(message.peer);
    case Say::answer:
      is_asking_ = false;
      break;
    case Say::gift:
      ++counts_.gifts;
      for (std::size_t i = 0; i < buddies_.size(); ++i)
        if (buddies_[i] == message.peer) remembers_me_[i] = 0;
      break;
    case Say::rise:
      below_.counts.sent += message.wave.counts.sent;
      below_.counts.received += message.wave.counts.received;
      below_.left += message.wave.left;
      ++risen_;
      return;
    case Say::again:
      for_each_child([&](int child) { say(child, Say::again); });
      has_risen_ = false;
      return;
    case Say::over:
      return end(message.wave.left);
    case Say::pause:
      if (!std::exchange(is_pausing_, true)) spread(Say::pause, message.peer);
      return;
    case Say::stop:
      if (!std::exchange(is_stopped_, true)) spread(Say::stop, message.peer);
      return;
    case Say::better:
      return hear_better(message);
  }
  ++counts_.got;
  tries_ = 0;
  is_parked_ = false;
}

// --- for others ----------------------------------------------------------------------------

std::optional<StealMachine::Customer> StealMachine::next_customer() const noexcept {
  if (!thieves_.empty()) return Customer{thieves_.front(), Say::answer};
  if (!may_give() || remembered_.empty()) return std::nullopt;
  return Customer{remembered_.front(), Say::gift};
}

std::optional<StealMessage> StealMachine::answer_to(Customer customer, bool with_tasks) {
  const bool has_asked = customer.say == Say::answer;
  if (has_asked) {
    thieves_.erase(thieves_.begin());
  } else if (with_tasks) {
    remembered_.erase(remembered_.begin());
  }
  if (!with_tasks && !has_asked) return std::nullopt;
  const Say word = with_tasks ? customer.say : Say::none;
  counts_.given += with_tasks ? 1 : 0;
  count(word);
  return StealMessage{customer.rank, word};
}

// --- for this rank -------------------------------------------------------------------------

void StealMachine::be_still(std::size_t tasks) {
  if (over_) return;
  if (tasks == 0) look_for_work();
  // One that may be given something would have to be counted again.
  if (!is_asking_) rise(tasks);
}

void StealMachine::look_for_work() {
  if (!steals_ || is_asking_ || is_parked_ || !may_give() || ranks_ == 1) return;
  const int host_tries = host_mates_.empty() ? 0 : host_tries_;
  if (tries_ < host_tries + random_tries_) {
    const Random random(seed_, static_cast<std::uint64_t>(rank_));
    const auto draw = [&](std::size_t bound) {
      return static_cast<std::size_t>(random.below(draws_++, bound));
    };
    const auto others = static_cast<std::size_t>(ranks_ - 1);
    const bool on_host = tries_ < host_tries;
    const int victim = on_host ? host_mates_[draw(host_mates_.size())]
                               : (rank_ + 1 + static_cast<int>(draw(others))) % ranks_;
    is_asking_ = true;
    ++counts_.asked;
    counts_.asked_on_host += on_host ? 1 : 0;
    return say(victim, Say::ask);
  }
  for (std::size_t i = 0; i < buddies_.size(); ++i)
    if (std::exchange(remembers_me_[i], 1) == 0) say(buddies_[i], Say::remember);
  is_parked_ = true;
  ++counts_.parked;
}

// --- the end -------------------------------------------------------------------------------

template <typename Visit>
void StealMachine::for_each_child(Visit visit) const {
  for (int c = tree_width * rank_ + 1; c <= tree_width * (rank_ + 1) && c < ranks_; ++c) visit(c);
}

int StealMachine::children() const noexcept {
  return std::clamp(ranks_ - 1 - tree_width * rank_, 0, tree_width);
}

void StealMachine::rise(std::size_t tasks) {
  const bool waits = risen_ < children() && mutant_ != StealMutant::forget_children;
  if (has_risen_ || waits) return;
  has_risen_ = true;
  ++counts_.waves;
  Wave sums = std::exchange(below_, {});
  risen_ = 0;
  sums.counts.sent += messages_.sent;
  sums.counts.received += messages_.received;
  sums.left += tasks > 0 ? 1 : 0;
  messages_.sent += std::exchange(late_.sent, 0);
  if (rank_ == 0) return judge(sums);
  say((rank_ - 1) / tree_width, Say::rise, sums);
}

void StealMachine::judge(const Wave& sums) {
  const bool is_over = mutant_ == StealMutant::two_counters
                           ? sums.counts.sent == sums.counts.received
                           : detector_.is_over(sums.counts);
  if (is_over) return end(sums.left);
  has_risen_ = false;
  for_each_child([&](int child) { say(child, Say::again); });
}

void StealMachine::end(std::uint64_t left) {
  over_ = left;
  for_each_child([&](int child) { say(child, Say::over, {.counts = {}, .left = left}); });
}

// --- words that reach everybody ------------------------------------------------------------

void StealMachine::pause() {
  if (!std::exchange(is_pausing_, true)) spread(Say::pause, rank_);
}

void StealMachine::stop() {
  if (!std::exchange(is_stopped_, true)) spread(Say::stop, rank_);
}

void StealMachine::improve(std::int64_t best) {
  if (over_ || best <= best_) return;
  best_ = best;
  spread(Say::better, rank_);
}

/// News from different ranks meet on the way, and the worse end there.
void StealMachine::hear_better(const StealMessage& message) {
  if (message.best <= best_ && mutant_ != StealMutant::take_old_news) return;
  best_ = message.best;
  if (mutant_ != StealMutant::keep_news) spread(Say::better, message.peer);
}

void StealMachine::spread(Say what, int except) {
  const auto tell = [&](int neighbour) {
    if (neighbour != except) say(neighbour, what);
  };
  if (rank_ != 0) tell((rank_ - 1) / tree_width);
  for_each_child(tell);
}

}  // namespace cairn::loadbalance
