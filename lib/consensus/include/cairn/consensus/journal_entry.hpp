/// What a job journal says.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cairn/transport/envelope.hpp"

namespace cairn::consensus {

/// Names a journal: all its nodes have the same, other jobs another one.
using JournalIdentity = std::array<std::byte, 16>;

/// The identity that belongs to a name, for example the path of the checkpoint directory.
[[nodiscard]] JournalIdentity journal_identity(std::string_view name);

/// One thing that has happened to a job. What does not apply stays at its default.
struct JournalEntry {
  enum class Kind : std::uint8_t {
    launch,     ///< a launch begins: incarnation, ranks
    restart,    ///< it goes on from an epoch: incarnation, epoch, ranks
    epoch,      ///< an epoch is committed: incarnation, epoch, ranks
    ranks,      ///< the number of ranks changes
    fault,      ///< something died, hung or was damaged
    operation,  ///< somebody did something by hand
    ending,     ///< a launch ends
    unknown,    ///< its text is lost, or of a later version
  };
  Kind kind = Kind::unknown;
  std::uint64_t incarnation = 0;
  std::uint64_t epoch = 0;
  std::int64_t ranks = 0;
  std::int64_t seconds = 0;        ///< since 1970, by the clock of `node`
  transport::NodeIndex node = -1;  ///< who has said so
  std::string text = {};           ///< for people; cut to what fits

  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

/// An entry with its place.
struct JournalRecord {
  std::uint64_t index = 0;  ///< in the log, from 1, not without gaps
  std::uint64_t term = 0;
  JournalEntry entry = {};

  friend bool operator==(const JournalRecord&, const JournalRecord&) = default;
};

[[nodiscard]] const char* name_of(JournalEntry::Kind kind) noexcept;

/// Bytes of an entry's text at most.
constexpr std::size_t journal_text_max = 512;

/// The entry as one line of JSON, at most journal_text_max bytes.
/// @param mark  makes two equal entries two: who said it in which life as the how manieth; short
/// @throws Error{Errc::internal} for a mark that leaves no room, of some 200 bytes or more
[[nodiscard]] std::string encode_entry(const JournalEntry& entry, std::string_view mark);
/// Kind::unknown, with the text itself, for what is none.
[[nodiscard]] JournalEntry decode_entry(std::string_view text);

}  // namespace cairn::consensus
