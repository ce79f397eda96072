#include "cairn/collectives/sparse.hpp"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstring>
#include <string>

#include "cairn/collectives/buffer.hpp"
#include "cairn/collectives/requests.hpp"
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

void copy(std::span<const std::byte> from, std::byte* to) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
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
  const Wire type(bytes, MPI_BYTE);
  check_mpi(MPI_Mrecv(data, type.count, type.type, &message, MPI_STATUS_IGNORE), "MPI_Mrecv");
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
    const Wire type(message.data.size(), MPI_BYTE);
    check_mpi(MPI_Issend(message.data.data(), type.count, type.type, message.rank, tag,
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
// from and where it goes. Of a long message there is the header alone: the data go from the source
// to the destination by themselves, and are received when the header has come. Both sides know
// their order, which is that of the headers of one source.

struct Header {
  int source = 0;
  int destination = 0;
  std::size_t bytes = 0;
};

struct Record {
  Header header;
  std::span<const std::byte> data;  // empty if long

  [[nodiscard]] std::size_t bytes() const { return sizeof(Header) + data.size(); }
};

/// Calls with each record of `packed`, in order.
template <typename Call>
void for_each_record(const ByteParts& packed, std::size_t longest, const Call& call) {
  const std::byte* at = packed.data();
  const std::byte* end = at + packed.bytes();
  while (at != end) {
    Header header;
    std::memcpy(&header, at, sizeof header);
    at += sizeof header;
    const std::size_t here = header.bytes > longest ? 0 : header.bytes;
    call(Record{header, {at, here}});
    at += here;
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

/// The records of an outbox. What goes to the sender itself is copied, long or not, and has none.
auto records_of(const Communicator& comm, const ByteOutbox& out, std::size_t longest) {
  return [&comm, &out, longest](const auto& call) {
    for (std::size_t i = 0; i < out.size; ++i) {
      const ByteMessage message = out[i];
      if (message.rank == comm.rank()) continue;
      const bool is_long = message.data.size() > longest;
      call(Record{{comm.rank(), message.rank, message.data.size()},
                  is_long ? std::span<const std::byte>() : message.data});
    }
  };
}

/// The records that came.
auto records_of(const ByteParts& packed, std::size_t longest) {
  return [&packed, longest](const auto& call) { for_each_record(packed, longest, call); };
}

/// One exchange on its way.
class Packed {
 public:
  Packed(const Communicator& comm, SparseState& state, const ByteOutbox& out, ByteInbox& in,
         std::size_t longest)
      : comm_(comm), state_(state), out_(out), in_(in), longest_(longest) {}

  void exchange_densely() {
    start_long_sends();
    pack(
        state_, comm_.size(), records_of(comm_, out_, longest_),
        [](const Header& header) { return header.destination; }, state_.packed);
    all_to_all_bytes(comm_, state_.packed, state_.arrived);
    deliver();
  }

  /// First along the row to the column of the destination, then along that column. The messages
  /// from one rank to another all go the same way, so they keep their order.
  void exchange_over_grid() {
    if (!state_.grid) state_.grid = std::make_unique<Grid>(comm_);
    const Grid& grid = *state_.grid;
    start_long_sends();
    pack(
        state_, grid.row.size(), records_of(comm_, out_, longest_),
        [&](const Header& header) { return grid.column_of(header.destination); }, state_.packed);
    all_to_all_bytes(grid.row, state_.packed, state_.arrived);
    pack(
        state_, grid.column.size(), records_of(state_.arrived, longest_),
        [&](const Header& header) { return grid.row_of(header.destination); }, state_.forwarded);
    all_to_all_bytes(grid.column, state_.forwarded, state_.arrived);
    deliver();
  }

 private:
  void start_long_sends() {
    state_.requests.clear();
    for (std::size_t i = 0; i < out_.size; ++i) {
      const ByteMessage message = out_[i];
      if (message.rank == comm_.rank() || message.data.size() <= longest_) continue;
      const Wire type(message.data.size(), MPI_BYTE);
      check_mpi(
          MPI_Isend(message.data.data(), type.count, type.type, message.rank, long_message_tag,
                    comm_.internal(), &state_.requests.emplace_back(MPI_REQUEST_NULL)),
          "MPI_Isend");
    }
  }

  /// First makes room for all, since the room may move while it grows.
  void deliver() {
    records_of(state_.arrived, longest_)(
        [&](const Record& record) { in_.append(record.header.source, record.header.bytes); });
    std::size_t i = 0;
    records_of(state_.arrived, longest_)([&](const Record& record) {
      std::byte* place = in_.data(i++);
      if (record.header.bytes > longest_) {
        start_long_receive(record.header, place);
      } else {
        copy(record.data, place);
      }
    });
    finish();
    deliver_to_itself();
  }

  void start_long_receive(const Header& header, std::byte* place) {
    const Wire type(header.bytes, MPI_BYTE);
    check_mpi(MPI_Irecv(place, type.count, type.type, header.source, long_message_tag,
                        comm_.internal(), &state_.requests.emplace_back(MPI_REQUEST_NULL)),
              "MPI_Irecv");
  }

  void finish() { check_mpi(wait_for_all(state_.requests), "MPI_Wait"); }

  void deliver_to_itself() {
    for (std::size_t i = 0; i < out_.size; ++i) {
      const ByteMessage message = out_[i];
      if (message.rank != comm_.rank()) continue;
      copy(message.data, in_.append(message.rank, message.data.size()));
    }
  }

  const Communicator& comm_;
  SparseState& state_;
  const ByteOutbox& out_;
  ByteInbox& in_;
  std::size_t longest_;  // bytes that a message may have and still travel with others
};

// -----------------------------------------------------------------------------------------------

bool has_ranks(const Communicator& comm, const ByteOutbox& out) {
  for (std::size_t i = 0; i < out.size; ++i) {
    const int destination = out[i].rank;
    if (destination < 0 || destination >= comm.size()) return false;
  }
  return true;
}

bool has_messages_of(const ByteInbox& in, const ByteOutbox& out) {
  for (std::size_t i = 0; i < out.size; ++i) {
    if (in.holds(out[i].data)) return true;
  }
  return false;
}

/// The debug level of check.hpp.
void compare_exchange(const Communicator& comm, const SparseOptions& options,
                      const TypeName* element, const Where& where) {
  constexpr const char* routes[] = {"automatic", "dense", "direct", "grid"};
  const std::string text = std::string("route ") + routes[static_cast<int>(options.route)] +
                           ", message_bytes " + std::to_string(options.message_bytes);
  const TypeName name{text.c_str(), nullptr};
  compare(comm, {"sparse_exchange", element, Signature::any_count, Signature::no_root, &name},
          where);
}

Route agreed_route(const Communicator& comm, const ByteOutbox& out, const SparseOptions& options) {
  if (options.route != Route::automatic) return options.route;
  if (comm.size() <= always_dense_ranks) return Route::dense;
  std::uint64_t volume[] = {0, 0};
  for (std::size_t i = 0; i < out.size; ++i) {
    const std::size_t bytes = out[i].data.size();
    if (bytes > options.message_bytes) continue;
    volume[0] += 1;
    volume[1] += bytes;
  }
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
                           const SparseOptions& options, const TypeName* element,
                           const Where& where) {
  const Signature signature{"sparse_exchange", element};
  const Require require(comm, signature, where);
  require(has_ranks(comm, out), "destinations that are ranks");
  require(!has_messages_of(in, out), "messages that lie outside of the inbox");
  if (comm.is_checked()) compare_exchange(comm, options, element, where);
  SparseState& state = sparse_state(comm);
  in.clear();
  switch (agreed_route(comm, out, options)) {
    case Route::direct:
      exchange_directly(comm, state, out, in);
      break;
    case Route::grid:
      Packed(comm, state, out, in, options.message_bytes).exchange_over_grid();
      break;
    default:
      Packed(comm, state, out, in, options.message_bytes).exchange_densely();
      break;
  }
  in.sort();
}

}  // namespace detail

}  // namespace cairn
