/// sparse_exchange(): each rank has messages for a few others, and nobody knows who sends to whom.
///
///     Outbox<double> out;              Inbox<double> in;
///     out.add(3, values);              for (const auto& message : in)
///     sparse_exchange(comm, out, in);    use(message.source, message.data);
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <vector>

#include "cairn/collectives/byte_buffer.hpp"
#include "cairn/collectives/check.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/datatype.hpp"

namespace cairn {

/// A message to send; `data` is the caller's. May be empty, and may go to the sender itself.
template <typename T>
struct Outgoing {
  static_assert(detail::expected_element<T>());

  int destination = 0;
  std::span<const T> data;
};

/// A message that came; `data` is the Inbox's.
template <typename T>
struct Incoming {
  static_assert(detail::expected_element<T>());

  int source = 0;
  std::span<const T> data;
};

/// How the messages travel.
enum class Route : std::uint8_t {
  automatic,  ///< by the rule of choose_route()
  dense,      ///< one message to each rank, which holds all that goes there
  direct,     ///< one for each message, and a barrier in which nobody stands still (NBX)
  grid,       ///< over the rank in the sender's row and the receiver's column: 2·√p messages
};

/// Options of sparse_exchange(), equal on all ranks.
struct SparseOptions {
  Route route = Route::automatic;

  /// Bytes that take as long as one more message. Longer messages travel by themselves and without
  /// a copy; on the routes dense and grid what is put together only announces them. The default is
  /// right within a factor of two or so for networks and shared memory.
  std::size_t message_bytes = 8192;
};

/// What the ranks have to send in messages of at most message_bytes: the largest values of any
/// rank.
struct Volume {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

/// Up to so many ranks, `automatic` is `dense` without asking: agreeing would cost as much.
inline constexpr int always_dense_ranks = 4;

/// The cheapest route for `volume` on `ranks` ranks, where a message costs m = message_bytes:
///
///     dense   p·m + V
///     direct  2·(k + log₂p)·m + V   k messages, each acknowledged, and the barrier
///     grid    2·√p·m + 2·V          each byte travels twice
///
/// with k and V the messages and bytes of `volume`. The first of equals. Pure.
[[nodiscard]] Route choose_route(int ranks, const Volume& volume, std::size_t message_bytes);

namespace detail {

struct ByteMessage {
  int rank = 0;
  std::span<const std::byte> data;
};

/// Messages of any type, by number.
struct ByteOutbox {
  const void* messages = nullptr;
  std::size_t size = 0;
  ByteMessage (*at)(const void* messages, std::size_t i) = nullptr;

  ByteMessage operator[](std::size_t i) const { return at(messages, i); }
};

/// Received messages of any type.
class ByteInbox {
 public:
  explicit ByteInbox(std::size_t alignment) : buffer_(alignment) {}

  struct Entry {
    int source = 0;
    std::size_t number = 0;  // in the order of arrival
    std::size_t offset = 0;
    std::size_t bytes = 0;
  };

  void clear() {
    entries_.clear();
    bytes_ = 0;
  }

  /// Whether the message lies in this memory, which the next one that comes may overwrite or move.
  [[nodiscard]] bool holds(std::span<const std::byte> message) const noexcept {
    return !message.empty() && buffer_.holds(message.data());
  }

  /// Room for one more message. What append() returned before is void.
  std::byte* append(int source, std::size_t bytes) {
    std::byte* data = buffer_.reserve(bytes_ + bytes, bytes_) + bytes_;
    entries_.push_back({source, entries_.size(), bytes_, bytes});
    bytes_ += bytes;
    return data;
  }

  /// Where message `i` is, counted in the order of arrival, before sort().
  std::byte* data(std::size_t i) { return buffer_.data() + entries_[i].offset; }

  /// By source; those of one source stay in the order of their arrival.
  void sort();

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] const Entry& entry(std::size_t i) const { return entries_[i]; }
  [[nodiscard]] const std::byte* data(const Entry& entry) const {
    return buffer_.data() + entry.offset;
  }

 private:
  std::vector<Entry> entries_;
  ByteBuffer buffer_;
  std::size_t bytes_ = 0;
};

/// @param element  the type of the values, for the debug level (check.hpp)
void sparse_exchange_bytes(const Communicator& comm, const ByteOutbox& out, ByteInbox& in,
                           const SparseOptions& options, const TypeName* element,
                           const Where& where);

}  // namespace detail

/// Messages that are put together one after the other, and own their data. The memory grows and is
/// kept. Move-only; one that was moved from is empty.
template <typename T>
class Outbox {
  static_assert(detail::expected_element<T>());

 public:
  void clear() { entries_.clear(); }

