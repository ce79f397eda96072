/// What stands behind NodeEngine and NodeWindow.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cairn/collectives/byte_buffer.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/node_engine.hpp"
#include "node_group.hpp"
#include "node_layout.hpp"
#include "reduction_kernels.hpp"
#include "store_choice.hpp"

namespace cairn {

/// The operations themselves, over one node or several. Nothing here asks whether the engine is the
/// better choice.
class NodeEngine::Impl {
 public:
  Impl(const Communicator& comm, const NodeEngineOptions& options);

  void barrier();
  void bcast(std::byte* data, std::size_t bytes, int root);
  void reduce(const std::byte* in, std::byte* out, std::size_t n,
              const detail::Reduction& reduction, MPI_Datatype type, MPI_Op operation, int root);
  void all_reduce(std::byte* inout, std::size_t n, const detail::Reduction& reduction,
                  MPI_Datatype type, MPI_Op operation);
  [[nodiscard]] bool can_gather(std::size_t bytes) const noexcept;
  void all_gather(const std::byte* in, std::byte* out, std::size_t bytes);
  /// @param vectors  shape [ranks of the node]
  void all_reduce_shared(std::span<std::byte* const> vectors, std::size_t n,
                         const detail::Reduction& reduction, MPI_Datatype type, MPI_Op operation);
  /// MPI's own, in place, for any n.
  void mpi_all_reduce(std::byte* inout, std::size_t n, MPI_Datatype type, MPI_Op operation) const;

  /// Measures every operation at every size that the budget allows; see node_probe.cpp.
  [[nodiscard]] std::vector<NodeEngineReport::Row> measure(NodeEngine& engine,
                                                           double budget_seconds);

  /// No other engine of the process has it, whereas addresses come again.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] bool available() const noexcept { return group_.has_value(); }
  [[nodiscard]] const Communicator& comm() const noexcept { return comm_; }
  [[nodiscard]] const Communicator* node() const noexcept {
    return available() ? &layout_->node : nullptr;
  }

  NodeEngineReport report;
  detail::ByteBuffer room;

 private:
  class Probe;

  void share_memory();
  void keep_stores_right(std::size_t bytes);
  void note_stores();
  [[nodiscard]] bool one_node() const noexcept { return layout_->nodes() == 1; }
  [[nodiscard]] int node_of(int rank) const noexcept;
  [[nodiscard]] int rank_in_node(int rank) const noexcept;
  void reduce_over_nodes(std::byte* target, std::size_t n, MPI_Datatype type, MPI_Op operation,
                         int root);

  Communicator comm_;
  std::uint64_t number_;
  std::optional<detail::NodeLayout> layout_;
  std::optional<detail::NodeGroup> group_;
  std::optional<detail::StoreChoice> stores_;
  std::vector<std::byte> scratch_;  // a piece, for reductions over nodes
  std::vector<int> counts_;         // shape [nodes], for all_gather over nodes
  std::vector<int> displacements_;
};

class NodeWindow::Impl {
 public:
  /// Shared when the engine is available, private otherwise.
  Impl(const NodeEngine::Impl& engine, std::size_t bytes);

  [[nodiscard]] bool belongs_to(const NodeEngine::Impl& engine) const noexcept {
    return engine_ == engine.number();
  }

  [[nodiscard]] std::span<std::byte* const> vectors() const noexcept { return vectors_; }
  [[nodiscard]] std::byte* mine() const noexcept { return mine_; }

 private:
  struct AlignedDelete {
    void operator()(std::byte* memory) const noexcept;
  };

  std::uint64_t engine_;  // its number()
  std::optional<detail::SharedMemory> shared_;
  std::unique_ptr<std::byte, AlignedDelete> private_;
  std::vector<std::byte*> vectors_;  // shape [ranks of the node]; empty when private
  std::byte* mine_ = nullptr;
};

}  // namespace cairn
