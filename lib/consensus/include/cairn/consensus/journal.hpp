/// The job journal: what has happened to a job, replicated over the local directories of its nodes.
///
///     create_journal(directory, {.identity = journal_identity(lineage), .node = 1, .nodes = 3});
///     …
///     JournalNode journal(transport, directory, options);   // TcpTransport<JournalMessage>
///     journal.append({.kind = JournalEntry::Kind::epoch, .epoch = 7});
///     while (…) journal.poll();                             // never blocks
///
///          append ──▶ text ─▶ its digest ─▶ Raft ─▶ final ─▶ entries()
///                       │                    │        │
///                       └── journal.log ◀────┼────────┘      a text is durable before an entry
///                           journal.raft ◀───┘               that points to it is vouched for
///
/// An entry that is final stands, with its text, in a majority of the directories, and so survives
/// the loss of any minority of them. A node whose directory was lost or damaged does not know what
/// it has promised: it keeps a copy, votes no more, and says so.
///
/// Raft is in raft.hpp; bytes on disk are in FORMAT.md; read_journal() reads the directories of a
/// job that does not run.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cairn/consensus/journal_entry.hpp"
#include "cairn/consensus/raft.hpp"
#include "cairn/transport/transport.hpp"

namespace cairn::consensus {

/// Whose directory it is. Equal in all lives of a node, but for the times.
struct JournalOptions {
  JournalIdentity identity = {};
  NodeIndex node = 0;                  ///< this one
  int nodes = 1;                       ///< 1 to 9; a majority of them decides
  std::chrono::milliseconds tick{50};  ///< heartbeats every 2, elections after 10 to 20;
                                       ///< longer where disks take longer
};

/// What the nodes of a journal say to each other.
struct JournalMessage {
  enum class Kind : std::uint8_t {
    raft,
    text,         ///< of an entry that may follow
    want_text,    ///< of the command in `entry`
    submit,       ///< a text for the leader to append
    final_entry,  ///< `entry` at `index`, with its text
    want_final,   ///< from `index` on
    beacon,       ///< the sender has what is final up to `index`; `accepted`: it votes, and its
                  ///< disk keeps up, a write taking `lag` ticks
  };
  Kind kind = Kind::raft;
  bool accepted = false;
  std::uint32_t lag = 0;
  std::uint64_t index = 0;
  std::uint64_t digest = 0;
  RaftEntry entry = {};
  RaftMessage raft = {};
  Bounded<char, journal_text_max> text = {};

  friend bool operator==(const JournalMessage&, const JournalMessage&) = default;
};

/// How a journal is, as far as this node knows.
struct JournalStatus {
  Raft::Role role = Raft::Role::follower;
  std::optional<NodeIndex> leader = {};
  std::uint64_t term = 0;
  int nodes = 0;
  int voters_heard = 0;       ///< lately, this one included, whose disks keep up
  bool votes = true;          ///< false: this node's directory was lost or damaged
  bool has_majority = false;  ///< of voters that are heard: new entries can become final
  std::size_t waiting = 0;    ///< entries of this node that are not final yet
  std::string trouble = {};   ///< a sentence for people; empty when all is well
};

/// Makes the files of a node's directory (0600), and the directory (0700): once in the life of a
/// journal, before its first launch. A node without them is taken for one that has lost them.
/// @throws Error{Errc::input_output} also when there are such files; permission when the directory
///         is another user's, or others can write to it
void create_journal(const std::filesystem::path& directory, const JournalOptions& options);

/// A node without its network: messages in, messages out. Local; never blocks but in its
/// constructor and destructor, where it reads and finishes files.
class JournalReplica {
 public:
  /// Has the directory for itself as long as it lives.
  /// @throws Error{Errc::unavailable} when another one has it; usage for that of another node or
  ///         job; permission for a directory that is another user's, or that others can write to;
  ///         bad_data for a log that is a link or a pipe; what says that files cannot be opened;
  ///         not for damaged ones
  JournalReplica(const std::filesystem::path& directory, const JournalOptions& options);
  ~JournalReplica();
  JournalReplica(JournalReplica&&) noexcept;
  JournalReplica& operator=(JournalReplica&&) noexcept;

  /// Takes an entry, to be appended as soon as there is a leader; offered again until it is final.
  /// Where it stands among others that wait is not promised. Says no when 64 entries wait. What
  /// waits when its node dies may be lost, or final.
  [[nodiscard]] bool append(JournalEntry entry);

  void step(const Envelope<JournalMessage>& envelope);
  void tick();
  /// Looks what the disk has done; messages for others are in outbox().
  void advance();
  [[nodiscard]] std::vector<Envelope<JournalMessage>>& outbox() noexcept;

  /// All that is final, in its order. Grows at its end alone.
  [[nodiscard]] const std::vector<JournalRecord>& entries() const noexcept;
  [[nodiscard]] JournalStatus status() const;
  [[nodiscard]] const JournalOptions& options() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// A node of the journal on a transport, which outlives it. Not thread-safe.
template <transport::Transport<JournalMessage> Network>
class JournalNode {
 public:
  JournalNode(Network& network, const std::filesystem::path& directory,
              const JournalOptions& options)
      : network_(&network), replica_(directory, options) {}

  /// @copydoc JournalReplica::append
  [[nodiscard]] bool append(JournalEntry entry) { return replica_.append(std::move(entry)); }

  /// Hears, ticks when it is time to, and speaks. Local, never blocks.
  void poll() {
    std::array<Envelope<JournalMessage>, 16> room;
    const auto count = network_->poll(room);
    for (std::size_t i = 0; i < count; ++i) replica_.step(room[i]);
    const auto now = std::chrono::steady_clock::now();
    // One tick at most: who was stopped for a while has not heard the others in the meantime.
    if (now >= next_tick_) {
      replica_.tick();
      next_tick_ = now + replica_.options().tick;
    }
    replica_.advance();
    for (const auto& envelope : replica_.outbox()) network_->offer(envelope);
    replica_.outbox().clear();
  }

  [[nodiscard]] const std::vector<JournalRecord>& entries() const noexcept {
    return replica_.entries();
  }
  [[nodiscard]] JournalStatus status() const { return replica_.status(); }

 private:
  Network* network_;
  JournalReplica replica_;
  std::chrono::steady_clock::time_point next_tick_ = {};
};

}  // namespace cairn::consensus
