/// Who asks whom for tasks, who gets some, and when all has ended: the protocol, without messages,
/// clocks or threads. The same machine runs over MPI (steal_network.hpp), in the simulator
/// (steal_simulation.hpp) and under random schedules (steal_trial.hpp).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "cairn/core/random.hpp"
#include "cairn/loadbalance/four_counters.hpp"
#include "cairn/loadbalance/incumbent.hpp"
#include "cairn/loadbalance/steal_options.hpp"

namespace cairn::loadbalance {

/// What a rank says to another one.
enum class Say : std::uint8_t {
  ask,       ///< have you something for me?
  none,      ///< no
  answer,    ///< tasks, for one that has asked
  remember,  ///< send me something when you can
  gift,      ///< tasks, for one that is remembered
  // Those above are counted, for the end; those below go along a tree of all ranks.
  rise,    ///< to the parent: what this part of the tree has sent and received
  again,   ///< to the children: not yet, another wave
  over,    ///< to the children: nothing is under way; `wave.left` ranks have tasks
  pause,   ///< keep your tasks and be still
  stop,    ///< drop your tasks
  better,  ///< `best` is known, which is more than you have heard
};

[[nodiscard]] constexpr bool is_counted(Say say) noexcept { return say <= Say::gift; }

/// Sums over a part of the ranks.
struct Wave {
  MessageCounts counts;
  std::uint64_t left = 0;  ///< ranks that are still, and have tasks
  friend bool operator==(const Wave&, const Wave&) = default;
};

struct StealMessage {
  int peer;  ///< to, or from
  Say say;
  Wave wave = {};
  std::int64_t best = 0;
  friend bool operator==(const StealMessage&, const StealMessage&) = default;
};

/// A mistake that a test plants.
enum class StealMutant : std::uint8_t {
  none,
  two_counters,      ///< looks at one wave alone
  count_after_send,  ///< a message counts as sent a wave later
  uncounted_gifts,   ///< gifts are not counted
  rise_when_busy,    ///< a wave does not wait for a rank that works
  forget_children,   ///< a wave does not wait for the tree below
  keep_news,         ///< what a rank hears of a better value it keeps to itself
  take_old_news,     ///< what a rank hears last is what it believes
};

/// One rank of it.
///
///     idle: ask at random ──none──▶ … ──none──▶ ask along lifelines, and wait
///             ▲                                        │
///             └──────────── tasks ◀────────────────────┘
///
/// One steal of a rank is under way at a time. Whoever has nothing to spare says so at once; a rank
/// that has asked some others in vain asks its neighbours on a hypercube to remember it, and is
/// quiet until one of them sends what it can spare.
///
/// That nothing is left is found by waves (FourCounters) through a tree of the ranks, which each
/// joins while it is still: no thread of it works, because it has no tasks, or because all were
/// asked to pause. So a run ends in O(log p) once all are idle, or stands still with its tasks in
/// the stacks and no message under way.
///
/// The owner delivers messages by hear(), sends what take_messages() gives, and calls serve().
/// A regular value; allocates when a list grows.
///
/// Source: Saraswat, Kambadur, Kodali, Grove, Krishnamoorthy, "Lifeline-based global load
/// balancing", PPoPP 2011, doi:10.1145/1941553.1941582.
class StealMachine {
 public:
  /// @param host_of  shape [p], the host of each rank; equal on all ranks
  StealMachine(int rank, std::span<const int> host_of, const StealOptions& options,
               StealMutant mutant = StealMutant::none);

  /// Begins a run. Nobody may begin before all have ended the run before.
  /// @param best  the best value (SharedBest) that is known; equal on all ranks
  void begin(std::int64_t best = SharedBest::nothing);

  /// A message has come. Tasks of it belong to this rank from now on.
  void hear(const StealMessage& message);

  /// Gives what can be spared to all who want some.
  /// @param spare  gives tasks in a container, or an empty one; asked once for each who wants some
  /// @param send   sends a message, with the tasks that go with it (perhaps none)
  template <std::invocable Spare, typename Send>
  void serve(Spare spare, Send send) {
    using Tasks = std::invoke_result_t<Spare&>;
    while (const auto customer = next_customer()) {
      Tasks tasks = may_give() ? spare() : Tasks{};
      const bool has_some = !tasks.empty();
      if (const auto answer = answer_to(*customer, has_some)) send(*answer, std::move(tasks));
      if (!has_some && customer->say == Say::gift) return;  // the others will not get any either
    }
  }

