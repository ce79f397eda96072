#include "cairn/loadbalance/steal_trial.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "cairn/core/random.hpp"
#include "cairn/loadbalance/task_stack.hpp"

namespace cairn::loadbalance {

namespace {

/// A task stands for so many, itself among them.
using Task = std::uint32_t;

struct Letter {
  int to;
  int run;
  StealMessage message;
  std::uint64_t not_before;  ///< the step
  std::vector<Task> tasks = {};
};

struct Rank {
  StealMachine machine;
  TaskStack<Task> stack = {};
  unsigned slowness;
};

class World {
 public:
  World(std::uint64_t seed, const TrialOptions& options)
      : options_(options),
        random_(seed, 0x7157),
        news_(seed, 0x4e57),
        all_(1 + draw(options.most_tasks)) {
    std::vector<int> hosts;
    for (int r = 0; r < options.ranks; ++r)
      hosts.push_back(r / std::max(1, options.ranks_per_host));
    const StealOptions stealing{.random_tries = static_cast<int>(draw(4)), .seed = seed};
    for (int r = 0; r < options.ranks; ++r)
      ranks_.push_back({.machine = {r, hosts, stealing, options.mutant},
                        .slowness = 1U << static_cast<unsigned>(draw(4))});
    any_rank().stack.push(static_cast<Task>(all_));
    if (draw(2) == 0) pause_after_ = draw(all_ + 1);
    if (draw(8) == 0) stop_after_ = draw(all_ + 1);
    // The others see more of what else may happen.
    if (seed % 4 == 0) offers_left_ = draw_news(20);
  }

  Trial run() {
    // Far more than any schedule needs.
    const std::uint64_t patience = 4000 + 400 * all_ + 4000 * ranks_.size();
    while (trial_.violation.empty() && trial_.steps < patience) {
      ++trial_.steps;
      ask_for_an_end();
      if (!under_way_.empty() && draw(2) == 0) {
        deliver();
      } else {
        act(any_rank());
      }
      if (std::ranges::all_of(ranks_, [](const Rank& r) { return r.machine.is_over(); })) {
        if (!goes_on()) return trial_;
      }
    }
    if (trial_.violation.empty()) trial_.violation = "it does not end";
    return trial_;
  }

 private:
  std::uint64_t draw(std::uint64_t bound) { return random_.below(draws_++, bound); }
  std::uint64_t draw_news(std::uint64_t bound) { return news_.below(news_draws_++, bound); }
  Rank& any_rank() { return ranks_[static_cast<std::size_t>(draw(ranks_.size()))]; }
  int number_of(const Rank& rank) const { return static_cast<int>(&rank - ranks_.data()); }

  void fail(const std::string& why) {
    if (trial_.violation.empty()) trial_.violation = why;
  }

  void ask_for_an_end() {
    if (pause_after_ && done_ >= *pause_after_) {
      pause_after_.reset();
      change(any_rank(), [](StealMachine& machine) { machine.pause(); });
    }
    if (stop_after_ && done_ >= *stop_after_) {
      stop_after_.reset();
      change(any_rank(), [](StealMachine& machine) { machine.stop(); });
    }
  }

  template <typename Change>
  void change(Rank& rank, Change what) {
    if (rank.machine.is_over()) return;
    what(rank.machine);
    send_all(rank);
  }

  // --- one rank --------------------------------------------------------------------------------

  void act(Rank& rank) {
    if (rank.machine.is_over() || draw(rank.slowness) != 0) return;
    if (rank.machine.is_stopped()) drop(rank);
    if (offers_left_ > 0 && draw_news(8) == 0) offer(rank);
    for (auto steps = draw(4); steps > 0 && rank.machine.may_give(); --steps) work(rank);
    serve(rank);
    const bool is_still = rank.stack.empty() || rank.machine.is_pausing();
    const bool lies = options_.mutant == StealMutant::rise_when_busy;
    if (is_still || lies) rank.machine.be_still(is_still ? rank.stack.size() : 0);
    send_all(rank);
  }

