#include "cairn/consensus/journal.hpp"

#include <algorithm>
#include <ctime>
#include <deque>
#include <random>
#include <utility>

#include "journal_book.hpp"
#include "journal_disk.hpp"
#include "journal_files.hpp"
#include "journal_format.hpp"
#include "journal_message.hpp"
#include "journal_pace.hpp"
#include "journal_trouble.hpp"

namespace cairn::consensus {

namespace fs = std::filesystem;

using journal::Final;
using journal::is_sound;
using journal::message_with;
using journal::set_text;
using journal::text_of;
using journal::TextDigest;
using Kind = JournalMessage::Kind;

namespace {

constexpr std::size_t waiting_max = 64;
constexpr std::size_t held_max = 256;
constexpr std::size_t writes_max = 32;  // of a disk that is slow: then the network is not heard
constexpr std::uint64_t finals_per_answer = 16;
constexpr std::uint64_t beacon_ticks = 2;
constexpr std::uint64_t submit_ticks = 4;
constexpr std::uint64_t lately_ticks = 20;

std::string random_mark() {
  std::random_device device;
  return std::to_string(device()) + std::to_string(device());
}

}  // namespace

void create_journal(const fs::path& directory, const JournalOptions& options) {
  journal::create_files(directory, journal::head_of(options));
}

class JournalReplica::Impl {
 public:
  Impl(const fs::path& directory, const JournalOptions& options)
      : Impl(directory, options, journal::open_files(directory, journal::head_of(options))) {}

  bool append(JournalEntry entry) {
    if (waiting_.size() >= waiting_max) return false;
    if (entry.node < 0) entry.node = options_.node;
    if (entry.seconds == 0) entry.seconds = std::time(nullptr);
    auto text = encode_entry(entry, mark_ + '-' + std::to_string(++marks_));
    waiting_.push_back({journal::digest_of(text), text});
    submit(text);
    flush();
    return true;
  }

  void step(const Envelope<JournalMessage>& envelope) {
    const auto from = envelope.from;
    if (from < 0 || from >= options_.nodes || from == options_.node) return;
    if (!is_sound(envelope.message)) return;
    heard_at_[static_cast<std::size_t>(from)] = ticks_ + 1;
    const auto& message = envelope.message;
    switch (message.kind) {
      case Kind::raft:
        on_raft(from, message.raft);
        break;
      case Kind::text:
        book_.remember(text_of(message));
        break;
      case Kind::want_text:
        send_text(from, message.entry.command);
        break;
      case Kind::submit:
        accept(text_of(message));
        break;
      case Kind::final_entry:
        on_final_of_other(from, message);
        break;
      case Kind::want_final:
        send_finals(from, message.index);
        break;
      case Kind::beacon:
        votes_[static_cast<std::size_t>(from)] = message.accepted;
        lags_[static_cast<std::size_t>(from)] = message.lag;
        // Who votes is told by Raft; who does not asks.
        if (!may_vote() && message.index > book_.last()) want_finals(from);
        break;
    }
    flush();
  }

  void tick() {
    ++ticks_;
    watch_disk();
    if (is_ready() && is_tick_of_raft()) {
      out_.clear();
      raft_.tick(out_);
      handle();
    }
    if (ticks_ % beacon_ticks == 0)
      for (NodeIndex node = 0; node < options_.nodes; ++node)
        if (node != options_.node)
          send(node, {.kind = Kind::beacon,
                      .accepted = can_promise(),
                      .lag = pace_.lag(),
                      .index = book_.last()});
    if (ticks_ % submit_ticks == 0) {
      // By index: an entry that becomes final at once leaves the list.
      const auto all = waiting_;
      for (const auto& entry : all) submit(entry.text);
    }
    flush();
  }

  void advance() {
    const auto durable = disk_.durable();
    while (reported_ < durable) {
      ++reported_;
      begun_at_.pop_front();
      release();
      out_.clear();
      raft_.persisted(reported_, out_);
      handle();
    }
    if (failure_.empty()) failure_ = disk_.failure();
    flush();
  }

  [[nodiscard]] JournalStatus status() const {
    JournalStatus status{.role = raft_.role(),
                         .leader = raft_.leader(),
                         .term = raft_.term(),
                         .nodes = options_.nodes,
                         .votes = may_vote(),
                         .waiting = waiting_.size()};
    for (NodeIndex node = 0; node < options_.nodes; ++node)
      status.voters_heard +=
          (node == options_.node ? can_promise() : is_heard_to_vote(node)) ? 1 : 0;
    status.has_majority = status.voters_heard >= majority(options_.nodes);
    const bool lags = may_vote() && !can_promise();
    status.trouble =
        journal::trouble_of(options_, status, {lost_, failure_, lags ? disk_.under_way() : 0});
    return status;
  }

  [[nodiscard]] std::vector<Envelope<JournalMessage>>& outbox() noexcept { return outbox_; }
  [[nodiscard]] const std::vector<JournalRecord>& entries() const noexcept {
    return book_.entries();
  }
  [[nodiscard]] const JournalOptions& options() const noexcept { return options_; }

