/// Durable records for a state machine that must never forget what it has promised: a file of a few
/// fixed slots, written in turn.
///
///     auto file = SlotFile::create("acceptor-2.slots", identity, {});  // once, before any promise
///     file.write(bytes);                                               // durable when it returns
///     …
///     auto [file, recovered] = SlotFile::open("acceptor-2.slots", identity);
///     switch (recovered.state) …                                       // valid | blank |
///     unreadable
///
///       slot 0         slot 1         slot 2
///     ┌──────────┐  ┌──────────┐  ┌──────────┐     record s stands in slot s mod n and names the
///     │ record 6 │◀─│ record 7 │◀─│ record 8 │     digest of record s - 1; the write of record 9
///     └──────────┘  └──────────┘  └──────────┘     touches slot 0 alone
///
/// What matters is what recovery says. *Blank* is a statement that stands in the file: it was made,
/// and nothing was ever written. A file that is missing, too short, of zeros, torn, changed, or of
/// somebody else is *unreadable*, never blank: whoever gave a promise with it must abstain, since
/// it does not know what it promised.
///
/// A crash while record s + 1 is written leaves record s or record s + 1, where a disk writes
/// sectors of 512 bytes as a whole: the torn slot shows by the sequence numbers in its sectors that
/// its write was never finished, hence never acknowledged. Where a sector itself is torn, it is
/// unreadable. After the superblock of TigerBeetle (vsr/superblock.zig).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cairn/core/file.hpp"

namespace cairn::consensus {

/// Whose file it is: a digest or random number of lineage, incarnation and node, so that the file
/// of another one is not taken for one's own.
using SlotIdentity = std::array<std::byte, 16>;

struct SlotFileOptions {
  int slots = 2;                    ///< 2 to 4
  std::size_t payload_bytes = 432;  ///< largest record; 432 of them fit into each sector
};

/// What a slot file says after a restart.
struct RecoveredSlots {
  enum class State : std::uint8_t {
    valid,       ///< `payload` is the last record whose write() has returned, or one behind it
    blank,       ///< nothing was ever written
    unreadable,  ///< `why`; nobody knows what was written: abstain
  };
  State state = State::unreadable;
  std::uint64_t sequence = 0;  ///< of the record, from 1
  std::vector<std::byte> payload = {};
  std::string why = {};
};

/// Judges the bytes of a slot file. Pure.
///
/// @param minimum_sequence  what is known from elsewhere to have been written; less is unreadable:
/// a
///                          disk that has lost its last write cannot know by itself
[[nodiscard]] RecoveredSlots recover_slots(std::span<const std::byte> file,
                                           const SlotIdentity& identity,
                                           std::uint64_t minimum_sequence = 0);

/// An open slot file. Local; throws Error.
class SlotFile {
 public:
  /// Makes the file, whole and durable, under its name; it must not exist. Done once for an
  /// identity, before anything is promised under it: whoever makes it again has forgotten.
  /// @throws Error{Errc::input_output, …}, also when there is a file of that name
  [[nodiscard]] static SlotFile create(const std::filesystem::path& path,
                                       const SlotIdentity& identity,
                                       const SlotFileOptions& options = {});

  /// Opens a file for writing on; the record it holds is durable when it returns, whatever the life
  /// before came to. One that is unreadable, or missing, is not opened, so that it stays for an
  /// examination.
  /// @throws Error{Errc::permission, input_output, …} when nothing can be said, or nothing promised
  [[nodiscard]] static std::pair<std::optional<SlotFile>, RecoveredSlots> open(
      const std::filesystem::path& path, const SlotIdentity& identity,
      std::uint64_t minimum_sequence = 0);

  /// Writes the next record; durable when it returns. After an Error the file must be opened again:
  /// nobody knows whether the record is there.
  /// @param payload  at most options.payload_bytes
  /// @par Cost  one pwrite of a slot and one fdatasync
  void write(std::span<const std::byte> payload);

  /// Of the last record; 0 for none.
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }

 private:
  using Digest = std::array<std::byte, 16>;
  SlotFile(File file, const SlotIdentity& identity, int slots, std::size_t sectors);

  File file_;
  SlotIdentity identity_;
  int slots_;
  std::size_t sectors_;  ///< of a slot
  std::uint64_t sequence_ = 0;
  Digest last_{};  ///< digest of the last record
  bool is_broken_ = false;
};

}  // namespace cairn::consensus
