#include "cairn/collectives/unknown_counts.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>
#include <optional>

#include "cairn/collectives/buffer.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "exchange_state.hpp"

namespace cairn::detail {

namespace {

using Bytes = std::span<const std::byte>;
using Word = std::uint64_t;

/// Up to so many ranks, a message to each is faster than MPI_Allgather of blocks.
constexpr int most_direct_ranks = 4;

void copy(Bytes from, std::byte* to) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

/// The peers of a rank, from the next one round to the one before: not all begin with the same.
template <typename Call>
void for_each_peer(const Communicator& comm, const Call& call) {
  for (int i = 1; i < comm.size(); ++i) call((comm.rank() + i) % comm.size());
}

std::size_t index(int rank) { return static_cast<std::size_t>(rank); }

/// Of a part among all of them, in bytes.
struct Place {
  std::size_t offset = 0;
  std::size_t total = 0;
};

/// A message to and from each of the others, and a part that stays here.
template <typename PartFor>
void exchange(const Communicator& comm, Channels& channels, std::vector<std::size_t>& lengths,
              const PartFor& part_for, ByteParts& out) {
  for_each_peer(comm, [&](int peer) { channels.post(peer); });
  for_each_peer(comm, [&](int peer) { channels.send(peer, part_for(peer)); });
  const Bytes own = part_for(comm.rank());
  const auto self = index(comm.rank());
  // While the messages are on their way, the own part goes to where it stood the last time.
  const auto before = out.size() == lengths.size() && out.bytes(self) == own.size()
                          ? std::optional<Place>({out.offset(self), out.bytes()})
                          : std::nullopt;
  if (before) copy(own, out.part(self));
  lengths[self] = own.size();
  for_each_peer(comm, [&](int peer) { lengths[index(peer)] = channels.length(peer); });
  out.reshape(lengths);
  for_each_peer(comm, [&](int peer) { channels.take(peer, out.part(index(peer))); });
  const bool stands = before && before->offset == out.offset(self) && out.bytes() <= before->total;
  if (!stands) copy(own, out.part(self));
  channels.finish();
}

std::size_t words_for(std::size_t bytes) { return (bytes + sizeof(Word) - 1) / sizeof(Word); }

/// The block of the next MPI_Allgather: the count and, if it pays, the largest part. A function of
/// what all ranks know. Grows at once, to whole cache lines, and shrinks slowly.
std::size_t next_block_words(std::size_t current, std::span<const std::size_t> lengths) {
  const std::size_t largest = *std::max_element(lengths.begin(), lengths.end());
  const std::size_t total = std::accumulate(lengths.begin(), lengths.end(), std::size_t{0});
  const std::size_t wanted = (1 + words_for(largest) + 7) / 8 * 8;
  const bool is_short = largest <= short_bytes(static_cast<int>(lengths.size()));
  const bool mostly_filled =
      wanted * sizeof(Word) * lengths.size() <= 4 * total + 64 * lengths.size();
  if (!is_short || !mostly_filled) return 1;
  return std::max(wanted, current - current / 8);
}

/// Gathers a block of every rank: its count and the beginning of its part. Sets state.lengths.
void gather_blocks(const Communicator& comm, ExchangeState& state, Bytes in) {
  const std::size_t block = state.gather_block_words;
  state.gather_blocks.resize(std::max(state.gather_blocks.size(), block * index(comm.size())));
  Word* blocks = state.gather_blocks.data();
  Word* own = blocks + index(comm.rank()) * block;
  *own = in.size();
  const std::size_t room = (block - 1) * sizeof(Word);
  if (in.size() <= room) copy(in, reinterpret_cast<std::byte*>(own + 1));
  check_mpi(MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, blocks, static_cast<int>(block),
                          MPI_UINT64_T, comm.native()),
            "MPI_Allgather");
  for (std::size_t r = 0; r < state.lengths.size(); ++r) state.lengths[r] = blocks[r * block];
}

void unpack_blocks(const ExchangeState& state, ByteParts& out) {
  for (std::size_t r = 0; r < out.size(); ++r) {
    const Word* block = state.gather_blocks.data() + r * state.gather_block_words;
    copy({reinterpret_cast<const std::byte*>(block + 1), out.bytes(r)}, out.part(r));
  }
}

/// Passes the parts round a ring: for totals that MPI_Allgatherv cannot count.
void all_gather_ring(const Communicator& comm, ByteParts& out) {
  const int p = comm.size();
  const int next = (comm.rank() + 1) % p;
  const int previous = (comm.rank() + p - 1) % p;
  for (int step = 0; step < p - 1; ++step) {
    const std::size_t leaving = index((comm.rank() + p - step) % p);
    const std::size_t coming = index((comm.rank() + p - step - 1) % p);
    const Wire sent(out.bytes(leaving), MPI_BYTE);
    const Wire received(out.bytes(coming), MPI_BYTE);
    check_mpi(MPI_Sendrecv(out.part(leaving), sent.count, sent.type, next, ring_tag,
                           out.part(coming), received.count, received.type, previous, ring_tag,
                           comm.internal(), MPI_STATUS_IGNORE),
              "MPI_Sendrecv");
  }
}

/// Gathers parts whose sizes everybody knows.
void all_gather_known(const Communicator& comm, ExchangeState& state, Bytes in, ByteParts& out) {
  copy(in, out.part(index(comm.rank())));
  if (out.bytes() > max_count) return all_gather_ring(comm, out);
  for (std::size_t r = 0; r < out.size(); ++r) {
    state.counts[r] = static_cast<int>(out.bytes(r));
    state.displacements[r] = static_cast<int>(out.offset(r));
  }
  check_mpi(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, out.data(), state.counts.data(),
                           state.displacements.data(), MPI_BYTE, comm.native()),
            "MPI_Allgatherv");
}

