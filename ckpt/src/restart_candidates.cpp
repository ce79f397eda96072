#include "restart_candidates.hpp"

#include <algorithm>
#include <charconv>

namespace cairn::ckpt {

namespace {

bool is_contested(const std::vector<RestartCandidate>& candidates, std::uint64_t epoch) {
  return std::count_if(candidates.begin(), candidates.end(),
                       [&](const auto& each) { return each.id.epoch == epoch; }) > 1;
}

std::vector<int> places_here(const RestartCandidate& candidate, bool is_root) {
  if (!candidate.problem.empty()) return {};
  if (!candidate.local) return is_root ? std::vector<int>{0} : std::vector<int>{};
  std::vector<int> places;
  for (const auto& file : candidate.files)
    if (file.state == FileState::good) places.push_back(file.number);
  return places;
}

}  // namespace

std::uint64_t short_digest(std::string_view digits) {
  std::uint64_t digest = 0;
  std::from_chars(digits.data(), digits.data() + std::min<std::size_t>(digits.size(), 16), digest,
                  16);
  return digest;
}

int places_of(const std::vector<RestartCandidate>& candidates) {
  int places = 1;
  for (const auto& each : candidates)
    if (each.local_record) places = std::max(places, file_count(*each.local_record));
  return places;
}

std::vector<consensus::OfferedEpoch> offers_of(const std::vector<RestartCandidate>& candidates,
                                               bool is_root) {
  std::vector<consensus::OfferedEpoch> offers;
  for (const auto& each : candidates) {
    if (each.local && !each.is_own && is_contested(candidates, each.id.epoch)) continue;
    auto places = places_here(each, is_root);
    const auto is_offered = [&](const auto& other) { return other.epoch.epoch == each.id.epoch; };
    if (!places.empty() && std::none_of(offers.begin(), offers.end(), is_offered))
      offers.push_back({each.id, std::move(places)});
  }
  return offers;
}

bool is_whole(const std::vector<RestartCandidate>& candidates, std::uint64_t epoch,
              const std::vector<bool>& filled) {
  return std::any_of(candidates.begin(), candidates.end(), [&](const RestartCandidate& each) {
    if (each.id.epoch != epoch) return false;
    if (!each.local) return bool(filled.front());
    return each.local_record && can_be_rebuilt(*each.local_record, filled);
  });
}

}  // namespace cairn::ckpt
