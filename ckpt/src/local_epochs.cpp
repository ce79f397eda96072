// What the local tier is, and its saves. Its restarts stand in local_rebuilding.cpp.

#include "local_epochs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "cairn/trace/trace.hpp"
#include "data_file.hpp"
#include "store.hpp"
#include "transfer.hpp"

namespace cairn::ckpt {

namespace {

// In the order in which a local save passes them; those of a retirement stand in local_files.cpp.
Failpoint at_begin{"ckpt.local.begin"};
Failpoint before_write{"ckpt.local.write"};
Failpoint before_sync{"ckpt.local.sync"};
Failpoint before_parity{"ckpt.local.parity"};
Failpoint after_parity{"ckpt.local.parity_synced"};
Failpoint before_rename{"ckpt.local.rename"};
Failpoint before_record{"ckpt.local.record"};
Failpoint before_publish{"ckpt.local.publish"};
Failpoint after_commit{"ckpt.local.committed"};

/// Of a chunk, what the members exchange at once.
constexpr std::uint64_t slice_bytes = std::uint64_t{1} << 18;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

/// `bytes` of the file from `offset` on, with zeros behind its end.
void read_padded(const File& file, std::span<std::byte> bytes, std::uint64_t offset,
                 std::uint64_t size_bytes) {
  const auto there =
      offset >= size_bytes ? 0 : std::min<std::uint64_t>(bytes.size(), size_bytes - offset);
  if (there > 0) file.read_at(bytes.first(there), offset);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(there), bytes.end(), std::byte{0});
}

void append(std::vector<std::uint64_t>& flat, const FileDigest& file) {
  flat.push_back(file.bytes);
  flat.insert(flat.end(), file.piece_crcs.begin(), file.piece_crcs.end());
}

/// Takes off `flat` what append() put there.
FileDigest take_digest(std::span<const std::uint64_t>& flat) {
  FileDigest file{flat.front(), {}};
  const auto pieces = piece_count(file.bytes, 1);
  for (const auto crc : flat.subspan(1, pieces))
    file.piece_crcs.push_back(static_cast<std::uint32_t>(crc));
  flat = flat.subspan(1 + pieces);
  return file;
}

}  // namespace

LocalEpochs::LocalEpochs(const Communicator& comm, LocalTier options, FailureDomains domains,
                         const std::string& job)
    : comm_(comm),
      options_(std::move(options)),
      domains_(std::move(domains)),
      sets_(redundancy_sets(domains_, options_.redundancy)) {
  split_into_sets();
  if (job.empty()) return;
  files_ = files_of(job);
  newest_ = all_reduce(comm_, together(comm_, [&] { return files_.newest(); }), Maximum{});
}

LocalFiles LocalEpochs::files_of(const std::string& job) const {
  const auto& host = domains_.hosts[index(domains_.host_of[rank()])];
  return LocalFiles(path_on(host, options_.directory) / job);
}

/// Sets without a common rank are split off in one go.
void LocalEpochs::split_into_sets() {
  std::vector<int> round_of(sets_.size(), -1);
  int left = static_cast<int>(sets_.size());
  for (int round = 0; left > 0; ++round) {
    std::set<int> taken;
    int mine = -1;
    for (std::size_t s = 0; s < sets_.size(); ++s) {
      const auto& members = sets_[s].members;
      const auto is_taken = [&](const SetMember& member) { return taken.contains(member.rank); };
      if (round_of[s] >= 0 || std::any_of(members.begin(), members.end(), is_taken)) continue;
      round_of[s] = round;
      --left;
      for (const auto& member : members) {
        taken.insert(member.rank);
        if (member.rank == comm_.rank()) mine = static_cast<int>(s);
      }
    }
    int key = 0;
    if (mine >= 0) {
      const auto& members = sets_[index(mine)].members;
      key = static_cast<int>(std::find_if(members.begin(), members.end(),
                                          [&](const auto& m) { return m.rank == comm_.rank(); }) -
                             members.begin());
    }
    auto part = comm_.split(mine + 1, key, "cairn.ckpt.set");
    if (mine >= 0) own_sets_.push_back({mine, key, std::move(part)});
  }
  std::sort(own_sets_.begin(), own_sets_.end(),
            [](const auto& a, const auto& b) { return a.set < b.set; });
}

