#include "cairn/collectives/node_engine.hpp"

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/mpi_error.hpp"
#include "copy_bytes.hpp"
#include "node_engine_impl.hpp"

namespace cairn {

namespace {

/// What goes over the network at once: while a leader sends one piece, its node handles others.
constexpr std::size_t piece_bytes = std::size_t{1} << 20;

/// Polls before a waiting rank starts to yield: some 20 µs, longer than any wait for a chunk.
constexpr unsigned patient_polls = 1000;

/// After so long the probe at the start begins no further measurement; a quiet machine with a core
/// for each rank needs less.
constexpr double probe_seconds = 0.02;
constexpr double probe_seconds_when_oversubscribed = 0.05;
constexpr double patient_probe_seconds = 2.0;

/// Engines of this process so far.
std::atomic<std::uint64_t> engines_made = 0;

std::byte* bytes_of(void* data) { return static_cast<std::byte*>(data); }
const std::byte* bytes_of(const void* data) { return static_cast<const std::byte*>(data); }

NodeEngineMode mode_of_environment() {
  const char* const value = std::getenv("CAIRN_NODE_ENGINE");
  const std::string_view word = value == nullptr ? "" : value;
  if (word.empty() || word == "auto") return NodeEngineMode::automatic;
  if (word == "on") return NodeEngineMode::on;
  if (word == "off") return NodeEngineMode::off;
  throw Error(Errc::usage,
              "CAIRN_NODE_ENGINE: '" + std::string(word) + "' is none of off, on and auto");
}

/// The mode of rank 0, on every rank.
NodeEngineMode agreed_mode(const Communicator& comm, NodeEngineMode wanted) {
  auto mode = together(comm, [&] {
    if (!comm.is_root() || wanted != NodeEngineMode::environment) return wanted;
    return mode_of_environment();
  });
  check_mpi(MPI_Bcast(&mode, sizeof mode, MPI_BYTE, 0, comm.native()), "MPI_Bcast");
  return mode;
}

/// Calls work(first, count) for pieces of n elements.
template <typename Work>
void for_pieces(std::size_t n, std::size_t element_bytes, Work&& work) {
  const std::size_t piece = piece_bytes / element_bytes;
  for (std::size_t first = 0; first < n; first += piece) work(first, std::min(piece, n - first));
}

}  // namespace

// ---------------------------------------------------------------------------------------------

NodeEngine::Impl::Impl(const Communicator& comm, const NodeEngineOptions& options)
    : comm_(comm.duplicate("cairn.node_engine")), number_(++engines_made) {
  report.mode = agreed_mode(comm_, options.mode);
  report.ranks = comm_.size();
  report.instruction_set = detail::instruction_set();
  if (report.mode == NodeEngineMode::off) {
    report.why_not = "switched off";
    return;
  }
  layout_.emplace(detail::NodeLayout::of(comm_, options.ranks_per_node, options.in_turn));
  report.nodes = layout_->nodes();
  report.ranks_per_node = layout_->largest_node();
  report.cores = layout_->cores;
  report.oversubscribed = layout_->oversubscribed;
  if (report.ranks_per_node == 1) {
    report.why_not = "no two ranks share a node";
  } else {
    share_memory();
  }
}

void NodeEngine::Impl::share_memory() {
  const detail::Patience patience(comm_.native(), report.oversubscribed ? 0 : patient_polls);
  group_ = detail::NodeGroup::make(layout_->node, patience);
  if (!agree(comm_, group_.has_value())) {
    group_.reset();
    report.why_not = "the ranks of a node cannot map each other's memory";
    return;
  }
  report.available = true;
  stores_.emplace(*group_);
  stores_->choose();
  note_stores();
  if (one_node()) return;
  scratch_.resize(piece_bytes);
  counts_.resize(static_cast<std::size_t>(layout_->nodes()));
  displacements_.resize(counts_.size());
}

/// Before each call of `bytes` bytes, equal on all ranks of a node.
void NodeEngine::Impl::keep_stores_right(std::size_t bytes) {
  const auto looks = stores_->looks();
  stores_->keep_right(bytes);
  if (stores_->looks() != looks) note_stores();
}

void NodeEngine::Impl::note_stores() {
  report.streaming = stores_->stores() == detail::NodeGroup::Stores::streaming;
  report.looks = stores_->looks();
}

int NodeEngine::Impl::node_of(int rank) const noexcept {
  return layout_->node_of[static_cast<std::size_t>(rank)];
}

int NodeEngine::Impl::rank_in_node(int rank) const noexcept {
  return layout_->rank_in_node[static_cast<std::size_t>(rank)];
}

void NodeEngine::Impl::barrier() {
  group_->barrier();
  if (one_node()) return;
  if (layout_->is_leader()) check_mpi(MPI_Barrier(layout_->leaders.native()), "MPI_Barrier");
  group_->barrier();
}

void NodeEngine::Impl::bcast(std::byte* data, std::size_t bytes, int root) {
  keep_stores_right(bytes);
  if (one_node()) {
    group_->bcast(data, bytes, rank_in_node(root));
    return;
  }
  const bool at_home = node_of(root) == node_of(comm_.rank());
  for_pieces(bytes, 1, [&](std::size_t first, std::size_t count) {
    std::byte* const piece = data + first;
    if (at_home) group_->bcast(piece, count, rank_in_node(root));
    if (layout_->is_leader()) {
      check_mpi(MPI_Bcast(piece, static_cast<int>(count), MPI_BYTE, node_of(root),
                          layout_->leaders.native()),
                "MPI_Bcast");
    }
    if (!at_home) group_->bcast(piece, count, 0);
  });
}

/// Reduces the leaders' `target` into that of the leader of `root`'s node.
void NodeEngine::Impl::reduce_over_nodes(std::byte* target, std::size_t n, MPI_Datatype type,
                                         MPI_Op operation, int root) {
  const bool is_target = node_of(root) == layout_->leaders.rank();
  check_mpi(
      MPI_Reduce(is_target ? MPI_IN_PLACE : target, is_target ? target : nullptr,
                 static_cast<int>(n), type, operation, node_of(root), layout_->leaders.native()),
      "MPI_Reduce");
}

void NodeEngine::Impl::reduce(const std::byte* in, std::byte* out, std::size_t n,
                              const detail::Reduction& reduction, MPI_Datatype type,
                              MPI_Op operation, int root) {
  keep_stores_right(n * reduction.element_bytes);
  if (one_node()) {
    group_->reduce(in, out, n, reduction, rank_in_node(root));
    return;
  }
  const std::size_t width = reduction.element_bytes;
  const bool is_root = comm_.is_root(root);
  const bool at_home = node_of(root) == node_of(comm_.rank());
  for_pieces(n, width, [&](std::size_t first, std::size_t count) {
    std::byte* const target = is_root ? out + first * width : scratch_.data();
    group_->reduce(in + first * width, target, count, reduction, 0);
    if (layout_->is_leader()) reduce_over_nodes(target, count, type, operation, root);
    if (at_home && rank_in_node(root) != 0)
      group_->move(target, count * width, 0, rank_in_node(root));
  });
}

void NodeEngine::Impl::all_reduce(std::byte* inout, std::size_t n,
                                  const detail::Reduction& reduction, MPI_Datatype type,
                                  MPI_Op operation) {
  keep_stores_right(n * reduction.element_bytes);
  if (one_node()) {
    group_->all_reduce(inout, inout, n, reduction);
    return;
  }
  for_pieces(n, reduction.element_bytes, [&](std::size_t first, std::size_t count) {
    std::byte* const piece = inout + first * reduction.element_bytes;
    group_->reduce(piece, piece, count, reduction, 0);
    if (layout_->is_leader()) {
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, piece, static_cast<int>(count), type, operation,
                              layout_->leaders.native()),
                "MPI_Allreduce");
    }
    group_->bcast(piece, count * reduction.element_bytes, 0);
  });
}

