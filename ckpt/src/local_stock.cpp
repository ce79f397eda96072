// What the hosts have of local epochs: which records, and which of the files that these name.

#include <algorithm>
#include <sstream>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/private_files.hpp"
#include "cairn/trace/trace.hpp"
#include "local_epochs.hpp"
#include "store.hpp"

namespace cairn::ckpt {

namespace {

std::size_t index(int i) { return static_cast<std::size_t>(i); }

std::vector<std::string_view> lines_of(std::span<const char> text) {
  std::vector<std::string_view> lines;
  std::string_view rest(text.data(), text.size());
  for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    lines.push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return lines;
}

/// Every file of the epoch: visit(path, digest), in the order of their numbers.
template <typename Visit>
void for_each_file(const LocalFiles& files, const LocalRecord& record, Visit&& visit) {
  const auto epoch = record.id();
  for (std::size_t r = 0; r < record.parts.size(); ++r)
    visit(files.part_path(epoch, static_cast<int>(r)), record.parts[r].file);
  for (std::size_t s = 0; s < record.sets.size(); ++s) {
    const auto& members = record.sets[s].members;
    for (std::size_t m = 0; m < members.size(); ++m)
      visit(files.parity_path(epoch, static_cast<int>(s), static_cast<int>(m)), members[m].parity);
  }
}

}  // namespace

int file_count(const LocalRecord& record) {
  auto count = record.parts.size();
  for (const auto& set : record.sets) count += set.members.size();
  return static_cast<int>(count);
}

/// What each host has, as lines "epoch incarnation launch digest", or "! what is wrong".
std::vector<LocalCandidate> LocalEpochs::find(std::vector<std::string>& damaged) {
  std::ostringstream mine;
  own_records_.clear();
  together(comm_, [&] {
    if (!is_leader() || files_.directory().empty()) return;
    for (const auto& path : files_.records()) {
      try {
        const auto text = read_regular_file(path);
        const auto record = parse_local_record(text);
        const auto digest = digest_of(text);
        own_records_[digest] = path;
        mine << record.epoch.epoch << ' ' << record.epoch.incarnation << ' ' << record.epoch.launch
             << ' ' << digest << '\n';
      } catch (const Error& error) {
        if (error.code() == Errc::usage)
          throw Error(Errc::usage, path.string() + ": " + error.what());
        mine << "! " << path.string() << ": " << error.what() << '\n';
      }
    }
  });
  Parts<char> all;
  all_gather_v(comm_, mine.str(), all);
  std::vector<LocalCandidate> found;
  for (std::size_t r = 0; r < all.size(); ++r) {
    for (const auto line : lines_of(all.part(r))) {
      if (line.starts_with("! ")) {
        damaged.emplace_back(line.substr(2));
        continue;
      }
      LocalCandidate candidate;
      std::istringstream words{std::string(line)};
      words >> candidate.epoch >> candidate.incarnation >> candidate.launch >> candidate.digest;
      const auto is_same = [&](const auto& other) { return other.digest == candidate.digest; };
      auto known = std::find_if(found.begin(), found.end(), is_same);
      if (known == found.end()) known = found.insert(found.end(), std::move(candidate));
      known->ranks.push_back(static_cast<int>(r));
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.epoch, a.launch) > std::pair(b.epoch, b.launch);
  });
  return found;
}

bool LocalEpochs::has_record(const LocalCandidate& candidate) const {
  const auto& of_host = domains_.ranks_of[index(domains_.host_of[rank()])];
  return std::find(candidate.ranks.begin(), candidate.ranks.end(), of_host.front()) !=
         candidate.ranks.end();
}

LocalRecord LocalEpochs::fetch(const LocalCandidate& candidate) const {
  const int source = candidate.ranks.front();
  auto text = together(comm_, [&] {
    if (comm_.rank() != source) return std::string();
    return read_regular_file(own_records_.at(candidate.digest));
  });
  bcast(comm_, into(text), source);
  return together(comm_, [&] { return parse_local_record(text); });
}

std::vector<OwnFile> LocalEpochs::look_for(const LocalRecord& record) const {
  std::vector<OwnFile> found;
  const auto share = domains_.ranks_of[index(domains_.host_of[rank()])].size();
  int number = 0;
  for_each_file(files_, record, [&](const std::filesystem::path& path, const FileDigest& digest) {
    if (index(number) % share == index(domains_.index_on_host[rank()])) {
      const auto state = look_at_file(path, digest);
      if (state != FileState::missing) found.push_back({number, state});
    }
    ++number;
  });
  return found;
}

void LocalEpochs::verify(const LocalRecord& record, std::vector<OwnFile>& mine) const {
  const trace::Span span("ckpt.local.verify");
  int number = 0;
  auto next = mine.begin();
  for_each_file(files_, record, [&](const std::filesystem::path& path, const FileDigest& digest) {
    if (next != mine.end() && next->number == number) {
      if (next->state == FileState::good) next->state = check_file(path, digest);
      ++next;
    }
    ++number;
  });
}

Holdings LocalEpochs::gather_holdings(const LocalRecord& record,
                                      const std::vector<OwnFile>& mine) const {
  std::vector<std::uint32_t> entries;  // number × 4 + state
  for (const auto& file : mine)
    entries.push_back(static_cast<std::uint32_t>(file.number) * 4 +
                      static_cast<std::uint32_t>(file.state));
  Parts<std::uint32_t> all;
  all_gather_v(comm_, entries, all);

  std::vector<Holding> merged(index(file_count(record)));
  for (std::size_t r = 0; r < all.size(); ++r) {
    for (const auto entry : all.part(r)) {
      auto& holding = merged[entry / 4];
      const auto state = static_cast<FileState>(entry % 4);
      if (holding.owner >= 0 || state == FileState::missing) continue;
      holding.state = state;
      if (state == FileState::good) holding.owner = static_cast<int>(r);
    }
  }
  Holdings holdings;
  auto next = merged.begin();
  const auto take = [&](std::size_t count) {
    const auto first = std::exchange(next, next + static_cast<std::ptrdiff_t>(count));
    return std::vector<Holding>(first, next);
  };
  holdings.parts = take(record.parts.size());
  for (const auto& set : record.sets) holdings.parities.push_back(take(set.members.size()));
  return holdings;
}

}  // namespace cairn::ckpt