std::string LocalEpochs::shortfall() const {
  const int wanted = options_.redundancy.losses;
  int covered = wanted;
  for (const auto& set : sets_) covered = std::min(covered, set.losses);
  if (sets_.empty()) covered = 0;
  if (covered == wanted) return {};
  return "local checkpoints on " + std::to_string(domains_.hosts.size()) +
         " hosts bear the loss of " + std::to_string(covered) + " of them, not of the " +
         std::to_string(wanted) + " asked for";
}

void LocalEpochs::begin(const std::string& job, const LocalEpochId& epoch) {
  files_ = files_of(job);
  epoch_ = epoch;
  newest_ = std::max(newest_, epoch.epoch);
  together(comm_, [&] {
    at_begin.check("save a local epoch");
    if (!is_leader()) return;
    files_.make_directory();
    files_.remove_temporary(epoch.incarnation);
  });
}

std::vector<std::uint32_t> LocalEpochs::write_part(const std::vector<RegisteredField>& fields,
                                                   const std::vector<Attribute>& about) {
  const auto path = LocalFiles::temporary(files_.part_path(epoch_, comm_.rank()));
  std::vector<DatasetPlan> plans;
  for (const auto& field : fields)
    plans.push_back({field.name, field.type, field.block.count, field.attributes});
  offsets_bytes_ =
      create_data_file(path, plans, about, Blocks::reserved, Readers::owner).dataset_offsets_bytes;
  File file(path, O_WRONLY);
  std::vector<std::uint32_t> crcs;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    auto source = memory_of(fields[f]);
    Block whole = *source.block;  // this rank's block is the whole array of its file
    whole.global = whole.count;
    whole.offset.assign(whole.count.size(), 0);
    source.block = &whole;
    const auto written = write_block(file, offsets_bytes_[f], source,
                                     [&] { before_write.check("write " + path.string()); });
    crcs.insert(crcs.end(), written.begin(), written.end());
  }
  before_sync.check("fdatasync " + path.string());
  file.sync();
  file.close();
  return crcs;
}

/// All members go through the same slices, whatever fails on one of them; that is told at the end.
void LocalEpochs::write_parity_of(const OwnSet& own) {
  const auto& set = sets_[index(own.set)];
  const ErasureCode code(own.comm.size(), set.losses);
  const int n = code.members();
  const auto path = LocalFiles::temporary(files_.parity_path(epoch_, own.set, own.member));
  std::optional<Error> problem;
  const auto attempt = [&](auto&& work) {
    if (!problem) problem = detail::error_of(work);
  };
  std::optional<File> part;
  std::optional<File> parity;
  std::uint64_t length = 0;
  attempt([&] {
    before_parity.check("write " + path.string());
    parity.emplace(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, private_file);
    if (!set.members[index(own.member)].has_part) return;
    part.emplace(LocalFiles::temporary(files_.part_path(epoch_, comm_.rank())), O_RDONLY);
    length = part->size_bytes();
  });
  const auto chunk = code.chunk_bytes(all_reduce(own.comm, length, Maximum{}));

  std::vector<std::byte> slices;
  std::vector<std::byte> row(std::min(slice_bytes, chunk));
  Parts<std::byte> received;
  for (std::uint64_t offset = 0; offset < chunk; offset += slice_bytes) {
    const auto bytes = std::min(slice_bytes, chunk - offset);
    // To every holder of parity, row by row, what this member has in the row's stripe.
    std::vector<std::size_t> counts(index(n), 0);
    slices.clear();
    for (int holder = 0; holder < n; ++holder) {
      for (int r = 0; r < code.losses(); ++r) {
        const int stripe = (holder - r + n) % n;
        if (code.holds_parity(own.member, stripe)) continue;
        const auto chunk_begin = static_cast<std::uint64_t>(code.chunk_of(own.member, stripe));
        slices.resize(slices.size() + bytes);
        counts[index(holder)] += bytes;
        attempt([&] {
          if (part)
            read_padded(*part, std::span(slices).last(bytes), chunk_begin * chunk + offset, length);
        });
      }
    }
    all_to_all_v(own.comm, slices, std::span<const std::size_t>(counts), received);
    std::vector<std::size_t> taken(index(n), 0);
    for (int r = 0; r < code.losses(); ++r) {
      const int stripe = (own.member - r + n) % n;
      std::vector<ErasureCode::Source> sources;
      for (int position = 0; position < code.width(); ++position) {
        const auto from = index(code.member_at(position, stripe));
        sources.push_back(received.part(from).data() + taken[from]);
        taken[from] += bytes;
      }
      attempt([&] {
        code.encode(r, sources, std::span(row).first(bytes));
        parity->write_at(std::span(row).first(bytes),
                         static_cast<std::uint64_t>(r) * chunk + offset);
      });
    }
  }
  attempt([&] {
    parity->sync();
    parity->close();
    after_parity.check("fdatasync " + path.string());
  });
  if (problem) throw Error(*problem);
}

