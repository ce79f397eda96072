/// How a collective is carried out: now, in the background (async.hpp), or many times (plan.hpp).
///
/// A collective is described once, as a function body(perform, frame) that performs MPI calls on
/// the buffers of its frame. `perform` decides how: the blocking call, or the one that gives a
/// request.
#pragma once

#include <mpi.h>

#include <concepts>
#include <cstddef>
#include <utility>

#include "cairn/collectives/buffer.hpp"
#include "cairn/collectives/check.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn {

namespace detail {

/// A collective of MPI in its two forms, which have the same arguments but for the request.
template <auto blocking, auto starting>
struct Native {
  const char* name;
};

inline constexpr Native<MPI_Barrier, MPI_Ibarrier> native_barrier{"MPI_Barrier"};
inline constexpr Native<MPI_Bcast, MPI_Ibcast> native_bcast{"MPI_Bcast"};
inline constexpr Native<MPI_Reduce, MPI_Ireduce> native_reduce{"MPI_Reduce"};
inline constexpr Native<MPI_Allreduce, MPI_Iallreduce> native_all_reduce{"MPI_Allreduce"};
inline constexpr Native<MPI_Scan, MPI_Iscan> native_scan{"MPI_Scan"};
inline constexpr Native<MPI_Exscan, MPI_Iexscan> native_exscan{"MPI_Exscan"};
inline constexpr Native<MPI_Reduce_scatter, MPI_Ireduce_scatter> native_reduce_scatter{
    "MPI_Reduce_scatter"};
inline constexpr Native<MPI_Reduce_scatter_block, MPI_Ireduce_scatter_block>
    native_reduce_scatter_block{"MPI_Reduce_scatter_block"};
inline constexpr Native<MPI_Gather, MPI_Igather> native_gather{"MPI_Gather"};
inline constexpr Native<MPI_Gatherv, MPI_Igatherv> native_gather_v{"MPI_Gatherv"};
inline constexpr Native<MPI_Scatter, MPI_Iscatter> native_scatter{"MPI_Scatter"};
inline constexpr Native<MPI_Scatterv, MPI_Iscatterv> native_scatter_v{"MPI_Scatterv"};
inline constexpr Native<MPI_Allgather, MPI_Iallgather> native_all_gather{"MPI_Allgather"};
inline constexpr Native<MPI_Allgatherv, MPI_Iallgatherv> native_all_gather_v{"MPI_Allgatherv"};
inline constexpr Native<MPI_Alltoall, MPI_Ialltoall> native_all_to_all{"MPI_Alltoall"};
inline constexpr Native<MPI_Alltoallv, MPI_Ialltoallv> native_all_to_all_v{"MPI_Alltoallv"};
inline constexpr Native<MPI_Alltoallw, MPI_Ialltoallw> native_all_to_all_w{"MPI_Alltoallw"};

/// The calls that a NodeEngine may do instead of MPI, with MPI's arguments: whether it did.
bool through_node(NodeEngine& engine, const decltype(native_barrier)&);
bool through_node(NodeEngine& engine, const decltype(native_bcast)&, void* data, int count,
                  MPI_Datatype type, int root);
bool through_node(NodeEngine& engine, const decltype(native_reduce)&, const void* in, void* out,
                  int count, MPI_Datatype type, MPI_Op op, int root);
bool through_node(NodeEngine& engine, const decltype(native_all_reduce)&, const void* in, void* out,
                  int count, MPI_Datatype type, MPI_Op op);
bool through_node(NodeEngine& engine, const decltype(native_all_gather)&, const void* in,
                  int in_count, MPI_Datatype in_type, void* out, int out_count,
                  MPI_Datatype out_type);

/// The buffers and the operation of a call, while it is under way.
template <typename In, typename Out, typename Op = Nothing>
struct Frame {
  using Result = typename Out::Result;
  static constexpr bool owns = In::owns || Out::owns || Op::owns;
  In in;
  Out out;
  Op op = {};

  /// After the call: throws what the operation threw.
  void complete() {
    if constexpr (requires { op.rethrow(); }) op.rethrow();
  }
  /// What the call returns: the output that was moved into it or made by it.
  Result release() { return out.release(); }
  /// The same, for a call that keeps it.
  const auto& kept() const noexcept { return out.container; }
};
template <typename In, typename Out>
Frame(In, Out) -> Frame<In, Out, Nothing>;
template <typename In, typename Out, typename Op>
Frame(In, Out, Op) -> Frame<In, Out, Op>;

/// Performs MPI calls at once.
class Now {
 public:
  explicit Now(const Communicator& comm) : comm_(comm.native()), engine_(comm.node_engine()) {}

  template <auto blocking, auto starting, typename... Args>
  void operator()(const Native<blocking, starting>& native, Args... args) {
    if constexpr (requires { through_node(*engine_, native, args...); }) {
      if (engine_ != nullptr && through_node(*engine_, native, args...)) return;
    }
    check_mpi(blocking(args..., comm_), native.name);
  }
  void receive(void* data, const Wire& wire, int source, int tag, MPI_Status& status) {
    check_mpi(MPI_Recv(data, wire.count, wire.type, source, tag, comm_, &status), "MPI_Recv");
  }

 private:
  MPI_Comm comm_;
  NodeEngine* engine_;
};

template <typename Frame, typename Body>
auto carry_out(const Communicator& comm, const Signature& signature, const Where& where,
               Frame frame, Body body) {
  compare_if_checked(comm, signature, where);
  Now now(comm);
  body(now, frame);
  frame.complete();
  return frame.release();
}

/// Who takes part in a call that goes on in the background (async.hpp).
struct Async {
  const Communicator& comm;
};
/// Who takes part in a call that is made many times (plan.hpp).
struct Planned {
  const Communicator& comm;
};

inline const Communicator& communicator_of(const Communicator& comm) noexcept { return comm; }
inline const Communicator& communicator_of(const Async& way) noexcept { return way.comm; }
inline const Communicator& communicator_of(const Planned& way) noexcept { return way.comm; }

constexpr Manner manner_of(const Communicator&) noexcept { return Manner::blocking; }
constexpr Manner manner_of(const Async&) noexcept { return Manner::async; }
constexpr Manner manner_of(const Planned&) noexcept { return Manner::planned; }

/// The preconditions of a call; see check.hpp.
template <typename W>
Require require_for(const W& way, const Signature& signature, const Where& where) {
  return {communicator_of(way), signature, where, manner_of(way)};
}

inline constexpr Native<MPI_Send, MPI_Isend> native_send{"MPI_Send"};

}  // namespace detail

/// The first argument of every collective says who takes part, and how the call is carried out:
///
/// | argument      | the call                                    | it returns          |
/// |---------------|---------------------------------------------|---------------------|
/// | comm          | blocks                                      | its result, or void |
/// | async(comm)   | starts, and goes on in the background        | Future (async.hpp)  |
/// | plan(comm)    | is prepared, to be started many times        | Plan (plan.hpp)     |
template <typename W>
concept Way = std::same_as<W, Communicator> || std::same_as<W, detail::Async> ||
    std::same_as<W, detail::Planned> || std::derived_from<W, Communicator>;

}  // namespace cairn
