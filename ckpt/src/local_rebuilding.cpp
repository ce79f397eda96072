// The restarts of the local tier: what is lost for good, and how the rest comes back.

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "cairn/trace/trace.hpp"
#include "local_epochs.hpp"
#include "store.hpp"

namespace cairn::ckpt {

namespace {

Failpoint before_rebuild{"ckpt.local.rebuild"};

std::size_t index(int i) { return static_cast<std::size_t>(i); }

/// A set of the record, with the code over it and what is left of it.
class SetState {
 public:
  SetState(const LocalRecord& record, const Holdings& holdings, std::size_t set)
      : set_(record.sets[set]),
        parities_(holdings.parities[set]),
        parts_(holdings.parts),
        code_(static_cast<int>(set_.members.size()), set_.losses) {
    std::uint64_t longest = 0;
    for (const auto& member : set_.members)
      if (member.has_part) longest = std::max(longest, record.parts[index(member.rank)].file.bytes);
    chunk_bytes_ = code_.chunk_bytes(longest);
  }

  [[nodiscard]] const ErasureCode& code() const noexcept { return code_; }
  [[nodiscard]] std::uint64_t chunk_bytes() const noexcept { return chunk_bytes_; }

  [[nodiscard]] bool is_lost(int member) const {
    const auto& m = set_.members[index(member)];
    return m.has_part && parts_[index(m.rank)].owner < 0;
  }

  /// The rank that can read what stands at a position of a stripe; -1 for none. Where there was no
  /// part there are zeros, which everybody has.
  [[nodiscard]] int owner_at(int position, int stripe) const {
    const int member = code_.member_at(position, stripe);
    if (position >= code_.width()) return parities_[index(member)].owner;
    const auto& m = set_.members[index(member)];
    return m.has_part ? parts_[index(m.rank)].owner : 0;
  }

  /// Enough positions to rebuild a stripe from, data before parity; fewer when too much is lost.
  [[nodiscard]] std::vector<int> positions(int stripe) const {
    std::vector<int> found;
    for (int position = 0; position < code_.members(); ++position)
      if (owner_at(position, stripe) >= 0 && found.size() < index(code_.width()))
        found.push_back(position);
    return found;
  }

  [[nodiscard]] bool can_rebuild(int member) const {
    for (int stripe = 0; stripe < code_.members(); ++stripe) {
      if (!code_.holds_parity(member, stripe) && positions(stripe).size() < index(code_.width()))
        return false;
    }
    return true;
  }

 private:
  const LocalSet& set_;
  const std::vector<Holding>& parities_;
  const std::vector<Holding>& parts_;
  ErasureCode code_;
  std::uint64_t chunk_bytes_ = 0;
};

std::string_view word_for(FileState state) {
  return state == FileState::damaged ? "damaged" : "missing";
}

/// "the part of rank 2 on node7 (missing)"
void name_lost(std::string& text, const LocalRecord& record, const char* what, int rank,
               const Holding& holding) {
  if (holding.owner >= 0) return;
  text += (text.empty() ? "" : ", ") + std::string(what) + " of rank " + std::to_string(rank) +
          " on " + record.hosts[index(record.parts[index(rank)].host)] + " (" +
          std::string(word_for(holding.state)) + ")";
}

/// Everything of the set that is lost.
void name_lost(std::string& text, const LocalRecord& record, const Holdings& holdings,
               std::size_t set) {
  const auto& members = record.sets[set].members;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const int rank = members[m].rank;
    if (members[m].has_part) name_lost(text, record, "the part", rank, holdings.parts[index(rank)]);
    name_lost(text, record, "parity", rank, holdings.parities[set][m]);
  }
}

}  // namespace

bool can_be_rebuilt(const LocalRecord& record, const std::vector<bool>& filled) {
  Holdings holdings;
  std::size_t next = 0;
  const auto take = [&](std::size_t count) {
    std::vector<Holding> taken(count);
    for (auto& each : taken)
      if (filled[next++]) each = {FileState::good, 0};
    return taken;
  };
  holdings.parts = take(record.parts.size());
  for (const auto& set : record.sets) holdings.parities.push_back(take(set.members.size()));
  return what_is_missing(record, holdings).empty();
}

std::string what_is_missing(const LocalRecord& record, const Holdings& holdings) {
  std::string text;
  std::vector<bool> is_covered(record.parts.size(), false);
  std::string coverage;
  for (std::size_t s = 0; s < record.sets.size(); ++s) {
    const SetState state(record, holdings, s);
    const auto& members = record.sets[s].members;
    bool is_short = false;
    for (std::size_t m = 0; m < members.size(); ++m) {
      if (members[m].has_part) is_covered[index(members[m].rank)] = true;
      const auto member = static_cast<int>(m);
      is_short = is_short || (state.is_lost(member) && !state.can_rebuild(member));
    }
    if (!is_short) continue;
    name_lost(text, record, holdings, s);
    coverage = "the redundancy covers the loss of " + std::to_string(record.sets[s].losses) +
               " of these " + std::to_string(members.size()) + " hosts";
  }
  for (std::size_t r = 0; r < record.parts.size(); ++r) {
    if (is_covered[r]) continue;
    name_lost(text, record, "the part", static_cast<int>(r), holdings.parts[r]);
    if (coverage.empty()) coverage = "without redundancy no loss is covered";
  }
  if (text.empty()) return {};
  return "local epoch " + std::to_string(record.epoch.epoch) + " (step " +
         std::to_string(record.epoch.step) + ") cannot be rebuilt: lost are " + text + "; " +
         coverage;
}