void LocalEpochs::write_parity() {
  const trace::Span span("ckpt.local.parity");
  std::optional<Error> problem;
  for (const auto& own : own_sets_) {
    auto of_set = detail::error_of([&] { write_parity_of(own); });
    if (of_set && !problem) problem = std::move(of_set);
  }
  agree(comm_, problem);
}

/// What the record must know of this rank's files, as numbers.
std::vector<std::uint64_t> LocalEpochs::own_digests() const {
  std::vector<std::uint64_t> flat;
  append(flat, digest_of_file(LocalFiles::temporary(files_.part_path(epoch_, comm_.rank()))));
  flat.insert(flat.end(), offsets_bytes_.begin(), offsets_bytes_.end());
  for (const auto& own : own_sets_) {
    append(flat,
           digest_of_file(LocalFiles::temporary(files_.parity_path(epoch_, own.set, own.member))));
  }
  return flat;
}

void LocalEpochs::gather_digests(LocalRecord& record) const {
  const auto mine = together(comm_, [&] { return own_digests(); });
  Parts<std::uint64_t> all;
  gather_v(comm_, mine, all);
  together(comm_, [&] {
    if (!comm_.is_root()) return;
    record.hosts = domains_.hosts;
    std::vector<std::span<const std::uint64_t>> rest;
    const auto fields = offsets_bytes_.size();
    for (std::size_t r = 0; r < all.size(); ++r) {
      std::span<const std::uint64_t> flat = all.part(r);
      auto file = take_digest(flat);
      record.parts.push_back({domains_.host_of[r],
                              std::move(file),
                              {flat.begin(), flat.begin() + static_cast<std::ptrdiff_t>(fields)}});
      rest.push_back(flat.subspan(fields));
    }
    for (const auto& set : sets_) {
      LocalSet recorded{set.losses, {}};
      for (const auto& member : set.members) {
        recorded.members.push_back(
            {member.rank, member.has_part, take_digest(rest[index(member.rank)])});
      }
      record.sets.push_back(std::move(recorded));
    }
  });
}

/// The names of the files first; then, when all of all hosts are durable, the records.
void LocalEpochs::publish(const std::string& text) {
  const auto rename_temporary = [](const std::filesystem::path& path) {
    before_rename.check("rename " + path.string());
    rename_file(LocalFiles::temporary(path), path);
  };
  together(comm_, [&] {
    rename_temporary(files_.part_path(epoch_, comm_.rank()));
    for (const auto& own : own_sets_)
      rename_temporary(files_.parity_path(epoch_, own.set, own.member));
  });
  const auto path = files_.record_path(epoch_, domains_.host_of[rank()]);
  together(comm_, [&] {
    if (!is_leader()) return;
    sync_directory(files_.directory());
    before_record.check("write " + path.string());
    File file(LocalFiles::temporary(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, private_file);
    file.write(std::as_bytes(std::span(text)));
    file.sync();
    file.close();
  });
  together(comm_, [&] {
    if (!is_leader()) return;
    before_publish.check("rename " + path.string());
    rename_file(LocalFiles::temporary(path), path);
    sync_directory(files_.directory());
  });
}

void LocalEpochs::commit(EpochRecord epoch) {
  LocalRecord record{std::move(epoch), {}, {}, {}};
  gather_digests(record);
  auto text =
      together(comm_, [&] { return comm_.is_root() ? local_record_text(record) : std::string(); });
  bcast(comm_, into(text));
  publish(text);
  committed_.insert(epoch_.epoch);
  together(comm_, [&] { after_commit.check("end the save of a local epoch"); });
}

void LocalEpochs::retire() {
  if (committed_.size() < index(options_.keep)) return;
  while (committed_.size() > index(options_.keep)) committed_.erase(committed_.begin());
  if (is_leader()) files_.retire(*committed_.begin());
}

void LocalEpochs::discard() const noexcept {
  if (committed_.contains(epoch_.epoch)) return;
  // Of a rank that came too late for the leader's look.
  ::unlink(LocalFiles::temporary(files_.part_path(epoch_, comm_.rank())).c_str());
  if (is_leader()) files_.discard(epoch_);
}

}  // namespace cairn::ckpt
