// Launches of one job that are in each other's way: the real store and its fence, as processes that
// run in turns. At each look at the directory and each change to it another one may go on, one may
// be killed, or a new one started, which takes over by force; a seed says which. Whatever happens,
// what a launch has been told is committed stays, and all that counts is one history.

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cairn/consensus/fence.hpp"
#include "cairn/core/random.hpp"
#include "in_turns.hpp"
#include "scratch.hpp"

using namespace cairn;
using namespace cairn::ckpt;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

bool goes_on_from(std::string_view later, std::string_view earlier) {
  return later.starts_with(earlier) &&
         (earlier.empty() || later.size() == earlier.size() || later[earlier.size()] == ' ');
}
bool are_one(std::string_view a, std::string_view b) {
  return goes_on_from(a, b) || goes_on_from(b, a);
}

/// A launch, and what is known of it.
struct Known : Launch {
  using Launch::Launch;

  std::size_t number = 0;
  std::size_t told_before = 0;  ///< what had been told when it began
  bool is_seen = false;         ///< its claim and what it has restored are judged
  History last;                 ///< that it was told, and is judged
};

/// What a schedule has shown.
struct Outcome {
  std::string violation;  ///< empty: none
  std::uint64_t steps = 0, kills = 0, committed = 0, fenced = 0, void_epochs = 0;
};

/// One directory, and what happens to it under a seed.
class Schedule {
 public:
  Schedule(std::uint64_t seed, Mutant mutant) : random_(seed), mutant_(mutant) {}

  Outcome run() {
    const int launches = 3 + static_cast<int>(draw(4));
    const auto change = 1 + draw(40);  // steps in a row, about
    const auto next_one = 20 + draw(150);
    const auto death = draw(2) == 0 ? 0 : 100 + draw(400);
    const bool ambushes = draw(2) == 0;
    start(false);
    Known* at_work = &launches_.back();
    while (outcome_.violation.empty()) {
      auto alive = alive_ones();
      const bool may_start = static_cast<int>(launches_.size()) < launches;
      if (alive.empty() && !may_start) break;
      const bool is_ambush = ambushes && at_work->is_about_to_publish() && draw(3) == 0;
      if (may_start && (alive.empty() || is_ambush || draw(next_one) == 0)) {
        start(draw(10) != 0);
        if (is_ambush) at_work = &launches_.back();
        alive = alive_ones();
      }
      if (!at_work->is_alive() || draw(change) == 0) at_work = alive[draw(alive.size())];
      const bool dies = death != 0 && draw(death) == 0;
      tell(*at_work, dies ? "killed before" : "");
      if (dies) {
        at_work->kill();
        ++outcome_.kills;
      } else {
        at_work->go_on();
        if (++outcome_.steps > most_steps) accuse("it does not end");
        judge(*at_work);
      }
    }
    if (outcome_.violation.empty()) finish();
    return outcome_;
  }

 private:
  std::size_t draw(std::size_t bound) { return random_.below(draws_++, bound); }

  void start(bool takes_over) {
    const Plan plan{.saves = 1 + static_cast<int>(draw(4)),
                    .keep = 1 + static_cast<int>(draw(3)),
                    .takes_over = takes_over};
    launches_.emplace_back(directory_.path(), plan, mutant_);
    launches_.back().number = launches_.size();
    launches_.back().told_before = told_.size();
  }

  std::vector<Known*> alive_ones() {
    std::vector<Known*> alive;
    for (auto& launch : launches_)
      if (launch.is_alive()) alive.push_back(&launch);
    return alive;
  }

  void tell(const Known& launch, const char* what) {
    const auto number = std::to_string(launch.number);
    story_ += "launch " + number + ": " + what + launch.desk().next_call + "\n";
  }

  void accuse(const std::string& of_what) {
    if (outcome_.violation.empty()) outcome_.violation = of_what + ":\n" + story_;
  }