  /// No thread of this rank works; `tasks` are left, none unless all were asked to pause. To be
  /// called again whenever something may have changed.
  void be_still(std::size_t tasks);

  /// Asks all ranks to keep their tasks and be still, so that the run ends early. At any time.
  void pause();
  /// Asks all ranks to drop their tasks. At any time.
  void stop();

  /// A value is known here; if it is better than what this machine knows, all ranks get to know it,
  /// unless the run ends before. At any time.
  void improve(std::int64_t best);
  /// The best value that this rank has offered or heard of; never less than before in this run.
  [[nodiscard]] std::int64_t best() const noexcept { return best_; }

  [[nodiscard]] bool is_over() const noexcept { return over_.has_value(); }
  /// Ranks that still had tasks when it was over.
  [[nodiscard]] std::uint64_t ranks_left() const noexcept { return over_.value_or(0); }
  /// Whether tasks may leave this rank, or be worked on.
  [[nodiscard]] bool may_give() const noexcept { return !is_pausing_ && !is_stopped_; }
  [[nodiscard]] bool is_pausing() const noexcept { return is_pausing_; }
  [[nodiscard]] bool is_stopped() const noexcept { return is_stopped_; }
  /// Whether it waits for the tasks that it has asked for.
  [[nodiscard]] bool is_asking() const noexcept { return is_asking_; }
  /// Whether it has asked in vain, and waits to be given something.
  [[nodiscard]] bool is_parked() const noexcept { return is_parked_; }
  /// Whether it has its part in the wave that is under way.
  [[nodiscard]] bool has_risen() const noexcept { return has_risen_; }
  /// Children in the tree of ranks whose part of the wave has not come.
  [[nodiscard]] int children_missing() const noexcept { return children() - risen_; }
  /// Messages that are counted for the end.
  [[nodiscard]] const MessageCounts& messages() const noexcept { return messages_; }

  /// What is to be sent, in this order. Empties the list.
  [[nodiscard]] std::vector<StealMessage> take_messages();
  [[nodiscard]] bool has_messages() const noexcept { return !outbox_.empty(); }

  /// Without bytes, which the machine does not see.
  [[nodiscard]] const StealCounts& counts() const noexcept { return counts_; }

 private:
  /// Somebody who wants tasks.
  struct Customer {
    int rank;
    Say say;  ///< what tasks for it are: answer or gift
  };

  [[nodiscard]] std::optional<Customer> next_customer() const noexcept;
  [[nodiscard]] std::optional<StealMessage> answer_to(Customer customer, bool with_tasks);
  [[nodiscard]] bool is_for_the_end(Say what) const noexcept;
  void count(Say what);
  void say(int to, Say what, Wave wave = {});
  void look_for_work();
  void rise(std::size_t tasks);
  void judge(const Wave& sums);
  void end(std::uint64_t left);
  void spread(Say what, int except);
  void hear_better(const StealMessage& message);
  template <typename Visit>
  void for_each_child(Visit visit) const;
  [[nodiscard]] int children() const noexcept;

  // Of all runs.
  int rank_;
  int ranks_;
  bool steals_;
  int host_tries_;
  int random_tries_;
  StealMutant mutant_;
  std::vector<int> host_mates_;
  std::vector<int> buddies_;  // by whom it may be remembered
  std::uint64_t seed_;
  std::uint64_t draws_ = 0;

  // Of this one.
  std::vector<int> thieves_;                 // want an answer
  std::vector<int> remembered_;              // want what comes
  std::vector<unsigned char> remembers_me_;  // by buddy
  bool is_asking_ = false;
  bool is_parked_ = false;
  bool is_pausing_ = false;
  bool is_stopped_ = false;
  std::int64_t best_ = SharedBest::nothing;
  int tries_ = 0;

  MessageCounts messages_;
  MessageCounts late_;      // count_after_send
  FourCounters detector_;   // of the root
  Wave below_;              // what the children have said
  int risen_ = 0;           // how many of them
  bool has_risen_ = false;  // itself
  std::optional<std::uint64_t> over_;

  StealCounts counts_;
  std::vector<StealMessage> outbox_;
};

}  // namespace cairn::loadbalance