 private:
  struct Waiting {
    TextDigest digest = {};
    std::string text = {};
  };
  struct Held {
    PersistToken token = 0;
    Envelope<RaftMessage> envelope = {};
  };

  Impl(const fs::path& directory, const JournalOptions& options, journal::OpenFiles files)
      : options_(options),
        lock_(std::move(files.lock)),
        raft_(config(options), options.node, journal::raft_state(files.recovered)),
        mark_(random_mark()),
        lost_(files.recovered.why),
        book_(files.recovered.log),
        disk_(directory / journal::log_name, std::move(files.slots)) {}

  static RaftConfig config(const JournalOptions& options) {
    RaftConfig config{.voters = RaftNodes::first(options.nodes)};
    std::random_device device;  // elections of two nodes should not meet again and again
    config.seed = device();
    return config;
  }

  [[nodiscard]] bool may_vote() const noexcept { return lost_.empty() && failure_.empty(); }
  [[nodiscard]] bool is_ready() const { return may_vote() && disk_.under_way() < writes_max; }
  /// What others may count on: a disk that hangs in the midst of one write is as good as none.
  [[nodiscard]] bool can_promise() const {
    return is_ready() && (disk_.under_way() == 0 || ticks_ < disk_moved_at_ + lately_ticks);
  }

  [[nodiscard]] bool is_heard_to_vote(NodeIndex other) const {
    const auto i = static_cast<std::size_t>(other);
    return heard_at_[i] != 0 && heard_at_[i] + lately_ticks > ticks_ && votes_[i];
  }

  void watch_disk() {
    const auto completed = disk_.completed();
    pace_.see(begun_at_.empty() ? 0 : ticks_ - begun_at_.front());
    if (completed == disk_completed_ && disk_.under_way() != 0) return;
    disk_completed_ = completed;
    disk_moved_at_ = ticks_;
  }

  bool is_tick_of_raft() {
    std::array<std::uint32_t, raft_nodes_max> lags{pace_.lag()};
    std::size_t count = 1;
    for (NodeIndex node = 0; node < options_.nodes; ++node)
      if (node != options_.node && is_heard_to_vote(node))
        lags[count++] = lags_[static_cast<std::size_t>(node)];
    return pace_.is_due(std::span(lags).first(count),
                        static_cast<std::size_t>(majority(options_.nodes)));
  }

  // --- messages ----------------------------------------------------------------------------

  void send(NodeIndex to, const JournalMessage& message) {
    outbox_.push_back({options_.node, to, message});
  }

  void send_text(NodeIndex to, const TextDigest& digest) {
    if (!book_.has_text(digest)) return;
    send(to, message_with(Kind::text, book_.text(digest)));
  }

  /// Raft's word, with the texts that it is about before it.
  void send_raft(const Envelope<RaftMessage>& envelope) {
    for (const auto& entry : envelope.message.entries)
      if (entry.kind == RaftEntry::Kind::command) send_text(envelope.to, entry.command);
    send(envelope.to, {.kind = Kind::raft, .raft = envelope.message});
  }

  /// What this node cannot vouch for yet is as if it had not come: it will come again.
  void on_raft(NodeIndex from, const RaftMessage& message) {
    if (!is_ready()) return;
    bool has_all = true;
    for (const auto& entry : message.entries) {
      if (entry.kind != RaftEntry::Kind::command || book_.has_text(entry.command)) continue;
      has_all = false;
      send(from, {.kind = Kind::want_text, .entry = entry});
    }
    if (!has_all) return;
    if (message.kind == RaftMessage::Kind::snapshot && message.snapshot.index > book_.last())
      return want_finals(from);
    out_.clear();
    raft_.step({from, options_.node, message}, out_);
    handle();
  }

  void want_finals(NodeIndex from) {
    send(from, {.kind = Kind::want_final, .index = book_.last() + 1});
  }

  void send_finals(NodeIndex to, std::uint64_t first) {
    if (first == 0) return;
    const auto last = std::min<std::uint64_t>(first + finals_per_answer - 1, book_.last());
    for (auto index = first; index <= last; ++index) {
      const auto& final_entry = book_.at(index);
      JournalMessage message{.kind = Kind::final_entry,
                             .accepted = index == last && last < book_.last(),  // go on asking
                             .index = index,
                             .digest = final_entry.digest,
                             .entry = final_entry.entry};
      if (final_entry.entry.kind == RaftEntry::Kind::command)
        set_text(message, book_.text(final_entry.entry.command));
      send(to, message);
    }
  }

  void on_final_of_other(NodeIndex from, const JournalMessage& message) {
    const Final final_entry{message.index, message.digest, message.entry};
    if (!book_.is_next(final_entry)) return;
    if (message.entry.kind == RaftEntry::Kind::command) {
      const auto text = text_of(message);
      if (journal::digest_of(text) != message.entry.command) return;
      book_.remember(text);
    }
    keep(final_entry);
    if (message.accepted) want_finals(from);
  }

  // --- entries -----------------------------------------------------------------------------

