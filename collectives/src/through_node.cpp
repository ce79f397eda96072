// MPI's arguments as the node engine takes them.

#include <cstddef>
#include <cstring>

#include "cairn/collectives/call.hpp"
#include "cairn/collectives/node_engine.hpp"

namespace cairn::detail {

namespace {

/// What `count` elements of a datatype carry, and whether they stand one behind the other. The
/// bytes are equal on ranks whose datatypes differ and have one signature, so that all choose
/// alike.
struct Payload {
  Payload(int n, MPI_Datatype t) : count(n), type(t) {
    MPI_Count size = 0;
    MPI_Count lower_bound = 0;
    MPI_Count extent = 0;
    check_mpi(MPI_Type_size_x(type, &size), "MPI_Type_size_x");
    check_mpi(MPI_Type_get_extent_x(type, &lower_bound, &extent), "MPI_Type_get_extent_x");
    bytes = static_cast<std::size_t>(size) * static_cast<std::size_t>(count);
    is_dense = size == extent && lower_bound == 0;
  }

  int count;
  MPI_Datatype type;
  std::size_t bytes;
  bool is_dense;
};

/// In memory of the engine.
std::byte* packed(NodeEngine& engine, const void* data, const Payload& payload) {
  std::byte* const bytes = engine.room(payload.bytes);
  int position = 0;
  check_mpi(MPI_Pack(data, payload.count, payload.type, bytes, static_cast<int>(payload.bytes),
                     &position, MPI_COMM_SELF),
            "MPI_Pack");
  return bytes;
}

void unpack(const std::byte* bytes, void* data, const Payload& payload) {
  int position = 0;
  check_mpi(MPI_Unpack(bytes, static_cast<int>(payload.bytes), &position, data, payload.count,
                       payload.type, MPI_COMM_SELF),
            "MPI_Unpack");
}

/// MPI packs at most so much.
constexpr std::size_t most_packed = std::size_t{1} << 30;

}  // namespace

bool through_node(NodeEngine& engine, const decltype(native_barrier)&) { return engine.barrier(); }

bool through_node(NodeEngine& engine, const decltype(native_bcast)&, void* data, int count,
                  MPI_Datatype type, int root) {
  const Payload payload(count, type);
  if (!engine.chosen(NodeOperation::bcast, payload.bytes) || payload.bytes > most_packed) {
    return false;
  }
  if (payload.is_dense) return engine.bcast(data, payload.bytes, root);
  std::byte* const bytes = packed(engine, data, payload);
  if (!engine.bcast(bytes, payload.bytes, root)) return false;
  unpack(bytes, data, payload);
  return true;
}

bool through_node(NodeEngine& engine, const decltype(native_reduce)&, const void* in, void* out,
                  int count, MPI_Datatype type, MPI_Op op, int root) {
  return engine.reduce(in, out, static_cast<std::size_t>(count), type, op, root);
}

bool through_node(NodeEngine& engine, const decltype(native_all_reduce)&, const void* in, void* out,
                  int count, MPI_Datatype type, MPI_Op op) {
  if (in != MPI_IN_PLACE) {
    const Payload payload(count, type);
    if (!engine.chosen(NodeOperation::all_reduce, payload.bytes) || !payload.is_dense) return false;
    if (payload.bytes > 0) std::memcpy(out, in, payload.bytes);
  }
  return engine.all_reduce(out, static_cast<std::size_t>(count), type, op);
}

bool through_node(NodeEngine& engine, const decltype(native_all_gather)&, const void* in,
                  int in_count, MPI_Datatype in_type, void* out, int out_count,
                  MPI_Datatype out_type) {
  const Payload sent(in_count, in_type);
  if (!engine.chosen(NodeOperation::all_gather, sent.bytes) || sent.bytes > most_packed) {
    return false;
  }
  const Payload received(out_count, out_type);
  if (!received.is_dense) return false;  // a struct with padding: so on every rank
  if (sent.is_dense) return engine.all_gather(in, out, sent.bytes);
  return engine.all_gather(packed(engine, in, sent), out, sent.bytes);
}

}  // namespace cairn::detail
