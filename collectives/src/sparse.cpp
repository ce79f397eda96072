#include "cairn/collectives/sparse.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>

#include "cairn/collectives/count.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "exchange_state.hpp"
#include "sparse_state.hpp"

namespace cairn {

Route choose_route(int ranks, const Volume& volume, std::size_t message_bytes) {
  const auto p = static_cast<double>(ranks);
  const auto m = static_cast<double>(message_bytes);
  const auto bytes = static_cast<double>(volume.bytes);
  const auto messages = static_cast<double>(volume.messages);
  const double dense = p * m + bytes;
  const double direct = 2 * (messages + std::log2(p)) * m + bytes;
  const double grid = 2 * std::sqrt(p) * m + 2 * bytes;
  if (dense <= direct && dense <= grid) return Route::dense;
  return direct <= grid ? Route::direct : Route::grid;
}

namespace detail {

namespace {

std::size_t index(int rank) { return static_cast<std::size_t>(rank); }

std::byte* copy(std::span<const std::byte> from, std::byte* to) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
  return to + from.size();
}

int square_root(int p) {
  int root = 1;
  while ((root + 1) * (root + 1) <= p) ++root;
  return root;
}

/// The row of a rank, which for a guest is the one that it visits.
int row_or_host(int rank, int columns, int ranks) {
  const int full_rows = ranks / columns;
  const int row = rank / columns;
  return row < full_rows ? row : rank % columns;
}

// --- direct: NBX -------------------------------------------------------------------------------
// Every message is sent synchronously: its send ends only when it has been matched by a receive. A
// rank whose sends have ended enters a barrier that does not block and goes on receiving; when the
// barrier ends, all messages of all ranks have been matched, so there is nothing left to wait for.
//
// Why two tags that take turns suffice. Let a rank leave round k: the barrier k has ended, so every
// rank has entered it, so every message of round k is matched. It may send messages of round k+1 to
// a rank B that is still in round k, waiting to see the barrier's end; B asks for the tag of round
// k only, so they wait until B is in round k+1. No rank can leave round k+1, hence send messages of
// round k+2 under the tag of round k, before B has entered barrier k+1, hence left round k. With
// one tag B would take a message of round k+1 for one of round k.

/// Receives a message of this round, if one is there.
bool receive_one(MPI_Comm comm, int tag, ByteInbox& in) {
  int found = 0;
  MPI_Message message = MPI_MESSAGE_NULL;
  MPI_Status status;
  check_mpi(MPI_Improbe(MPI_ANY_SOURCE, tag, comm, &found, &message, &status), "MPI_Improbe");
  if (found == 0) return false;
  const std::size_t bytes = received_bytes(status);
  std::byte* data = in.append(status.MPI_SOURCE, bytes);
  const BigType type(bytes, MPI_BYTE);
  check_mpi(MPI_Mrecv(data, type.count(), type.type(), &message, MPI_STATUS_IGNORE), "MPI_Mrecv");
  return true;
}

void start_sends(const Communicator& comm, SparseState& state, int tag, const ByteOutbox& out,
                 ByteInbox& in) {
  state.requests.clear();
  for (std::size_t i = 0; i < out.size; ++i) {
    const ByteMessage message = out[i];
    if (message.rank == comm.rank()) {
      copy(message.data, in.append(message.rank, message.data.size()));
      continue;
    }
    const BigType type(message.data.size(), MPI_BYTE);
    check_mpi(MPI_Issend(message.data.data(), type.count(), type.type(), message.rank, tag,
                         comm.internal(), &state.requests.emplace_back(MPI_REQUEST_NULL)),
              "MPI_Issend");
  }
}

bool sends_have_ended(SparseState& state) {
  int ended = 0;
  check_mpi(MPI_Testall(static_cast<int>(state.requests.size()), state.requests.data(), &ended,
                        MPI_STATUSES_IGNORE),
            "MPI_Testall");
  return ended != 0;
}

void exchange_directly(const Communicator& comm, SparseState& state, const ByteOutbox& out,
                       ByteInbox& in) {
  expects(out.size <= INT_MAX, "at most 2^31 - 1 messages");
  const int tag = sparse_tag + state.turn;
  state.turn = 1 - state.turn;
  start_sends(comm, state, tag, out, in);
  MPI_Request barrier = MPI_REQUEST_NULL;
  bool in_barrier = false;
  for (int all_done = 0; all_done == 0;) {
    while (receive_one(comm.internal(), tag, in)) {
    }
    if (in_barrier) {
      check_mpi(MPI_Test(&barrier, &all_done, MPI_STATUS_IGNORE), "MPI_Test");
    } else if (sends_have_ended(state)) {
      check_mpi(MPI_Ibarrier(comm.internal(), &barrier), "MPI_Ibarrier");
      in_barrier = true;
    }
  }
}

// --- dense and grid: records -------------------------------------------------------------------
// All messages for the same next rank travel as one, each behind a header that says where it comes
// from and where it goes.

struct Header {
  int source = 0;
  int destination = 0;
  std::size_t bytes = 0;
};

struct Record {
  Header header;
  std::span<const std::byte> data;