  void submit(const std::string& text) {
    if (!may_vote()) return submit_to_all(text);
    if (raft_.role() == Raft::Role::leader) return accept(text);
    const auto leader = raft_.leader();
    if (!leader) return;
    send(*leader, message_with(Kind::submit, text));
  }

  /// A node that keeps a copy or has failed is not told who leads: what it knows of that is old.
  void submit_to_all(const std::string& text) {
    const auto message = message_with(Kind::submit, text);
    for (NodeIndex node = 0; node < options_.nodes; ++node)
      if (node != options_.node) send(node, message);
  }

  /// Appends a text as the leader, unless it is there already.
  void accept(const std::string& text) {
    if (raft_.role() != Raft::Role::leader || !is_ready()) return;
    const auto digest = journal::digest_of(text);
    if (book_.is_final(digest)) return;
    const auto& log = raft_.log();
    for (auto index = log.first(); index <= log.last(); ++index)
      if (log.at(index).kind == RaftEntry::Kind::command && log.at(index).command == digest) return;
    book_.remember(text);
    out_.clear();
    (void)raft_.append(digest, out_);
    handle();
  }

  void keep(const Final& final_entry) {
    book_.add(final_entry);
    std::erase_if(waiting_, [&](const Waiting& item) { return book_.is_final(item.digest); });
  }

  void on_final(const RaftEvent& event) {
    const Final final_entry{event.index, event.digest, event.entry};
    if (event.index <= book_.last()) {  // Raft tells again after a restart
      if (book_.at(event.index) == final_entry) return;
    } else if (book_.is_next(final_entry)) {
      return keep(final_entry);
    }
    failure_ = "entry " + std::to_string(event.index) + " contradicts what was final before";
  }

  // --- what Raft asks for ------------------------------------------------------------------

  void handle() {
    for (const auto& event : out_.events) {
      if (event.kind == RaftEvent::Kind::committed) on_final(event);
      if (event.kind == RaftEvent::Kind::broken)
        failure_ = "other nodes have forgotten what they promised";
    }
    if (!failure_.empty()) return;  // what is not known to be right is not made durable
    if (out_.persist) {
      disk_.begin({book_.take_unwritten(), journal::encode(*out_.persist), out_.token});
      begun_at_.push_back(ticks_);
    }
    for (const auto& envelope : out_.after_persist) {
      if (held_.size() == held_max) held_.pop_front();
      held_.push_back({out_.token, envelope});
    }
    release();
    for (const auto& envelope : out_.now) send_raft(envelope);
  }

  void release() {
    while (!held_.empty() && held_.front().token <= reported_) {
      send_raft(held_.front().envelope);
      held_.pop_front();
    }
  }

  void flush() {
    if (!book_.has_unwritten()) return;
    auto bytes = book_.take_unwritten();
    if (failure_.empty()) disk_.begin({std::move(bytes), {}, 0});
  }

  JournalOptions options_;
  File lock_;  // of the directory
  Raft raft_;
  Raft::Output out_;
  std::string mark_;
  std::uint64_t marks_ = 0;
  std::string lost_;     // why this node does not vote
  std::string failure_;  // why it has become silent

  journal::Book book_;
  std::deque<Waiting> waiting_;

  std::uint64_t ticks_ = 0;
  std::array<std::uint64_t, raft_nodes_max> heard_at_{};  // tick + 1; 0: never
  std::array<bool, raft_nodes_max> votes_{};              // by its own word
  std::array<std::uint32_t, raft_nodes_max> lags_{};      // likewise, in ticks
  journal::Pace pace_;

  std::deque<Held> held_;  // until their token is durable
  PersistToken reported_ = 0;
  std::deque<std::uint64_t> begun_at_;  // the ticks of the records that are under way
  std::vector<Envelope<JournalMessage>> outbox_;
  journal::Disk disk_;
  std::uint64_t disk_completed_ = 0;
  std::uint64_t disk_moved_at_ = 0;  // tick at which it was seen to be idle, or to get on
};

JournalReplica::JournalReplica(const fs::path& directory, const JournalOptions& options)
    : impl_(std::make_unique<Impl>(directory, options)) {}
JournalReplica::~JournalReplica() = default;
JournalReplica::JournalReplica(JournalReplica&&) noexcept = default;
JournalReplica& JournalReplica::operator=(JournalReplica&&) noexcept = default;

bool JournalReplica::append(JournalEntry entry) { return impl_->append(std::move(entry)); }
void JournalReplica::step(const Envelope<JournalMessage>& envelope) { impl_->step(envelope); }
void JournalReplica::tick() { impl_->tick(); }
void JournalReplica::advance() { impl_->advance(); }
std::vector<Envelope<JournalMessage>>& JournalReplica::outbox() noexcept { return impl_->outbox(); }
const std::vector<JournalRecord>& JournalReplica::entries() const noexcept {
  return impl_->entries();
}
JournalStatus JournalReplica::status() const { return impl_->status(); }
const JournalOptions& JournalReplica::options() const noexcept { return impl_->options(); }

}  // namespace cairn::consensus