namespace {

/// One lost part on its way back to `target`, slice by slice, in the same order on all ranks: each
/// owner of a source sends, the target receives and solves. What fails is told at the end.
class Rebuild {
 public:
  Rebuild(const Communicator& comm, const LocalFiles& files, const LocalRecord& record,
          const SetState& state, int set, int member, int target)
      : comm_(comm),
        files_(files),
        record_(record),
        state_(state),
        set_(set),
        member_(member),
        target_(target),
        rank_(record.sets[index(set)].members[index(member)].rank),
        path_(files.part_path(record.id(), rank_)) {}

  void run() {
    const auto temporary = LocalFiles::temporary(path_);
    if (is_target()) {
      attempt([&] {
        before_rebuild.check("write " + temporary.string());
        files_.make_directory();
        std::filesystem::remove(temporary);  // of a restart that was killed
        out_.emplace(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, private_file);
        out_->resize(digest().bytes);
      });
    }
    for (int stripe = 0; stripe < state_.code().members(); ++stripe)
      if (!state_.code().holds_parity(member_, stripe)) rebuild_chunk(stripe);
    if (is_target()) {
      attempt([&] {
        out_->sync();
        out_->close();
        if (check_file(temporary, digest()) != FileState::good) {
          throw Error(Errc::bad_data, "the part of rank " + std::to_string(rank_) +
                                          " came back wrong from its redundancy");
        }
        rename_file(temporary, path_);
        sync_directory(files_.directory());
      });
    }
    agree(comm_, problem_);
  }

 private:
  static constexpr std::uint64_t slice_bytes = std::uint64_t{1} << 20;

  [[nodiscard]] bool is_target() const { return comm_.rank() == target_; }
  [[nodiscard]] const FileDigest& digest() const { return record_.parts[index(rank_)].file; }

  template <typename Work>
  void attempt(Work&& work) {
    if (!problem_) problem_ = detail::error_of(std::forward<Work>(work));
  }

  void rebuild_chunk(int stripe) {
    const auto positions = state_.positions(stripe);
    const auto chunk = state_.chunk_bytes();
    const auto begin = static_cast<std::uint64_t>(state_.code().chunk_of(member_, stripe)) * chunk;
    const auto end = std::min(begin + chunk, digest().bytes);
    for (auto at = begin; at < end; at += slice_bytes) {
      const auto bytes = std::min(slice_bytes, end - at);
      std::vector<std::vector<std::byte>> slices;
      for (const int position : positions)
        slices.push_back(fetch(stripe, position, at - begin, bytes));
      if (!is_target()) continue;
      attempt([&] {
        std::vector<ErasureCode::Source> sources;
        for (const auto& slice : slices) sources.push_back(slice.data());
        std::vector<std::byte> result(bytes);
        state_.code().rebuild(state_.code().position(member_, stripe), positions, sources, result);
        out_->write_at(result, at);
      });
    }
  }

  /// The bytes of one source at the target; nothing elsewhere.
  std::vector<std::byte> fetch(int stripe, int position, std::uint64_t offset,
                               std::uint64_t bytes) {
    const int owner = state_.owner_at(position, stripe);
    std::vector<std::byte> slice;
    if (comm_.rank() == owner || is_target()) slice.resize(bytes);
    if (comm_.rank() == owner) attempt([&] { read(stripe, position, offset, slice); });
    if (owner == target_) return slice;
    if (comm_.rank() == owner) send(comm_, slice, target_);
    if (is_target()) receive(comm_, slice, owner);
    return slice;
  }

  /// What stands in a file of this host; zeros behind its end, and where there was no part.
  void read(int stripe, int position, std::uint64_t offset, std::span<std::byte> bytes) const {
    const auto& code = state_.code();
    const int member = code.member_at(position, stripe);
    const auto& recorded = record_.sets[index(set_)].members[index(member)];
    const bool is_parity = position >= code.width();
    if (!is_parity && !recorded.has_part) return;
    const int chunk = is_parity ? position - code.width() : code.chunk_of(member, stripe);
    const auto first = static_cast<std::uint64_t>(chunk) * state_.chunk_bytes() + offset;
    const File file(is_parity ? files_.parity_path(record_.id(), set_, member)
                              : files_.part_path(record_.id(), recorded.rank),
                    O_RDONLY);
    const auto size = file.size_bytes();
    if (first < size)
      file.read_at(bytes.first(std::min<std::uint64_t>(bytes.size(), size - first)), first);
  }

  const Communicator& comm_;
  const LocalFiles& files_;
  const LocalRecord& record_;
  const SetState& state_;
  int set_;
  int member_;
  int target_;
  int rank_;  // that wrote the lost part
  std::filesystem::path path_;
  std::optional<File> out_;
  std::optional<Error> problem_;
};

}  // namespace

void LocalEpochs::rebuild(const LocalRecord& record, Holdings& holdings) const {
  const trace::Span span("ckpt.local.rebuild");
  int target = 0;
  auto rebuilt = holdings;  // lost parts are rebuilt from what was there at first
  for (std::size_t s = 0; s < record.sets.size(); ++s) {
    const SetState state(record, holdings, s);
    const auto& members = record.sets[s].members;
    for (std::size_t m = 0; m < members.size(); ++m) {
      if (!state.is_lost(static_cast<int>(m))) continue;
      Rebuild(comm_, files_, record, state, static_cast<int>(s), static_cast<int>(m), target).run();
      rebuilt.parts[index(members[m].rank)] = {FileState::good, target};
      target = (target + 1) % comm_.size();
    }
  }
  holdings = std::move(rebuilt);
}

}  // namespace cairn::ckpt
