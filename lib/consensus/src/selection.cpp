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
using Words = std::array<std::uint64_t, 2>;

Words words_of(const EpochWindow& window) { return {window.newest, window.bits}; }
EpochWindow window_from(const Words& words) { return {words[0], words[1]}; }

/// The bits of a window in one that ends with a newer epoch.
std::uint64_t bits_in(const EpochWindow& window, std::uint64_t newest) {
  const auto distance = newest - window.newest;
  return distance < window_epochs ? window.bits << distance : 0;
}

/// What this rank fills at each place, in epochs before `end`.
SelectionWindows own_windows(std::span<const OfferedEpoch> mine, int places, std::uint64_t end) {
  std::vector<std::vector<std::uint64_t>> epochs(static_cast<std::size_t>(places));
  for (const auto& offer : mine) {
    if (offer.epoch.epoch >= end) continue;
    for (const int place : offer.places) {
      expects(place >= 0 && place < places, "places below their number");
      epochs[static_cast<std::size_t>(place)].push_back(offer.epoch.epoch);
    }
  }
  SelectionWindows windows;
  for (const auto& each : epochs) windows.push_back(window_of(each));
  return windows;
}

SelectionWindows reduced(const Communicator& comm, const SelectionWindows& mine) {
  std::vector<Words> words;
  for (const auto& window : mine) words.push_back(words_of(window));
  all_reduce(comm, std::span<Words>(words), commutative([](const Words& a, const Words& b) {
               return words_of(either(window_from(a), window_from(b)));
             }));
  SelectionWindows windows;
  for (const auto& each : words) windows.push_back(window_from(each));
  return windows;
}

std::uint64_t newest_of(const SelectionWindows& windows) {
  std::uint64_t newest = 0;
  for (const auto& window : windows) newest = std::max(newest, window.newest);
  return newest;
}

/// What only the ranks can say that offer the epoch; of two different ones the maximum and the
/// minimum differ.
struct SameOrNot {
  bool is_same = false;
  ReadableEpoch epoch;
};
SameOrNot compare(const Communicator& comm, std::span<const OfferedEpoch> mine,
                  std::uint64_t epoch) {
  const auto own = std::find_if(mine.begin(), mine.end(), [&](const OfferedEpoch& each) {
    return each.epoch.epoch == epoch && !each.places.empty();
  });
  std::array<std::uint64_t, 4> words{};
  if (own != mine.end()) {
    const auto& each = own->epoch;
    words = {each.digest, ~each.digest, each.incarnation, ~each.incarnation};
  }
  all_reduce(comm, std::span<std::uint64_t>(words), Maximum{});
  return {words[0] == ~words[1] && words[2] == ~words[3], {words[2], epoch, words[0]}};
}

}  // namespace

bool EpochWindow::contains(std::uint64_t epoch) const {
  return epoch <= newest && newest - epoch < window_epochs && (bits >> (newest - epoch) & 1U) != 0;
}

EpochWindow window_of(std::span<const std::uint64_t> epochs) {
  EpochWindow window;
  for (const auto epoch : epochs) window.newest = std::max(window.newest, epoch);
  for (const auto epoch : epochs) {
    const auto distance = window.newest - epoch;
    if (distance < window_epochs) window.bits |= std::uint64_t{1} << distance;
  }
  return window;
}

EpochWindow either(const EpochWindow& a, const EpochWindow& b) {
  const auto newest = std::max(a.newest, b.newest);
  return {newest, bits_in(a, newest) | bits_in(b, newest)};
}

std::uint64_t oldest_seen(const SelectionWindows& windows) {
  const auto newest = newest_of(windows);
  return newest < window_epochs ? 0 : newest - (window_epochs - 1);
}

std::optional<std::uint64_t> newest_restartable(const SelectionWindows& windows,
                                                const IsWhole& is_whole,
                                                std::span<const std::uint64_t> excluded) {
  const auto newest = newest_of(windows);
  for (auto epoch = newest; epoch > 0 && epoch >= oldest_seen(windows); --epoch) {
    std::vector<bool> filled;
    for (const auto& window : windows) filled.push_back(window.contains(epoch));
    if (std::find(filled.begin(), filled.end(), true) == filled.end()) continue;
    if (std::find(excluded.begin(), excluded.end(), epoch) != excluded.end()) continue;
    if (is_whole(epoch, filled)) return epoch;
  }
  return std::nullopt;
}

std::optional<ReadableEpoch> select_restart(const Communicator& comm,
                                            std::span<const OfferedEpoch> mine, int places,
                                            const IsWhole& is_whole) {
  for (std::uint64_t end = UINT64_MAX; end > 0;) {
    const auto windows = reduced(comm, own_windows(mine, places, end));
    std::vector<std::uint64_t> ambiguous;
    while (const auto epoch = newest_restartable(windows, is_whole, ambiguous)) {
      const auto answer = compare(comm, mine, *epoch);
      if (answer.is_same) return answer.epoch;
      ambiguous.push_back(*epoch);
    }
    end = oldest_seen(windows);
  }
  return std::nullopt;
}

std::optional<ReadableEpoch> restart_from(
    const Communicator& comm, std::vector<OfferedEpoch> mine, int places, const IsWhole& is_whole,
    const std::function<bool(const ReadableEpoch& choice, std::vector<int>& places)>& read) {
  while (const auto choice = select_restart(comm, mine, places, is_whole)) {
    std::vector<int> none;
    const auto own = std::find_if(mine.begin(), mine.end(), [&](const OfferedEpoch& each) {
      return each.epoch.epoch == choice->epoch;
    });
    auto& own_places = own == mine.end() ? none : own->places;
    const auto before = own_places.size();
    if (agree(comm, read(*choice, own_places))) return choice;
    const int is_less = all_reduce(comm, own_places.size() < before ? 1 : 0, Maximum{});
    // What failed although all places are as they were would fail again.
    if (is_less == 0) own_places.clear();
  }
  return std::nullopt;
}

}  // namespace cairn::consensus