  /// A value that is better than all, or known already, or worse.
  void offer(Rank& rank) {
    --offers_left_;
    const auto value =
        std::max<std::int64_t>(best_, 0) + static_cast<std::int64_t>(draw_news(4)) - 1;
    best_ = std::max(best_, value);
    if (value > rank.machine.best()) most_news_ += ranks_.size() - 1;
    rank.machine.improve(value);
    if (rank.machine.best() < value) fail("a rank does not believe itself");
    send_all(rank);
  }

  void work(Rank& rank) {
    if (rank.stack.empty()) return;
    Task rest = rank.stack.pop() - 1;
    ++done_;
    while (rest > 0) {
      const auto part = static_cast<Task>(1 + draw(rest));
      rank.stack.push(part);
      rest -= part;
    }
  }

  void drop(Rank& rank) {
    for (; !rank.stack.empty(); (void)rank.stack.pop()) dropped_ += rank.stack.all().back();
  }

  void serve(Rank& rank) {
    const auto spare = [&] {
      std::vector<Task> tasks;
      rank.stack.split(8, tasks);
      return tasks;
    };
    rank.machine.serve(spare, [&](const StealMessage& message, std::vector<Task> tasks) {
      send(rank, message, std::move(tasks));
    });
    send_all(rank);
  }

  // --- messages --------------------------------------------------------------------------------

  void send(const Rank& from, StealMessage message, std::vector<Task> tasks) {
    const int to = std::exchange(message.peer, number_of(from));
    ++trial_.messages;
    if (is_counted(message.say)) {
      ++counted_under_way_;
      rises_in_vain_ = 0;
    }
    if (message.say == Say::better) {
      ++trial_.news;
      ++news_under_way_;
    }
    const auto delay = draw(8) == 0 ? draw(400) : 0;
    under_way_.push_back({to, run_, message, trial_.steps + delay, std::move(tasks)});
  }

  void send_all(Rank& rank) {
    for (const auto& message : rank.machine.take_messages()) send(rank, message, {});
    if (rank.machine.is_over()) judge_end(rank);
  }

  void deliver() {
    std::swap(under_way_[static_cast<std::size_t>(draw(under_way_.size()))], under_way_.back());
    if (under_way_.back().not_before > trial_.steps) return;
    const Letter letter = std::move(under_way_.back());
    under_way_.pop_back();
    Rank& rank = ranks_[static_cast<std::size_t>(letter.to)];
    const bool is_late = letter.run != run_ || rank.machine.is_over();
    if (is_late && is_counted(letter.message.say)) return fail("a message comes after the end");
    if (letter.message.say == Say::better && letter.run == run_) {
      --news_under_way_;
      news_are_lost_ = news_are_lost_ || is_late;
    }
    if (is_late) return;
    const auto known = rank.machine.best();
    if (is_counted(letter.message.say)) --counted_under_way_;
    if (letter.message.say == Say::rise) judge_wave();
    rank.machine.hear(letter.message);
    rank.stack.push_all(letter.tasks);
    send_all(rank);
    if (rank.machine.best() < known) fail("a rank knows a worse value than before");
    if (letter.message.say == Say::better) judge_news();
  }

  // --- verdicts --------------------------------------------------------------------------------

  /// A rank has learned that it is over. Is it?
  void judge_end(const Rank& rank) {
    if (counted_under_way_ > 0) fail("it is over while a message is under way");
    const bool all_done = done_ + dropped_ == all_;
    if (rank.machine.ranks_left() == 0 && !all_done) fail("it is over while tasks are left");
  }

  /// Two waves find the end, and one may be on its way when it comes.
  void judge_wave() {
    const auto is_still = [](const Rank& rank) {
      return rank.stack.empty() || rank.machine.is_pausing();
    };
    if (counted_under_way_ > 0 || !std::ranges::all_of(ranks_, is_still)) return;
    if (++rises_in_vain_ > 3 * (ranks_.size() - 1)) fail("the end is found late");
  }

  /// Nobody knows what nobody has found; all know the best once no news are under way; and each
  /// improvement takes the tree once.
  void judge_news() {
    for (const Rank& rank : ranks_) {
      if (rank.machine.best() > best_) fail("a value is known that nobody has offered");
      if (rank.machine.best() < best_ && news_under_way_ == 0 && !news_are_lost_)
        fail("a rank has not heard of the best value");
    }
    if (trial_.news > most_news_) fail("news are told twice");
  }