void all_gather_blocks(const Communicator& comm, ExchangeState& state, Bytes in, ByteParts& out) {
  gather_blocks(comm, state, in);
  out.reshape(state.lengths);
  const std::size_t room = (state.gather_block_words - 1) * sizeof(Word);
  if (std::all_of(state.lengths.begin(), state.lengths.end(),
                  [&](std::size_t length) { return length <= room; })) {
    unpack_blocks(state, out);
  } else {
    all_gather_known(comm, state, in, out);
  }
  state.gather_block_words = next_block_words(state.gather_block_words, state.lengths);
}

}  // namespace

void all_gather_bytes(const Communicator& comm, Bytes in, ByteParts& out) {
  ExchangeState& state = comm.exchange_state();
  if (comm.size() > most_direct_ranks) return all_gather_blocks(comm, state, in, out);
  exchange(
      comm, state.all_gather, state.lengths, [&](int) { return in; }, out);
}

void gather_bytes(const Communicator& comm, Bytes in, ByteParts& out, int root) {
  ExchangeState& state = comm.exchange_state();
  Channels& channels = state.gather;
  if (!comm.is_root(root)) {
    channels.send(root, in);
    return channels.finish();
  }
  state.lengths[index(root)] = in.size();
  for_each_peer(comm, [&](int peer) { state.lengths[index(peer)] = channels.length(peer); });
  out.reshape(state.lengths);
  for_each_peer(comm, [&](int peer) { channels.take(peer, out.part(index(peer))); });
  copy(in, out.part(index(root)));
  channels.finish();
}

void all_to_all_bytes(const Communicator& comm, const ByteParts& in, ByteParts& out) {
  assert(in.size() == index(comm.size()) && &in != &out);
  ExchangeState& state = comm.exchange_state();
  const auto part_for = [&](int peer) {
    return Bytes(in.part(index(peer)), in.bytes(index(peer)));
  };
  exchange(comm, state.all_to_all, state.lengths, part_for, out);
}

void all_to_all_bytes(const Communicator& comm, Bytes in, std::span<const std::size_t> counts,
                      std::size_t unit, ByteParts& out) {
  assert(counts.size() == index(comm.size()));
  ExchangeState& state = comm.exchange_state();
  const std::size_t n = in.size() / unit;
  std::size_t end = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    expects(counts[i] <= n - end, "as many values as the sum of the counts");
    state.ends[i] = end += counts[i];
  }
  expects(end == n, "as many values as the sum of the counts");
  const auto part_for = [&](int peer) {
    const std::size_t size = counts[index(peer)] * unit;
    return in.subspan(state.ends[index(peer)] * unit - size, size);
  };
  exchange(comm, state.all_to_all, state.lengths, part_for, out);
}

// ---------------------------------------------------------------------------------------------
// bcast. Everybody sees the length, so everybody knows whether the next one is expected short (a
// message that tells its length by itself, through a tree) or long (MPI_Bcast of the length, then
// of the data). A long one that was expected short is announced as in Channels.

