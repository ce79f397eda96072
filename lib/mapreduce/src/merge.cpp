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
  unsigned char failed;  // because the sender has met an error
  unsigned char signal;  // the stop signal that the sender has received, 0 for none
};

/// Why rank 0 is to end before all is merged.
struct Interruption {
  int signal = 0;       // the stop signal that a rank has received, 0 for none
  bool failed = false;  // another rank has met an error, and will tell which

  explicit operator bool() const { return signal != 0 || failed; }
};

/// The part of another rank, seen from rank 0.
class RemotePart {
 public:
  RemotePart(const Communicator& comm, int rank, std::size_t chunk_bytes)
      : comm_(comm), rank_(rank), buffer_(sizeof(ChunkHead) + chunk_bytes) {}

  /// Begins the conversation.
  void open() { ask(Request::more); }

  /// The next record; its token lives until the next call. `why` gets what the rank says of itself.
  bool next(TokenCount& record, Interruption& why) {
    while (!decoder_.next(record)) {
      if (!asked_) return false;
      const std::string_view records = take_chunk(why);
      decoder_.feed(records);
      if (more_to_come_) ask(Request::more);
    }
    return true;
  }

  /// Ends the conversation wherever it is.
  void close() {
    Interruption ignored;
    if (asked_) take_chunk(ignored);
    if (more_to_come_) ask(Request::enough);
    asked_ = more_to_come_ = false;
  }

 private:
  void ask(Request request) {
    send(comm_, std::span<const Request>(&request, 1), rank_, request_tag);
    asked_ = true;
  }

  std::string_view take_chunk(Interruption& why) {
    const Received got = receive(comm_, std::span<char>(buffer_), rank_, chunk_tag);
    asked_ = false;
    more_to_come_ = buffer_[offsetof(ChunkHead, last)] == 0;
    why.failed |= buffer_[offsetof(ChunkHead, failed)] != 0;
    why.signal = std::max(why.signal, int{buffer_[offsetof(ChunkHead, signal)]});
    return {buffer_.data() + sizeof(ChunkHead), got.count - sizeof(ChunkHead)};
  }

  const Communicator& comm_;
  int rank_;
  std::vector<char> buffer_;
  RecordDecoder decoder_;
  bool asked_ = false;        // a chunk is on its way
  bool more_to_come_ = true;  // the rank waits for a request
};

/// Any rank but 0: its part, sent as rank 0 asks for it.
class Server {
 public:
  Server(const Communicator& comm, const SortedCounts& part, std::size_t chunk_bytes)
      : comm_(comm), part_(part), chunk_bytes_(chunk_bytes) {
    chunk_.reserve(sizeof(ChunkHead) + chunk_bytes);
  }

  /// @return the error that this rank has met; rank 0 then knows that there is one
  std::optional<Error> run() {
    for (;;) {
      Request request{};
      receive(comm_, std::span<Request>(&request, 1), 0, request_tag);
      if (request == Request::enough) return std::nullopt;
      std::optional<Error> error = detail::error_of([&] { encode(); });
      if (error) encoded_ = {};  // what filled the memory goes before the news goes round
      const std::size_t n = error ? 0 : std::min(chunk_bytes_, encoded_.size());
      const bool last = error || (next_ == part_.size() && n == encoded_.size());
      chunk_.assign({static_cast<char>(last), static_cast<char>(error.has_value()),
                     static_cast<char>(pending_stop_signal())});
      chunk_.append(encoded_, 0, n);
      sent_ = n;
      send(comm_, std::span<const char>(chunk_), 0, chunk_tag);
      if (last) return error;
    }
  }

 private:
  /// Encodes records until a chunk is full.
  void encode() {
    encoded_.erase(0, sent_);
    sent_ = 0;
    while (encoded_.size() < chunk_bytes_ && next_ < part_.size())
      append_record(encoded_, part_[next_++]);
  }

  const Communicator& comm_;
  const SortedCounts& part_;
  std::size_t chunk_bytes_;
  std::string encoded_;
  std::string chunk_;
  std::size_t sent_ = 0;  // of encoded_
  std::size_t next_ = 0;  // of part_
};

/// Rank 0: its own part and those of the others, smallest first.
class Merger {
 public:
  Merger(const Communicator& comm, const SortedCounts& own, std::size_t chunk_bytes) : own_(own) {
    for (int r = 1; r < comm.size(); ++r)
      remote_.push_back(std::make_unique<RemotePart>(comm, r, chunk_bytes));
  }

  /// @return the stop signal that ended it, 0 for none
  int run(const CountConsumer& consume) {
    for (const auto& part : remote_) part->open();
    for (std::size_t source = 0; source <= remote_.size(); ++source) advance(source);
    while (!heads_.empty() && !why_) {
      const Head head = heads_.top();
      heads_.pop();
      if (!consume(head.record)) return 0;
      advance(head.source);
    }
    return why_.signal;
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
      if (remote_[source - 1]->next(record, why_)) heads_.push({record, source});
    } else if (next_own_ < own_.size()) {
      // Looking at the flag now and then is enough.
      if (next_own_ % 1024 == 0) why_.signal = std::max(why_.signal, pending_stop_signal());
      heads_.push({own_[next_own_++], source});
    }
  }

  const SortedCounts& own_;
  std::size_t next_own_ = 0;
  std::vector<std::unique_ptr<RemotePart>> remote_;
  std::priority_queue<Head> heads_;
  Interruption why_;
};

}  // namespace

void merge_sorted(const Communicator& comm, const SortedCounts& part, const CountConsumer& consume,
                  const MergeOptions& options) {
  const trace::Span span("mapreduce.merge");
  const std::size_t chunk_bytes = std::clamp<std::size_t>(
      options.total_bytes / static_cast<std::size_t>(comm.size()), 1, options.chunk_bytes);
  std::optional<Merger> merger;
  std::optional<Server> server;
  together(comm, [&] {
    if (comm.is_root()) {
      merger.emplace(comm, part, chunk_bytes);
    } else {
      server.emplace(comm, part, chunk_bytes);
    }
  });
  std::optional<Error> error;
  int signal = 0;
  if (merger) {
    error = detail::error_of([&] { signal = merger->run(consume); });
    merger->close();  // the others wait for a request, whatever has happened here
  } else {
    error = server->run();
  }
  agree(comm, error);
  signal = bcast(comm, signal);
  if (signal != 0) throw_stopped(comm, signal, "writing the counts");
}

}  // namespace cairn::mapreduce
