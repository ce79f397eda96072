#include "cairn/mapreduce/shuffle.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/mapreduce/record.hpp"
#include "cairn/mapreduce/stop.hpp"
#include "cairn/trace/trace.hpp"

namespace cairn::mapreduce {

namespace {

/// Encoded records that wait for their rank.
struct Outbox {
  std::string bytes;
  std::size_t sent = 0;

  [[nodiscard]] std::size_t waiting() const { return bytes.size() - sent; }

  /// Once what was sent is no less than what is left to move, however long a record is.
  void forget_sent() {
    if (sent < waiting()) return;
    bytes.erase(0, sent);
    sent = 0;
  }
};

/// One rank's side of the shuffle.
class Exchange {
 public:
  Exchange(const Communicator& comm, const CountTable& source, const ShuffleOptions& options)
      : comm_(comm),
        slots_(source.slots()),
        part_bytes_(std::max<std::size_t>(1, options.round_bytes / ranks())),
        outboxes_(ranks()),
        decoders_(ranks()),
        out_counts_(ranks()) {
    in_.reserve(ranks(),
                part_bytes_ * ranks());  // what transfer() takes at most: it may not fail alone
  }

  /// Local: encodes records until a round is full, and keeps what stays on this rank.
  /// @return whether anything is left to send
  bool prepare() {
    std::size_t waiting = 0;
    for (const Outbox& box : outboxes_) waiting += box.waiting();
    while (waiting < part_bytes_ * ranks() && next_slot_ < slots_.size())
      waiting += encode(slots_[next_slot_++]);
    pack();
    return waiting > 0;
  }

  /// Collective: what prepare() packed goes out, what the others packed comes in.
  void transfer() { all_to_all_v(comm_, std::span<const char>(out_), out_counts_, in_); }

  /// Local: counts what came in.
  void collect() {
    TokenCount record;
    for (std::size_t r = 0; r < in_.size(); ++r) {
      const std::span<const char> part = in_.part(r);
      decoders_[r].feed({part.data(), part.size()});
      while (decoders_[r].next(record)) table_.add(record.token, record.count);
    }
  }

  CountTable take() { return std::move(table_); }

 private:
  [[nodiscard]] std::size_t ranks() const { return static_cast<std::size_t>(comm_.size()); }

  std::size_t encode(const CountTable::Slot& slot) {
    if (slot.record == nullptr) return 0;
    const int owner = owner_of(slot.hash, comm_.size());
    if (owner == comm_.rank()) {
      table_.add(slot.record->token(), slot.hash, slot.record->count);
      return 0;
    }
    std::string& bytes = outboxes_[static_cast<std::size_t>(owner)].bytes;
    const std::size_t before = bytes.size();
    append_record(bytes, {slot.record->token(), slot.record->count});
    return bytes.size() - before;
  }

  /// Lays the front of every outbox side by side, a part of the round for each rank at most.
  void pack() {
    out_.clear();
    for (std::size_t r = 0; r < ranks(); ++r) {
      Outbox& box = outboxes_[r];
      const std::size_t n = std::min(box.waiting(), part_bytes_);
      out_counts_[r] = n;
      out_.append(box.bytes, box.sent, n);
      box.sent += n;
      box.forget_sent();
    }
  }

  const Communicator& comm_;
  std::span<const CountTable::Slot> slots_;
  std::size_t next_slot_ = 0;
  std::size_t part_bytes_;
  std::vector<Outbox> outboxes_;
  std::vector<RecordDecoder> decoders_;
  std::string out_;
  std::vector<std::size_t> out_counts_;
  Parts<char> in_;
  CountTable table_;
};

}  // namespace

CountTable shuffle(const Communicator& comm, CountTable table, const ShuffleOptions& options) {
  if (comm.size() == 1) return table;
  const trace::Span span("mapreduce.shuffle");
  std::optional<Exchange> exchange;
  for (;;) {
    bool more = false;
    const std::optional<Error> error = detail::error_of([&] {
      if (!exchange) exchange.emplace(comm, table, options);
      exchange->collect();
      more = exchange->prepare();
    });
    if (error) exchange.reset();  // what filled the memory goes before the news goes round
    enum { failed, going, signal, fields };
    int state[fields] = {error ? 1 : 0, more ? 1 : 0, pending_stop_signal()};
    all_reduce(comm, std::span<int>(state), Maximum{});
    if (state[failed] != 0) agree(comm, error);
    if (state[signal] != 0) throw_stopped(comm, state[signal], "exchanging the counts");
    if (state[going] == 0) return exchange->take();
    exchange->transfer();
  }
}

}  // namespace cairn::mapreduce
