#include "cairn/consensus/slot_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/private_files.hpp"
#include "slot_format.hpp"

namespace cairn::consensus {

namespace fs = std::filesystem;

namespace {

Failpoint before_write{"slots.write"};
Failpoint before_sync{"slots.sync"};
Failpoint after_sync{"slots.synced"};

using State = RecoveredSlots::State;

RecoveredSlots unreadable(std::string why) {
  return {.state = State::unreadable, .why = std::move(why)};
}

/// A slot file as far as its sectors say so themselves.
struct Shape {
  std::size_t slots = 0;
  std::size_t sectors = 0;  // of a slot
};

/// The shape that the sealed sectors of this identity agree on.
std::optional<Shape> shape_of(std::span<const std::byte> file, const SlotIdentity& identity) {
  std::optional<Shape> shape;
  for (std::size_t at = 0; at + sector_bytes <= file.size(); at += sector_bytes) {
    const auto head = sealed_head(file.subspan(at, sector_bytes));
    if (!head || head->identity != identity) continue;
    if (shape && (shape->slots != head->slots || shape->sectors != head->sectors))
      return std::nullopt;
    shape = Shape{head->slots, head->sectors};
  }
  if (!shape || shape->slots < 2 || shape->slots > 4 || shape->sectors == 0 ||
      file.size() != shape->slots * shape->sectors * sector_bytes)
    return std::nullopt;
  return shape;
}

/// Whether the slot shows that the write of record `next` into it was begun and not finished: every
/// sector is sealed, and is either of that record or of the one that stood there before. What has
/// been acknowledged was whole, so this never was.
bool is_unfinished(std::span<const std::byte> slot, const Shape& shape, std::uint64_t next,
                   const SlotIdentity& identity) {
  const auto index = next % shape.slots;
  const auto before = next < shape.slots ? 0 : next - shape.slots;
  for (std::size_t i = 0; i < shape.sectors; ++i) {
    const auto head = sealed_head(slot.subspan(i * sector_bytes, sector_bytes));
    if (!head || head->identity != identity || head->slot != index || head->sector != i)
      return false;
    if (head->sequence != next && head->sequence != before) return false;
  }
  return true;
}

}  // namespace

RecoveredSlots recover_slots(std::span<const std::byte> file, const SlotIdentity& identity,
                             std::uint64_t minimum_sequence) {
  const auto shape = shape_of(file, identity);
  if (!shape) return unreadable("it is not a whole slot file of this owner");
  const auto slot_size = shape->sectors * sector_bytes;
  std::vector<std::optional<SlotRecord>> records;
  std::uint64_t newest = 0;
  for (std::size_t i = 0; i < shape->slots; ++i) {
    auto record = slot_record(file.subspan(i * slot_size, slot_size));
    if (record && (record->head.identity != identity || record->head.slot != i ||
                   (record->head.sequence != 0 && record->head.sequence % shape->slots != i)))
      return unreadable("slot " + std::to_string(i) + " holds what belongs elsewhere");
    if (record) newest = std::max(newest, record->head.sequence);
    records.push_back(std::move(record));
  }
  // The one slot that a write may have been under way to.
  const auto next = newest + 1;
  for (std::size_t i = 0; i < shape->slots; ++i) {
    const bool is_next = next % shape->slots == i;
    if (!records[i]) {
      if (is_next && is_unfinished(file.subspan(i * slot_size, slot_size), *shape, next, identity))
        continue;
      return unreadable("slot " + std::to_string(i) + " is damaged");
    }
    // Slot i must hold the newest record that belongs there: none of the writes was lost.
    const auto behind = (newest + shape->slots - i) % shape->slots;  // newest % slots - i
    const auto expected = behind > newest ? 0 : newest - behind;
    if (records[i]->head.sequence != expected)
      return unreadable("slot " + std::to_string(i) + " is stale: it holds record " +
                        std::to_string(records[i]->head.sequence) + " and not " +
                        std::to_string(expected));
  }
  for (std::uint64_t s = newest; s > 1 && newest - s + 1 < shape->slots; --s) {
    const auto& parent = records[(s - 1) % shape->slots];
    if (parent && parent->head.record != records[s % shape->slots]->head.parent)
      return unreadable("record " + std::to_string(s) + " does not follow the one before it");
  }
  if (newest < minimum_sequence)
    return unreadable("it ends with record " + std::to_string(newest) + ", and record " +
                      std::to_string(minimum_sequence) + " had been written");
  if (newest == 0) return {.state = State::blank};
  return {.state = State::valid,
          .sequence = newest,
          .payload = std::move(records[newest % shape->slots]->payload)};
}

SlotFile::SlotFile(File file, const SlotIdentity& identity, int slots, std::size_t sectors)
    : file_(std::move(file)), identity_(identity), slots_(slots), sectors_(sectors) {}

SlotFile SlotFile::create(const fs::path& path, const SlotIdentity& identity,
                          const SlotFileOptions& options) {
  expects(options.slots >= 2 && options.slots <= 4, "two to four slots");
  expects(options.payload_bytes >= 1 && options.payload_bytes <= std::size_t{1} << 24,
          "a payload of 1 byte to 16 MiB");
  const auto sectors = (options.payload_bytes + sector_payload_bytes - 1) / sector_payload_bytes;
  auto temporary = path;
  temporary += ".tmp";
  ::unlink(temporary.c_str());
  {
    File file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, private_file);
    for (int i = 0; i < options.slots; ++i) {
      const SectorHead head{.identity = identity,
                            .slot = static_cast<std::uint16_t>(i),
                            .slots = static_cast<std::uint16_t>(options.slots),
                            .sectors = static_cast<std::uint16_t>(sectors)};
      file.write(slot_bytes(head, {}));
    }
    file.sync();
    file.close();
  }
  // A link, unlike a rename, does not replace what stands there.
  const bool is_linked = ::link(temporary.c_str(), path.c_str()) == 0;
  const int error = errno;
  ::unlink(temporary.c_str());
  if (!is_linked) throw_errno(error, "make " + path.string());
  sync_directory(path.parent_path());
  SlotFile made(open_regular_file(path, O_RDWR), identity, options.slots, sectors);
  made.last_ = digest_of_record({}, 0, {});
  return made;
}

