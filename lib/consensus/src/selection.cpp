#include "cairn/consensus/selection.hpp"

#include <algorithm>
#include <array>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"

namespace cairn::consensus {

namespace {

constexpr std::uint64_t window_epochs = 64;

/// As it travels.
using Words = std::array<std::uint64_t, 3>;

Words words_of(const EpochWindow& window) {
  return {window.newest, window.bits, static_cast<std::uint64_t>(window.kind)};
}
EpochWindow window_from(const Words& words) {
  return {words[0], words[1], static_cast<EpochWindow::Kind>(words[2])};
}

/// The bits of a window in one that ends with a newer epoch.
std::uint64_t bits_in(const EpochWindow& window, std::uint64_t newest) {
  const auto distance = newest - window.newest;
  return distance < window_epochs ? window.bits << distance : 0;
}

std::size_t members_of_all(std::span<const CoveringSet> sets) {
  std::size_t members = 0;
  for (const auto& set : sets) members += set.members.size();
  return members;
}

void expect_disjoint(std::span<const CoveringSet> sets, int ranks) {
  std::vector<int> all;
  for (const auto& set : sets) all.insert(all.end(), set.members.begin(), set.members.end());
  std::sort(all.begin(), all.end());
  expects(std::adjacent_find(all.begin(), all.end()) == all.end(), "disjoint redundancy sets");
  expects(all.empty() || (all.front() >= 0 && all.back() < ranks), "members that are ranks");
}

/// This rank's window in its place, and nothing in all others.
SelectionWindows own_windows(int rank, const EpochWindow& mine, std::span<const CoveringSet> sets) {
  SelectionWindows windows(1 + members_of_all(sets));
  std::size_t place = 0;
  std::size_t at = 1;
  for (const auto& set : sets) {
    for (const int member : set.members) {
      if (member == rank) place = at;
      ++at;
    }
  }
  windows[place] = mine;
  return windows;
}

/// The one thing that only the ranks which have the epoch can say; of two different ones the
/// maximum and the minimum differ.
struct SameOrNot {
  bool is_same = false;
  ReadableEpoch epoch;
};
SameOrNot compare(const Communicator& comm, std::span<const ReadableEpoch> mine,
                  std::uint64_t epoch) {
  const auto own = std::find_if(mine.begin(), mine.end(),
                                [&](const ReadableEpoch& each) { return each.epoch == epoch; });
  std::array<std::uint64_t, 4> words{};
  if (own != mine.end()) words = {own->digest, ~own->digest, own->incarnation, ~own->incarnation};
  all_reduce(comm, std::span<std::uint64_t>(words), Maximum{});
  return {words[0] == ~words[1] && words[2] == ~words[3], {words[2], epoch, words[0]}};
}

}  // namespace

bool covers(const CoveringSet& set, const std::vector<bool>& lacks) {
  if (set.rule == CoveringSet::Rule::losses)
    return std::count(lacks.begin(), lacks.end(), true) <= set.losses;
  for (std::size_t i = 0; i < lacks.size(); ++i)
    if (lacks[i] && lacks[(i + 1) % lacks.size()]) return false;
  return true;
}

bool EpochWindow::contains(std::uint64_t epoch) const {
  return epoch <= newest && newest - epoch < window_epochs && (bits >> (newest - epoch) & 1U) != 0;
}

EpochWindow window_of(std::span<const ReadableEpoch> readable) {
  EpochWindow window{.kind = EpochWindow::Kind::each};
  for (const auto& each : readable) window.newest = std::max(window.newest, each.epoch);
  for (const auto& each : readable) {
    const auto distance = window.newest - each.epoch;
    if (distance < window_epochs) window.bits |= std::uint64_t{1} << distance;
  }
  return window;
}

EpochWindow common(const EpochWindow& a, const EpochWindow& b) {
  if (a.kind == EpochWindow::Kind::nobody) return b;
  if (b.kind == EpochWindow::Kind::nobody) return a;
  const auto newest = std::max(a.newest, b.newest);
  return {newest, bits_in(a, newest) & bits_in(b, newest), EpochWindow::Kind::each};
}

std::optional<std::uint64_t> newest_restartable(const SelectionWindows& windows,
                                                std::span<const CoveringSet> sets,
                                                std::span<const std::uint64_t> excluded) {
  std::vector<std::uint64_t> candidates;
  for (const auto& window : windows)
    for (std::uint64_t k = 0; k < window_epochs; ++k)
      if ((window.bits >> k & 1U) != 0) candidates.push_back(window.newest - k);
  std::sort(candidates.rbegin(), candidates.rend());
  for (const auto epoch : candidates) {
    if (std::find(excluded.begin(), excluded.end(), epoch) != excluded.end()) continue;
    bool is_there =
        windows.front().kind == EpochWindow::Kind::nobody || windows.front().contains(epoch);
    std::size_t at = 1;
    for (const auto& set : sets) {
      std::vector<bool> lacks;
      for (std::size_t i = 0; i < set.members.size(); ++i)
        lacks.push_back(!windows[at++].contains(epoch));
      is_there = is_there && covers(set, lacks);
    }
    if (is_there) return epoch;
  }
  return std::nullopt;
}

std::optional<ReadableEpoch> select_restart(const Communicator& comm,
                                            std::span<const ReadableEpoch> mine,
                                            std::span<const CoveringSet> sets) {
  expect_disjoint(sets, comm.size());
  std::vector<Words> words;
  for (const auto& window : own_windows(comm.rank(), window_of(mine), sets))
    words.push_back(words_of(window));
  all_reduce(comm, std::span<Words>(words), commutative([](const Words& a, const Words& b) {
               return words_of(common(window_from(a), window_from(b)));
             }));
  SelectionWindows windows;
  for (const auto& each : words) windows.push_back(window_from(each));
  std::vector<std::uint64_t> ambiguous;
  while (const auto epoch = newest_restartable(windows, sets, ambiguous)) {
    const auto answer = compare(comm, mine, *epoch);
    if (answer.is_same) return answer.epoch;
    ambiguous.push_back(*epoch);
  }
  return std::nullopt;
}

std::optional<ReadableEpoch> restart_from(const Communicator& comm, std::vector<ReadableEpoch> mine,
                                          std::span<const CoveringSet> sets,
                                          const std::function<bool(const ReadableEpoch&)>& read) {
  while (const auto choice = select_restart(comm, mine, sets)) {
    const bool is_good = read(*choice);
    if (agree(comm, is_good)) return choice;
    const auto is_it = [&](const ReadableEpoch& each) { return each.epoch == choice->epoch; };
    const bool is_mine = std::any_of(mine.begin(), mine.end(), is_it);
    // Who lacks it and could not get it from the others will not get it next time either.
    const int is_lost = all_reduce(comm, !is_good && !is_mine ? 1 : 0, Maximum{});
    if (is_lost != 0 || !is_good) std::erase_if(mine, is_it);
  }
  return std::nullopt;
}

}  // namespace cairn::consensus
