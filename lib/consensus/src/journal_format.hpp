/// The bytes of a journal on disk (FORMAT.md). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/consensus/journal_entry.hpp"
#include "cairn/consensus/raft.hpp"
#include "cairn/consensus/slot_file.hpp"

namespace cairn::consensus::journal {

/// What a command of Raft points to: the digest of a text.
using TextDigest = RaftCommand;
[[nodiscard]] TextDigest digest_of(std::string_view text) noexcept;

/// A final entry of Raft's log.
struct Final {
  std::uint64_t index = 0;
  std::uint64_t digest = 0;  ///< of the chain up to it
  RaftEntry entry = {};
  friend bool operator==(const Final&, const Final&) = default;
};

/// Whose directory it is.
struct Head {
  JournalIdentity identity = {};
  NodeIndex node = 0;
  std::uint32_t nodes = 0;
  bool is_copy = false;  ///< made in the place of a lost one: nobody knows what that had promised
  friend bool operator==(const Head&, const Head&) = default;
};

/// All that stands in a log file.
struct LogContents {
  std::optional<Head> head = {};
  std::map<TextDigest, std::string> texts = {};
  std::map<std::uint64_t, Final> finals = {};
  std::uint64_t damaged_bytes = 0;  ///< passed over, also a torn end
};

constexpr const char* log_name = "journal.log";
constexpr const char* slots_name = "journal.raft";
constexpr std::size_t head_bytes = 64;
constexpr std::size_t slot_payload_bytes = 1728;

using Bytes = std::vector<std::byte>;

[[nodiscard]] Bytes encode(const Head& head);
void append_text(Bytes& to, std::string_view text);
void append_final(Bytes& to, const Final& final_entry);
[[nodiscard]] LogContents parse_log(std::span<const std::byte> file);

[[nodiscard]] Bytes encode(const RaftDurable& durable);
[[nodiscard]] std::optional<RaftDurable> decode_durable(std::span<const std::byte> bytes);

/// Whose slot file it is.
[[nodiscard]] SlotIdentity slot_identity(const Head& head);

/// The final entries from 1 on, as far as there is no gap and the chain holds.
[[nodiscard]] std::vector<Final> chained(const std::map<std::uint64_t, Final>& finals);

/// What a node's directory says.
struct Recovered {
  enum class State : std::uint8_t { blank, valid, unreadable };
  State state = State::unreadable;
  std::string why = {};  ///< of unreadable
  RaftDurable durable = {};
  LogContents log = {};
};

/// Judges a directory by its two files: a vote counts only when every text that it vouches for is
/// there.
[[nodiscard]] Recovered judge(LogContents log, const RecoveredSlots& slots);

}  // namespace cairn::consensus::journal
