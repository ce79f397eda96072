#include "cairn/mapreduce/merge.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/mapreduce/stop.hpp"
#include "cairn/trace/trace.hpp"

namespace cairn::mapreduce {

namespace {

// Rank 0 asks for one chunk after the other: `more`, chunk, `more`, chunk, … until a chunk comes
// that says that it is the last, or rank 0 says `enough`.
enum class Request : int { more, enough };
constexpr int request_tag = 1;
constexpr int chunk_tag = 2;

/// The first bytes of a chunk; encoded records follow.
struct ChunkHead {
  unsigned char last;    // nothing follows this chunk
  unsigned char signal;  // the stop signal that the sender has received, 0 for none
};

/// The part of another rank, seen from rank 0.
class RemotePart {
 public:
  RemotePart(const Communicator& comm, int rank, std::size_t chunk_bytes)
      : comm_(comm), rank_(rank), buffer_(sizeof(ChunkHead) + chunk_bytes) {
    ask(Request::more);
  }

  /// The next record; its token lives until the next call. `signal` gets a stop signal of the rank.
  bool next(TokenCount& record, int& signal) {
    while (!decoder_.next(record)) {
      if (!asked_) return false;
      const std::string_view records = take_chunk(signal);
      decoder_.feed(records);
      if (more_to_come_) ask(Request::more);
    }
    return true;
  }

  /// Ends the conversation wherever it is.
  void close() {
    int signal = 0;
    if (asked_) take_chunk(signal);
    if (more_to_come_) ask(Request::enough);
    asked_ = more_to_come_ = false;
  }

 private:
  void ask(Request request) {
    send(comm_, std::span<const Request>(&request, 1), rank_, request_tag);
    asked_ = true;
  }

  std::string_view take_chunk(int& signal) {
    const Received got = receive(comm_, std::span<char>(buffer_), rank_, chunk_tag);
    asked_ = false;
    more_to_come_ = buffer_[offsetof(ChunkHead, last)] == 0;
    signal = std::max(signal, int{buffer_[offsetof(ChunkHead, signal)]});
    return {buffer_.data() + sizeof(ChunkHead), got.count - sizeof(ChunkHead)};
  }

  const Communicator& comm_;
  int rank_;
  std::vector<char> buffer_;
  RecordDecoder decoder_;
  bool asked_ = false;        // a chunk is on its way
  bool more_to_come_ = true;  // the rank waits for a request
};

/// Any rank but 0: sends its part as rank 0 asks for it.
void serve(const Communicator& comm, const SortedCounts& part, std::size_t chunk_bytes) {
  std::string encoded;
  std::string chunk;
  std::size_t sent = 0;  // of encoded
  std::size_t next = 0;  // of part
  for (;;) {
    Request request{};
    receive(comm, std::span<Request>(&request, 1), 0, request_tag);
    if (request == Request::enough) return;
    encoded.erase(0, sent);
    while (encoded.size() < chunk_bytes && next < part.size()) append_record(encoded, part[next++]);
    sent = std::min(chunk_bytes, encoded.size());
    const bool last = next == part.size() && sent == encoded.size();
    chunk.assign({static_cast<char>(last), static_cast<char>(pending_stop_signal())});
    chunk.append(encoded, 0, sent);
    send(comm, std::span<const char>(chunk), 0, chunk_tag);
    if (last) return;
  }
}

/// Rank 0: its own part and those of the others, smallest first.
class Merger {
 public:
  Merger(const Communicator& comm, const SortedCounts& own, std::size_t chunk_bytes) : own_(own) {
    for (int r = 1; r < comm.size(); ++r)
      remote_.push_back(std::make_unique<RemotePart>(comm, r, chunk_bytes));
  }

  /// @return the stop signal that ended it, 0 for none
  int run(const CountConsumer& consume) {
    for (std::size_t source = 0; source <= remote_.size(); ++source) advance(source);
    while (!heads_.empty() && signal_ == 0) {
      const Head head = heads_.top();
      heads_.pop();
      if (!consume(head.record)) return 0;
      advance(head.source);
    }
    return signal_;
  }

  void close() {
    for (const auto& part : remote_) part->close();
  }

 private:
  struct Head {
    TokenCount record;
    std::size_t source;  // 0: own, r: rank r
    bool operator<(const Head& other) const { return comes_before(other.record, record); }
  };

  void advance(std::size_t source) {
    TokenCount record;
    if (source > 0) {
      if (remote_[source - 1]->next(record, signal_)) heads_.push({record, source});
    } else if (next_own_ < own_.size()) {
      // Looking at the flag now and then is enough.
      if (next_own_ % 1024 == 0) signal_ = std::max(signal_, pending_stop_signal());
      heads_.push({own_[next_own_++], source});
    }
  }

  const SortedCounts& own_;
  std::size_t next_own_ = 0;
  std::vector<std::unique_ptr<RemotePart>> remote_;
  std::priority_queue<Head> heads_;
  int signal_ = 0;
};

}  // namespace

void merge_sorted(const Communicator& comm, const SortedCounts& part, const CountConsumer& consume,
                  const MergeOptions& options) {
  const trace::Span span("mapreduce.merge");
  const std::size_t chunk_bytes = std::clamp<std::size_t>(
      options.total_bytes / static_cast<std::size_t>(comm.size()), 1, options.chunk_bytes);
  std::optional<Error> error;
  int signal = 0;
  if (comm.is_root()) {
    Merger merger(comm, part, chunk_bytes);
    error = detail::error_of([&] { signal = merger.run(consume); });
    merger.close();  // the others wait for a request, whatever has happened here
  } else {
    serve(comm, part, chunk_bytes);
  }
  agree(comm, error);
  signal = bcast(comm, signal);
  if (signal != 0) throw_stopped(signal, "writing the counts");
}

}  // namespace cairn::mapreduce