  /// What the ranks agree on between two runs.
  void level_best() {
    std::int64_t best = SharedBest::nothing;
    for (const Rank& rank : ranks_) best = std::max(best, rank.machine.best());
    if (best != best_) fail("the best value is lost");
    news_under_way_ = 0;
    news_are_lost_ = false;
  }

  /// All ranks have learned that it is over.
  bool goes_on() {
    judge_news();
    level_best();
    std::uint64_t left = 0;
    for (const Rank& rank : ranks_)
      for (const Task task : rank.stack.all()) left += task;
    if (done_ + dropped_ + left != all_) fail("tasks are lost, or done twice");
    trial_.is_stopped = dropped_ > 0;
    if (left == 0 || !trial_.violation.empty()) return false;
    ++trial_.pauses;
    ++run_;
    rises_in_vain_ = 0;
    for (Rank& rank : ranks_) rank.machine.begin(best_);
    return true;
  }

  TrialOptions options_;
  Random random_;
  std::uint64_t draws_ = 0;
  Random news_;
  std::uint64_t news_draws_ = 0;
  std::uint64_t all_;
  std::uint64_t done_ = 0;
  std::uint64_t dropped_ = 0;
  std::optional<std::uint64_t> pause_after_ = {};
  std::optional<std::uint64_t> stop_after_ = {};
  std::vector<Rank> ranks_;
  std::vector<Letter> under_way_;
  int run_ = 0;
  std::uint64_t counted_under_way_ = 0;
  std::int64_t best_ = SharedBest::nothing;  ///< that was offered
  std::uint64_t offers_left_ = 0;
  std::uint64_t most_news_ = 0;  ///< messages
  std::uint64_t news_under_way_ = 0;
  bool news_are_lost_ = false;       ///< for a rank that had ended
  std::uint64_t rises_in_vain_ = 0;  ///< since the last counted message
  Trial trial_;
};

}  // namespace

Trial try_steals(std::uint64_t seed, const TrialOptions& options) {
  return World(seed, options).run();
}

TrialSum try_many_steals(std::uint64_t first_seed, std::uint64_t schedules,
                         const TrialOptions& options) {
  TrialSum sum;
  for (std::uint64_t i = 0; i < schedules; ++i) {
    const std::uint64_t seed = first_seed + i;  // 0 behind the largest
    const Trial trial = try_steals(seed, options);
    ++sum.schedules;
    sum.steps += trial.steps;
    sum.messages += trial.messages;
    sum.pauses += trial.pauses;
    sum.news += trial.news;
    sum.stops += trial.is_stopped ? 1 : 0;
    if (trial.violation.empty()) continue;
    if (++sum.violations > 1) continue;
    sum.failing_seed = seed;
    sum.violation = trial.violation;
    if (options.mutant != StealMutant::none) break;
  }
  return sum;
}

std::span<const StealMutant> all_steal_mutants() noexcept {
  static constexpr std::array all{StealMutant::none,
                                  StealMutant::two_counters,
                                  StealMutant::count_after_send,
                                  StealMutant::uncounted_gifts,
                                  StealMutant::rise_when_busy,
                                  StealMutant::forget_children,
                                  StealMutant::keep_news,
                                  StealMutant::take_old_news};
  return all;
}

const char* name_of(StealMutant mutant) noexcept {
  switch (mutant) {
    case StealMutant::none:
      return "none";
    case StealMutant::two_counters:
      return "two-counters";
    case StealMutant::count_after_send:
      return "count-after-send";
    case StealMutant::uncounted_gifts:
      return "uncounted-gifts";
    case StealMutant::rise_when_busy:
      return "rise-when-busy";
    case StealMutant::forget_children:
      return "forget-children";
    case StealMutant::keep_news:
      return "keep-news";
    case StealMutant::take_old_news:
      return "take-old-news";
  }
  return "unknown";
}

}  // namespace cairn::loadbalance