  void judge(Known& launch) {
    const Desk& desk = launch.desk();
    if (desk.has_restored && !std::exchange(launch.is_seen, true)) {
      if (!owners_.insert(desk.incarnation).second)
        accuse("two launches own incarnation " + std::to_string(desk.incarnation));
      for (std::size_t i = 0; i < launch.told_before; ++i)
        if (!goes_on_from(desk.restored, told_[i]))
          accuse("'" + told_[i] + "' was committed, and a later launch restores '" + desk.restored +
                 "'");
    }
    if (launch.last != desk.committed) {
      launch.last = desk.committed;
      for (const auto& other : told_)
        if (!are_one(launch.last, other))
          accuse("both '" + other + "' and '" + launch.last + "' are committed");
      told_.push_back(launch.last);
      ++outcome_.committed;
      look(launch.last);
    }
    if (!launch.is_alive() && desk.error[0] != 0) {
      const bool is_owner = desk.incarnation != 0 && desk.incarnation == newest_owner();
      if (is_owner) accuse(std::string("the owner fails: ") + desk.error);
      ++outcome_.fenced;
    }
  }

  [[nodiscard]] std::uint64_t newest_owner() const {
    const auto owner = consensus::owner(directory_.path());
    return owner ? owner->incarnation : 0;
  }

  /// When all is quiet, one launch more; then what counts is one history, with all that was told.
  void finish() {
    start(true);
    Known& last = launches_.back();
    while (last.is_alive() && outcome_.violation.empty()) {
      tell(last, "");
      last.go_on();
      judge(last);
    }
    if (last.desk().listings == 0) return accuse("a listing of the directory is no step");
    if (last.last.empty())
      return accuse(std::string("the last launch fails: ") + last.desk().error);
  }

  /// What counts in the directory is one history with what has just been committed.
  void look(const History& committed) {
    const auto reader = EpochStore::reader(directory_.path());
    for (const auto& record : good_ones(reader, mutant_))
      if (!are_one(committed, record.identity))
        accuse("'" + record.identity + "' counts beside '" + committed + "'");
    for (const auto& found : reader.find()) outcome_.void_epochs += found.is_void ? 1 : 0;
  }

  static constexpr std::uint64_t most_steps = 3'000;

  Random random_;
  Mutant mutant_;
  std::uint64_t draws_ = 0;
  Scratch directory_{place()};
  std::deque<Known> launches_;
  std::set<std::uint64_t> owners_;
  std::vector<History> told_;
  std::string story_;
  Outcome outcome_;

  /// In memory: nothing here is about disks.
  static fs::path place() {
    return fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
  }
};

/// The first seed that shows a violation; 0 for none.
std::uint64_t caught_by(Mutant mutant, std::uint64_t seeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    if (!Schedule(seed, mutant).run().violation.empty()) return seed;
  return 0;
}

/// It would keep the launches of one process's tests apart, which only their claims shall.
const int without_lock = ::setenv("CAIRN_CKPT_LOCK", "off", 1);

}  // namespace

TEST_CASE(
    "launches in each other's way leave one history, with all that was told to be committed") {
  const bool is_long = std::getenv("CAIRN_TEST_LONG") != nullptr;
  const std::uint64_t seeds = is_long ? 50'000 : 500;
  Outcome all;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto outcome = Schedule(seed, Mutant::none).run();
    CAPTURE(seed);
    REQUIRE(outcome.violation == "");
    all.steps += outcome.steps;
    all.kills += outcome.kills;
    all.committed += outcome.committed;
    all.fenced += outcome.fenced;
    all.void_epochs += outcome.void_epochs;
  }
  MESSAGE(seeds << " schedules, " << all.steps << " steps, " << all.committed
                << " epochs committed, " << all.kills << " launches killed, " << all.fenced
                << " fenced, " << all.void_epochs << " void epochs seen");
  CHECK(all.kills > seeds / 10);
  CHECK(all.fenced > seeds / 2);
  CHECK(all.committed > seeds);
  CHECK(all.void_epochs > 0);
}

TEST_CASE("each mistake of a launch is seen") {
  for (const auto& [mutant, name] :
       {std::pair{Mutant::restores_when_fenced, "restores-when-fenced"},
        std::pair{Mutant::no_confirm, "no-confirm"},
        std::pair{Mutant::retires_when_fenced, "retires-when-fenced"},
        std::pair{Mutant::believes_itself, "believes-itself"},
        std::pair{Mutant::link_replaces, "link-replaces"},
        std::pair{Mutant::honours_void, "honours-void"}}) {
    const auto seed = caught_by(mutant, 3000);
    MESSAGE(std::string(name) << ": seed " << seed);
    CHECK(seed > 0);
  }
}