  /// Adds a copy of `data`, any length, for rank `destination`. `data` may be that of
  /// a message of this outbox.
  void add(int destination, std::span<const T> data) {
    const std::size_t bytes = data.size_bytes();
    const auto* from = reinterpret_cast<const std::byte*>(data.data());
    const bool is_own = bytes > 0 && buffer_.holds(from);
    const std::ptrdiff_t offset = is_own ? from - buffer_.data() : 0;
    const std::size_t end = entries_.empty() ? 0 : entries_.back().offset + entries_.back().bytes;
    buffer_.reserve(end + bytes, end);
    if (is_own) from = buffer_.data() + offset;
    if (bytes > 0) std::memcpy(buffer_.data() + end, from, bytes);
    entries_.push_back({destination, end, bytes});
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  [[nodiscard]] Outgoing<T> operator[](std::size_t i) const {
    const Entry& entry = entries_[i];
    return {entry.destination,
            {reinterpret_cast<const T*>(buffer_.data() + entry.offset), entry.bytes / sizeof(T)}};
  }

 private:
  struct Entry {
    int destination;
    std::size_t offset;
    std::size_t bytes;
  };
  std::vector<Entry> entries_;
  detail::ByteBuffer buffer_{detail::alignment_for<T>};
};

/// The messages that came, ordered by source; those of one source in the order in which it sent
/// them. The memory grows and is kept; the next exchange into it replaces them. Move-only; one that
/// was moved from is empty.
template <typename T>
class Inbox {
  static_assert(detail::expected_element<T>());

 public:
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  [[nodiscard]] Incoming<T> operator[](std::size_t i) const {
    const auto& entry = bytes_.entry(i);
    return {entry.source,
            {reinterpret_cast<const T*>(bytes_.data(entry)), entry.bytes / sizeof(T)}};
  }

  class Iterator {
   public:
    using value_type = Incoming<T>;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    Iterator() = default;
    Iterator(const Inbox* inbox, std::size_t i) : inbox_(inbox), i_(i) {}
    Incoming<T> operator*() const { return (*inbox_)[i_]; }
    Iterator& operator++() {
      ++i_;
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++i_;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    const Inbox* inbox_ = nullptr;
    std::size_t i_ = 0;
  };
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, size()}; }

  /// The same in bytes, for the exchange.
  [[nodiscard]] detail::ByteInbox& as_bytes() noexcept { return bytes_; }

 private:
  detail::ByteInbox bytes_{detail::alignment_for<T>};
};

/// Sends each message of `out` to its destination.
///
/// Collective, blocking. A rank may send nothing, several messages to one destination, empty ones,
/// and some to itself. Values travel as bytes: all ranks represent T alike.
///
/// @param out  any number of messages, the caller's; destinations are ranks of `comm`
/// @param in   what came for this rank replaces what was in it; no message of `out` lies in its
///             memory: what came is forwarded from another inbox, or from an Outbox
/// @throws Error{internal} on a rank that names a destination which is none, or sends out of `in`
///         (with CAIRN_CHECK=collectives on all), before it sends anything; Error{mpi_failure} on
///         the ranks where MPI reports one; std::bad_alloc on a rank whose memory ends. The other
///         ranks may then wait for it, so end the job.
/// @par Determinism  `in` depends on the messages alone, not on the route, nor on who was faster
/// @par Cost  see choose_route(); on more than always_dense_ranks `automatic` also costs an
///      MPI_Allreduce of two integers. No allocation once `in` and the communicator's own buffers
///      have grown.
/// @par Source  direct: Hoefler, Siebert, Lumsdaine, "Scalable communication protocols for dynamic
///      sparse data exchange", PPoPP 2010, doi:10.1145/1693453.1693476 (algorithm NBX). grid:
///      Sanders, Schimek, "Engineering massively parallel MST algorithms", IPDPS 2023 (two-level
///      all-to-all); Uhl et al., "KaMPIng: Flexible and (near) zero-overhead C++ bindings for MPI",
///      SC 2024
template <Element T>
void sparse_exchange(const Communicator& comm, std::span<const Outgoing<T>> out, Inbox<T>& in,
                     const SparseOptions& options = {}, Where where = Where::here()) {
  const detail::ByteOutbox bytes{
      out.data(), out.size(), [](const void* messages, std::size_t i) {
        const auto& message = static_cast<const Outgoing<T>*>(messages)[i];
        return detail::ByteMessage{message.destination, std::as_bytes(message.data)};
      }};
  detail::sparse_exchange_bytes(comm, bytes, in.as_bytes(), options, detail::signature_of<T>(),
                                where);
}

template <Element T>
void sparse_exchange(const Communicator& comm, const Outbox<T>& out, Inbox<T>& in,
                     const SparseOptions& options = {}, Where where = Where::here()) {
  const detail::ByteOutbox bytes{
      &out, out.size(), [](const void* messages, std::size_t i) {
        const auto message = (*static_cast<const Outbox<T>*>(messages))[i];
        return detail::ByteMessage{message.destination, std::as_bytes(message.data)};
      }};
  detail::sparse_exchange_bytes(comm, bytes, in.as_bytes(), options, detail::signature_of<T>(),
                                where);
}

}  // namespace cairn