std::pair<std::optional<SlotFile>, RecoveredSlots> SlotFile::open(const fs::path& path,
                                                                  const SlotIdentity& identity,
                                                                  std::uint64_t minimum_sequence) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) throw_errno(errno, "stat " + path.string());
    return {std::nullopt, unreadable(path.string() + " does not exist")};
  }
  if (!S_ISREG(status.st_mode)) return {std::nullopt, unreadable(path.string() + " is not a file")};
  auto file = open_regular_file(path, O_RDWR);
  std::vector<std::byte> bytes(file.size_bytes());
  file.read_at(bytes, 0);
  auto recovered = recover_slots(bytes, identity, minimum_sequence);
  if (recovered.state == State::unreadable) {
    recovered.why = path.string() + ": " + recovered.why;
    return {std::nullopt, std::move(recovered)};
  }
  const auto shape = *shape_of(bytes, identity);
  SlotFile opened(std::move(file), identity, static_cast<int>(shape.slots), shape.sectors);
  opened.sequence_ = recovered.sequence;
  const auto size = shape.sectors * sector_bytes;
  const auto at = recovered.sequence % shape.slots * size;
  const auto newest = std::span(bytes).subspan(at, size);
  opened.last_ =
      recovered.sequence == 0 ? digest_of_record({}, 0, {}) : slot_record(newest)->head.record;
  // What was read may stand in memory alone: its writer was killed before the sync, or the sync
  // failed, after which Linux takes the pages for clean. The same bytes once more do no harm.
  opened.file_.write_at(newest, at);
  opened.file_.sync();
  sync_directory(path.parent_path());
  return {std::move(opened), std::move(recovered)};
}

void SlotFile::write(std::span<const std::byte> payload) {
  expects(!is_broken_, "a slot file that is opened again after a failed write");
  expects(payload.size() <= sectors_ * sector_payload_bytes, "a record that fits into a slot");
  const auto next = sequence_ + 1;
  const auto slot = next % static_cast<std::uint64_t>(slots_);
  SectorHead head{.sequence = next,
                  .parent = last_,
                  .identity = identity_,
                  .slot = static_cast<std::uint16_t>(slot),
                  .slots = static_cast<std::uint16_t>(slots_),
                  .sectors = static_cast<std::uint16_t>(sectors_)};
  is_broken_ = true;
  before_write.check("write " + file_.path().string());
  file_.write_at(slot_bytes(head, payload), slot * sectors_ * sector_bytes);
  before_sync.check("fdatasync " + file_.path().string());
  file_.sync();
  after_sync.check("fdatasync " + file_.path().string());
  is_broken_ = false;
  sequence_ = next;
  last_ = digest_of_record(head.parent, next, payload);
}

}  // namespace cairn::consensus