  [[nodiscard]] std::size_t bytes() const { return sizeof(Header) + data.size(); }
};

/// Calls with each record of `packed`, in order.
template <typename Call>
void for_each_record(const ByteParts& packed, const Call& call) {
  const std::byte* at = packed.data();
  const std::byte* end = at + packed.bytes();
  while (at != end) {
    Header header;
    std::memcpy(&header, at, sizeof header);
    call(Record{header, {at + sizeof header, header.bytes}});
    at += sizeof header + header.bytes;
  }
}

/// Sorts records into one part for each rank that comes next: `for_each` calls with each record,
/// the same ones twice.
template <typename ForEach, typename NextRank>
void pack(SparseState& state, int ranks, const ForEach& for_each, const NextRank& next_rank,
          ByteParts& packed) {
  state.part_bytes.assign(index(ranks), 0);
  for_each([&](const Record& record) {
    state.part_bytes[index(next_rank(record.header))] += record.bytes();
  });
  packed.reshape(state.part_bytes);
  state.filled.assign(index(ranks), 0);
  for_each([&](const Record& record) {
    const std::size_t r = index(next_rank(record.header));
    std::byte* at = packed.part(r) + state.filled[r];
    std::memcpy(at, &record.header, sizeof(Header));
    copy(record.data, at + sizeof(Header));
    state.filled[r] += record.bytes();
  });
}

/// The records of an outbox. What goes to the sender itself needs none.
auto records_of(const Communicator& comm, const ByteOutbox& out) {
  return [&comm, &out](const auto& call) {
    for (std::size_t i = 0; i < out.size; ++i) {
      const ByteMessage message = out[i];
      if (message.rank == comm.rank()) continue;
      call(Record{{comm.rank(), message.rank, message.data.size()}, message.data});
    }
  };
}

void deliver(const ByteParts& packed, ByteInbox& in) {
  for_each_record(packed, [&](const Record& record) {
    copy(record.data, in.append(record.header.source, record.data.size()));
  });
}

void deliver_to_itself(const Communicator& comm, const ByteOutbox& out, ByteInbox& in) {
  for (std::size_t i = 0; i < out.size; ++i) {
    const ByteMessage message = out[i];
    if (message.rank == comm.rank()) {
      copy(message.data, in.append(message.rank, message.data.size()));
    }
  }
}

void exchange_densely(const Communicator& comm, SparseState& state, const ByteOutbox& out,
                      ByteInbox& in) {
  pack(
      state, comm.size(), records_of(comm, out),
      [](const Header& header) { return header.destination; }, state.packed);
  all_to_all_bytes(comm, state.packed, state.arrived);
  deliver_to_itself(comm, out, in);
  deliver(state.arrived, in);
}

/// First along the row to the column of the destination, then along that column. The messages from
/// one rank to another all go the same way, so they keep their order.
void exchange_over_grid(const Communicator& comm, SparseState& state, const ByteOutbox& out,
                        ByteInbox& in) {
  if (!state.grid) state.grid = std::make_unique<Grid>(comm);
  const Grid& grid = *state.grid;
  pack(
      state, grid.row.size(), records_of(comm, out),
      [&](const Header& header) { return grid.column_of(header.destination); }, state.packed);
  all_to_all_bytes(grid.row, state.packed, state.arrived);
  const auto arrived = [&](const auto& call) { for_each_record(state.arrived, call); };
  pack(
      state, grid.column.size(), arrived,
      [&](const Header& header) { return grid.row_of(header.destination); }, state.forwarded);
  all_to_all_bytes(grid.column, state.forwarded, state.arrived);
  deliver_to_itself(comm, out, in);
  deliver(state.arrived, in);
}

// -----------------------------------------------------------------------------------------------

void expect_destinations(const Communicator& comm, const ByteOutbox& out) {
  for (std::size_t i = 0; i < out.size; ++i) {
    const int destination = out[i].rank;
    expects(destination >= 0 && destination < comm.size(), "destinations that are ranks");
  }
}

Route agreed_route(const Communicator& comm, const ByteOutbox& out, const SparseOptions& options) {
  if (options.route != Route::automatic) return options.route;
  if (comm.size() <= always_dense_ranks) return Route::dense;
  std::uint64_t volume[] = {out.size, 0};
  for (std::size_t i = 0; i < out.size; ++i) volume[1] += out[i].data.size();
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, volume, 2, MPI_UINT64_T, MPI_MAX, comm.native()),
            "MPI_Allreduce");
  return choose_route(comm.size(), {volume[0], volume[1]}, options.message_bytes);
}

SparseState& sparse_state(const Communicator& comm) {
  ExchangeState& state = comm.exchange_state();
  if (!state.sparse) state.sparse = std::make_unique<SparseState>();
  return *state.sparse;
}

}  // namespace

Grid::Grid(const Communicator& comm)
    : columns(square_root(comm.size())),
      row(comm.split(row_or_host(comm.rank(), columns, comm.size()), comm.rank(), "cairn.row")),
      column(comm.split(column_of(comm.rank()), comm.rank(), "cairn.column")) {}

void ByteInbox::sort() {
  const auto before = [](const Entry& a, const Entry& b) {
    return a.source != b.source ? a.source < b.source : a.number < b.number;
  };
  if (!std::is_sorted(entries_.begin(), entries_.end(), before)) {
    std::sort(entries_.begin(), entries_.end(), before);
  }
}

void sparse_exchange_bytes(const Communicator& comm, const ByteOutbox& out, ByteInbox& in,
                           const SparseOptions& options) {
  expect_destinations(comm, out);
  SparseState& state = sparse_state(comm);
  in.clear();
  switch (agreed_route(comm, out, options)) {
    case Route::direct:
      exchange_directly(comm, state, out, in);
      break;
    case Route::grid:
      exchange_over_grid(comm, state, out, in);
      break;
    default:
      exchange_densely(comm, state, out, in);
      break;
  }
  in.sort();
}

}  // namespace detail

}  // namespace cairn