/// Over nodes a node's part must be one piece of `out`, of a size that MPI_Allgatherv can count.
bool NodeEngine::Impl::can_gather(std::size_t bytes) const noexcept {
  return one_node() ||
         (layout_->consecutive() &&
          bytes <= static_cast<std::size_t>(INT_MAX) / static_cast<std::size_t>(comm_.size()));
}

void NodeEngine::Impl::all_gather(const std::byte* in, std::byte* out, std::size_t bytes) {
  keep_stores_right(one_node() ? bytes : bytes * static_cast<std::size_t>(comm_.size()));
  if (one_node()) {
    group_->all_gather(in, out, bytes);
    return;
  }
  const int width = static_cast<int>(bytes);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] = layout_->node_size[i] * width;
    displacements_[i] = layout_->first_rank[i] * width;
  }
  const auto here = static_cast<std::size_t>(node_of(comm_.rank()));
  group_->gather(in, out + displacements_[here], bytes, 0);
  if (layout_->is_leader()) {
    check_mpi(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, out, counts_.data(),
                             displacements_.data(), MPI_BYTE, layout_->leaders.native()),
              "MPI_Allgatherv");
  }
  group_->bcast(out, bytes * static_cast<std::size_t>(comm_.size()), 0);
}

void NodeEngine::Impl::all_reduce_shared(std::span<std::byte* const> vectors, std::size_t n,
                                         const detail::Reduction& reduction, MPI_Datatype type,
                                         MPI_Op operation) {
  if (one_node()) {
    group_->all_reduce_shared(vectors, n, reduction);
    return;
  }
  group_->reduce_shared(vectors, n, reduction);
  if (layout_->is_leader()) {
    for_pieces(n, reduction.element_bytes, [&](std::size_t first, std::size_t count) {
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, vectors[0] + first * reduction.element_bytes,
                              static_cast<int>(count), type, operation, layout_->leaders.native()),
                "MPI_Allreduce");
    });
  }
  group_->barrier();
  if (!layout_->is_leader()) {
    detail::copy_bytes(vectors[static_cast<std::size_t>(layout_->node.rank())], vectors[0],
                       n * reduction.element_bytes);
  }
  group_->barrier();  // rank 0 may write its vector again
}