namespace {

/// A binomial tree that hangs from `root`.
struct Tree {
  Tree(const Communicator& comm, int root_rank)
      : ranks(comm.size()), root(root_rank), own((comm.rank() - root_rank + ranks) % ranks) {}

  /// Rank `own` without its lowest bit.
  [[nodiscard]] int parent() const { return rank_of(own & (own - 1)); }

  /// Calls with the ranks that have one more bit below the lowest bit of `own`, largest subtree
  /// first.
  template <typename Call>
  void for_each_child(const Call& call) const {
    int bit = 1;
    while (bit < ranks && (own & bit) == 0) bit *= 2;
    for (bit /= 2; bit > 0; bit /= 2) {
      if (own + bit < ranks) call(rank_of(own + bit));
    }
  }

  int ranks;
  int root;
  int own;  // this rank, counted from the root

 private:
  [[nodiscard]] int rank_of(int relative) const { return (relative + root) % ranks; }
};

void send_down(const Communicator& comm, const Tree& tree, Bytes data) {
  const Wire type(data.size(), MPI_BYTE);
  tree.for_each_child([&](int child) {
    check_mpi(MPI_Send(data.data(), type.count, type.type, child, bcast_tag, comm.internal()),
              "MPI_Send");
  });
}

/// What the root sends down: the data, or their announcement, which is longer than any short data.
Bytes first_message(const Communicator& comm, ExchangeState& state, Bytes data) {
  const std::size_t most = short_bytes(comm.size());
  if (data.size() <= most) return data;
  const std::size_t length = data.size();
  std::memcpy(state.bcast_slot.data(), &length, sizeof length);
  std::memcpy(state.bcast_slot.data() + sizeof length, data.data(), most);
  return {state.bcast_slot.data(), sizeof length + most};
}

/// Receives into state.bcast_slot.
Bytes receive_from(const Communicator& comm, ExchangeState& state, int parent) {
  const Wire type(short_bytes(comm.size()) + sizeof(std::size_t), MPI_BYTE);
  MPI_Status status;
  check_mpi(MPI_Recv(state.bcast_slot.data(), type.count, type.type, parent, bcast_tag,
                     comm.internal(), &status),
            "MPI_Recv");
  return {state.bcast_slot.data(), received_bytes(status)};
}

std::size_t size_through_tree(const Communicator& comm, ExchangeState& state, Bytes data,
                              int root) {
  const Tree tree(comm, root);
  const bool at_root = comm.is_root(root);
  const Bytes message =
      at_root ? first_message(comm, state, data) : receive_from(comm, state, tree.parent());
  send_down(comm, tree, message);
  if (at_root) return data.size();
  std::size_t length = message.size();
  const bool is_announcement = length > short_bytes(comm.size());
  if (is_announcement) std::memcpy(&length, message.data(), sizeof length);
  return length;
}

/// MPI_Bcast in pieces that it can count.
void bcast_pieces(const Communicator& comm, std::span<std::byte> data, int root) {
  while (!data.empty()) {
    const auto piece = data.first(std::min(data.size(), max_count));
    check_mpi(
        MPI_Bcast(piece.data(), static_cast<int>(piece.size()), MPI_BYTE, root, comm.native()),
        "MPI_Bcast");
    data = data.subspan(piece.size());
  }
}

}  // namespace

std::size_t bcast_size(const Communicator& comm, Bytes data, int root) {
  ExchangeState& state = comm.exchange_state();
  if (!state.bcast_expects_long) {
    return state.bcast_bytes = size_through_tree(comm, state, data, root);
  }
  Word length = data.size();
  check_mpi(MPI_Bcast(&length, 1, MPI_UINT64_T, root, comm.native()), "MPI_Bcast");
  return state.bcast_bytes = length;
}

void bcast_rest(const Communicator& comm, std::span<std::byte> data, int root) {
  ExchangeState& state = comm.exchange_state();
  const std::size_t most = short_bytes(comm.size());
  const bool is_long = state.bcast_bytes > most;
  if (state.bcast_expects_long) {
    bcast_pieces(comm, data, root);
  } else if (!is_long) {
    if (!comm.is_root(root)) copy({state.bcast_slot.data(), data.size()}, data.data());
  } else {
    if (!comm.is_root(root)) {
      copy({state.bcast_slot.data() + sizeof(std::size_t), most}, data.data());
    }
    bcast_pieces(comm, data.subspan(most), root);
  }
  state.bcast_expects_long = is_long;
}

}  // namespace cairn::detail
