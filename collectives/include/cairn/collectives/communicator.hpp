/// Communicator: a private duplicate of the caller's communicator, whose errors come back as Error.
#pragma once

#include <mpi.h>

#include "cairn/collectives/where.hpp"

namespace cairn {

class NodeEngine;
struct NodeEngineOptions;

namespace detail {
struct ExchangeState;
}

/// Owns a duplicate of an MPI communicator: library traffic never mixes with the caller's, and MPI
/// errors on it return (MPI_ERRORS_RETURN) and are thrown, whatever handler the caller has set.
///
/// Movable, not copyable. The destructor frees the duplicate unless MPI has been finalised; freeing
/// is collective in MPI's sense, so communicators are destroyed in the same order on all their
/// ranks.
class Communicator {
 public:
  /// Collective over `parent`. The name shows in MPI's own messages and in debuggers.
  /// @throws Error{Errc::usage} on all ranks for an intercommunicator, and, agreed, when
  /// CAIRN_CHECK is neither empty nor "collectives"
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  explicit Communicator(MPI_Comm parent, const char* name = "cairn");

  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator();

  /// Another duplicate of the same ranks. Collective.
  [[nodiscard]] Communicator duplicate(const char* name, Where where = Where::here()) const;

  /// The ranks with equal `colour` (≥ 0), ordered by `key`, then by rank here. Collective.
  [[nodiscard]] Communicator split(int colour, int key = 0, const char* name = "cairn.split",
                                   Where where = Where::here()) const;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  [[nodiscard]] bool is_root(int root = 0) const noexcept { return rank_ == root; }

  /// The MPI handle, still owned by this object.
  [[nodiscard]] MPI_Comm native() const noexcept { return handle_; }

  /// A second duplicate for the library's own point-to-point messages, which a receive from any
  /// source on native() must never see. The first call makes it and is collective; the later ones
  /// are local.
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  [[nodiscard]] MPI_Comm internal() const {
    return internal_ != MPI_COMM_NULL ? internal_ : make_internal();
  }

  /// Lets blocking barrier, bcast, reduce, all_reduce and all_gather on this communicator go
  /// through the memory of the node where that is faster (node_engine.hpp). The communicator that
  /// Runtime makes has it when CAIRN_NODE_ENGINE is `on` or `auto`. Collective; some 20 ms, in
  /// which engine and MPI are measured.
  ///
  /// Off by default, since the choice between engine and MPI, which is made by time, can change the
  /// last bits of floating-point sums; exact_sum and integers are the same either way.
  /// @throws Error{Errc::usage}, agreed, when CAIRN_NODE_ENGINE is none of its words
  void use_node_engine();
  void use_node_engine(const NodeEngineOptions& options);
  /// The engine, null without one. Local.
  [[nodiscard]] NodeEngine* node_engine() const noexcept { return node_engine_; }

  /// Whether the ranks compare what they call before each collective (check.hpp): CAIRN_CHECK was
  /// "collectives" when this object was made. Local.
  [[nodiscard]] bool is_checked() const noexcept { return is_checked_; }

  /// What the exchanges of unknown counts remember from call to call, and their buffers. Made, with
  /// internal(), by the first of them.
  [[nodiscard]] detail::ExchangeState& exchange_state() const {
    return exchange_state_ != nullptr ? *exchange_state_ : make_exchange_state();
  }

 private:
  struct Adopt {};
  Communicator(Adopt, MPI_Comm handle, const char* name);
  friend class CartesianGrid;
  friend class NeighbourGraph;
  void release() noexcept;
  MPI_Comm make_internal() const;
  detail::ExchangeState& make_exchange_state() const;

  MPI_Comm handle_ = MPI_COMM_NULL;
  mutable MPI_Comm internal_ = MPI_COMM_NULL;
  mutable detail::ExchangeState* exchange_state_ =
      nullptr;                         // owned; <memory> would cost every user
  NodeEngine* node_engine_ = nullptr;  // owned, likewise
  int rank_ = 0;
  int size_ = 1;
  bool is_checked_ = false;
};

}  // namespace cairn