void NodeEngine::Impl::mpi_all_reduce(std::byte* inout, std::size_t n, MPI_Datatype type,
                                      MPI_Op operation) const {
  int width = 0;
  check_mpi(MPI_Type_size(type, &width), "MPI_Type_size");
  constexpr std::size_t most = INT_MAX;
  for (std::size_t first = 0; first < n; first += most) {
    check_mpi(
        MPI_Allreduce(MPI_IN_PLACE, inout + first * static_cast<std::size_t>(width),
                      static_cast<int>(std::min(most, n - first)), type, operation, comm_.native()),
        "MPI_Allreduce");
  }
}

// ---------------------------------------------------------------------------------------------

NodeEngine::NodeEngine(const Communicator& comm, const NodeEngineOptions& options)
    : impl_(std::make_unique<Impl>(comm, options)) {
  if (!impl_->available()) return;
  if (impl_->report.mode == NodeEngineMode::on) {
    chosen_.fill(all_classes);
    return;
  }
  auto& report = impl_->report;
  report.rows = impl_->measure(
      *this, report.oversubscribed ? probe_seconds_when_oversubscribed : probe_seconds);
  adopt(report);
}

/// Sizes above the largest measured one are treated like it, but left to MPI when ranks outnumber
/// cores: there large messages behave unlike small ones.
void NodeEngine::adopt(const NodeEngineReport& report) noexcept {
  chosen_ = {};
  for (const auto& row : report.rows) {
    const unsigned here = 1U << size_class(row.bytes);
    const bool and_above = !report.oversubscribed || row.operation == NodeOperation::barrier;
    const unsigned above = and_above ? all_classes & ~(2 * here - 1) : 0U;
    auto& classes = chosen_[static_cast<std::size_t>(row.operation)];
    classes =
        static_cast<std::uint16_t>(row.chosen ? classes | here | above : classes & ~(here | above));
  }
}

NodeEngine::NodeEngine(NodeEngine&& other) noexcept
    : chosen_(std::exchange(other.chosen_, {})), impl_(std::move(other.impl_)) {}

NodeEngine& NodeEngine::operator=(NodeEngine&& other) noexcept {
  chosen_ = std::exchange(other.chosen_, {});
  impl_ = std::move(other.impl_);
  return *this;
}

NodeEngine::~NodeEngine() = default;

bool NodeEngine::barrier() {
  if (!chosen(NodeOperation::barrier, 0)) return false;
  impl_->barrier();
  return true;
}

bool NodeEngine::bcast(void* data, std::size_t bytes, int root) {
  expects(root >= 0 && root < impl_->comm().size(), "a rank of the communicator");
  if (!chosen(NodeOperation::bcast, bytes)) return false;
  impl_->bcast(bytes_of(data), bytes, root);
  return true;
}

bool NodeEngine::reduce(const void* in, void* out, std::size_t n, MPI_Datatype type,
                        MPI_Op operation, int root) {
  expects(root >= 0 && root < impl_->comm().size(), "a rank of the communicator");
  const auto reduction = detail::reduction_of(type, operation);
  if (!reduction || !chosen(NodeOperation::reduce, n * reduction.element_bytes)) return false;
  impl_->reduce(bytes_of(in), bytes_of(out), n, reduction, type, operation, root);
  return true;
}

bool NodeEngine::all_reduce(void* inout, std::size_t n, MPI_Datatype type, MPI_Op operation) {
  const auto reduction = detail::reduction_of(type, operation);
  if (!reduction || !chosen(NodeOperation::all_reduce, n * reduction.element_bytes)) return false;
  impl_->all_reduce(bytes_of(inout), n, reduction, type, operation);
  return true;
}

bool NodeEngine::all_gather(const void* in, void* out, std::size_t bytes) {
  if (!chosen(NodeOperation::all_gather, bytes) || !impl_->can_gather(bytes)) return false;
  impl_->all_gather(bytes_of(in), bytes_of(out), bytes);
  return true;
}

void NodeEngine::all_reduce(NodeWindow& window, std::size_t n, MPI_Datatype type,
                            MPI_Op operation) {
  int width = 0;
  check_mpi(MPI_Type_size(type, &width), "MPI_Type_size");
  const auto element_bytes = static_cast<std::size_t>(std::max(width, 1));
  expects(n <= window.bytes() / element_bytes, "a window of at least n elements");
  expects(window.impl_->belongs_to(*impl_), "a window of this engine");
  const auto reduction = detail::reduction_of(type, operation);
  if (reduction && chosen(NodeOperation::all_reduce_window, n * element_bytes)) {
    impl_->all_reduce_shared(window.impl_->vectors(), n, reduction, type, operation);
  } else {
    impl_->mpi_all_reduce(window.data(), n, type, operation);
  }
}

std::byte* NodeEngine::room(std::size_t bytes) { return impl_->room.reserve(bytes); }

NodeEngineReport NodeEngine::measure() {
  auto report = impl_->report;
  if (impl_->available()) report.rows = impl_->measure(*this, patient_probe_seconds);
  return report;
}

const NodeEngineReport& NodeEngine::report() const noexcept { return impl_->report; }

}  // namespace cairn
