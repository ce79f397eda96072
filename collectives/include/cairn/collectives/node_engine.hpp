/// NodeEngine: collectives through memory that the ranks of a node share, where that is faster than
/// MPI's own.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/core/error.hpp"

namespace cairn {

/// What the engine can do instead of MPI.
enum class NodeOperation : std::uint8_t {
  barrier,
  bcast,
  reduce,
  all_reduce,
  all_gather,
  all_reduce_window,  ///< of a WindowVector: without copies in and out
};

[[nodiscard]] const char* name_of(NodeOperation operation) noexcept;

/// When the engine is used.
enum class NodeEngineMode : std::uint8_t {
  environment,  ///< as CAIRN_NODE_ENGINE=off|on|auto says on rank 0; automatic without it
  off,          ///< never
  on,           ///< wherever it can
  automatic,    ///< where a measurement at the start found it clearly faster than MPI
};

/// The defaults are right outside of tests.
struct NodeEngineOptions {
  NodeEngineMode mode = NodeEngineMode::environment;
  /// Ranks of one machine are taken for several nodes of at most so many ranks each; 0: they are
  /// one node.
  int ranks_per_node = 0;
  /// These nodes are dealt the ranks in turn, as by mpirun --map-by node.
  bool in_turn = false;
};

/// What the engine found, equal on every rank unless said otherwise.
struct NodeEngineReport {
  /// One call on the slowest rank, median of several.
  struct Row {
    NodeOperation operation;
    std::size_t bytes;  ///< of one rank's input; 0 for a barrier
    double engine_seconds;
    double mpi_seconds;
    bool chosen;  ///< the engine, from `bytes` up to the next row's, or without end
  };

  NodeEngineMode mode = NodeEngineMode::off;  ///< never `environment`
  int ranks = 1;
  int nodes = 1;
  int ranks_per_node = 1;       ///< of the largest node
  int cores = 1;                ///< that the ranks of this machine may use; the smallest machine's
  bool oversubscribed = false;  ///< more ranks than cores: waiting ranks leave the core at once
  bool available = false;       ///< whether there is an engine at all
  std::string why_not;          ///< when there is none
  std::string instruction_set;  ///< of the reductions: "AVX2" or "baseline"
  /// Whether the memory of this rank's node is written past the caches: measured, and again when
  /// ranks have been moved to other cores.
  bool streaming = false;
  std::uint64_t looks = 0;  ///< how often calls have looked whether they have; of this rank's node
  std::vector<Row> rows;    ///< by operation, then bytes; empty unless measured
};

/// The report as a table for a terminal, with advice on the settings of MPI where the numbers give
/// reason for some. Local.
[[nodiscard]] std::string as_text(const NodeEngineReport& report);

class NodeWindow;

/// Collectives of a communicator whose ranks share memory, or of nodes of such ranks.
///
///     node 0   [ rank 0 | rank 1 | rank 2 ]  shared memory: chunks are copied in, combined, copied
///     out
///                  ⇅ MPI between the first ranks of the nodes
///     node 1   [ rank 3 | rank 4 ]
///
/// Each operation is collective and blocking, has the semantics of its MPI namesake and the same
/// arguments on all ranks. It returns false, on every rank and with nothing done, when the caller
/// should call MPI instead: the engine is off or has not been chosen for this size, or it does not
/// know the type or operation. Then the answer is a function of the arguments alone.
///
/// All engines, whatever their communicators, are used by one thread of a process at a time. While
/// a rank waits it lets MPI make progress on its pending messages, so that engine and MPI traffic
/// mix freely. Copyable types only travel between ranks of one build: bytes are copied as they are.
///
/// Destroying it is local: in any order, also after MPI_Finalize. It frees communicators unless MPI
/// is finalised (communicator.hpp). If a rank dies the others wait for ever, as in MPI: the
/// launcher ends the job.
///
/// @par Determinism  In a node x0 ∘ x1 ∘ x2 … is bracketed from the left in the order of ranks,
/// whatever the size and the timing, and the same on all ranks. Over nodes the nodes' results are
/// combined by MPI_Allreduce or MPI_Reduce on one rank a node, in pieces of at most 1 MiB. So a
/// result is a function of the inputs and the layout of ranks over nodes, as far as MPI's is; the
/// choice between engine and MPI can change the last bits, as the choice of MPI's algorithm can.
/// @par Cost  no allocation in a call. Memory: twice a core's second-level cache a rank and 64 KiB,
/// but 0.6 to 8 MiB, and of many ranks together 256 MiB of a node if that is more than 0.6 MiB
/// each; and the longest message whose elements did not stand one behind the other.
/// @par Source  Graham, Shipman, "MPI support for multi-core architectures: optimized shared memory
/// collectives", EuroPVM/MPI 2008 (copy in, combine parts, copy out); Hensgen, Finkel, Manber, "Two
/// algorithms for barrier synchronization", Int. J. Parallel Programming 17, 1988 (dissemination)
class NodeEngine {
 public:
  /// Collective over `comm`, of which a duplicate is made. It tries two ways of writing, some
  /// hundred calls in a few milliseconds. In the automatic mode it then measures, small
  /// sizes first, and begins no measurement after 20 ms (50 ms when ranks outnumber cores). Larger
  /// sizes are then treated like the largest measured one, or left to MPI when ranks outnumber
  /// cores.
  /// @throws Error{Errc::usage}, agreed, when CAIRN_NODE_ENGINE is none of its words
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  explicit NodeEngine(const Communicator& comm, const NodeEngineOptions& options = {});
  NodeEngine(NodeEngine&& other) noexcept;
  NodeEngine& operator=(NodeEngine&& other) noexcept;
  NodeEngine(const NodeEngine&) = delete;
  NodeEngine& operator=(const NodeEngine&) = delete;
  ~NodeEngine();

  /// Whether the engine takes `operation` with `bytes` bytes of input a rank, as far as that does
  /// not depend on types. Local, a table look-up; equal on every rank.
  [[nodiscard]] bool chosen(NodeOperation operation, std::size_t bytes) const noexcept {
    return ((chosen_[static_cast<std::size_t>(operation)] >> size_class(bytes)) & 1U) != 0;
  }

  [[nodiscard]] bool barrier();

  /// @param data  shape [bytes], the caller's
  [[nodiscard]] bool bcast(void* data, std::size_t bytes, int root);

  /// @param in   shape [n], this rank's values
  /// @param out  shape [n] on rank `root`, not looked at elsewhere; may be `in`
  /// @param type, operation  predefined ones, but for MPI_MINLOC and MPI_MAXLOC
  [[nodiscard]] bool reduce(const void* in, void* out, std::size_t n, MPI_Datatype type,
                            MPI_Op operation, int root);

  /// @param inout  shape [n], in place
  [[nodiscard]] bool all_reduce(void* inout, std::size_t n, MPI_Datatype type, MPI_Op operation);

  /// Not where nodes hold ranks that do not follow each other.
  /// @param in   shape [bytes]; may be the part of `out` that belongs to this rank
  /// @param out  shape [p·bytes], by rank
  [[nodiscard]] bool all_gather(const void* in, void* out, std::size_t bytes);

  /// Reduces the first n elements of a window in place on every rank; falls back to MPI by itself.
  /// @throws Error{Errc::internal} when `window` is another engine's, or smaller
  void all_reduce(NodeWindow& window, std::size_t n, MPI_Datatype type, MPI_Op operation);

  /// Measures engine and MPI against each other, whatever the mode, and begins no measurement after
  /// 2 s, by when it is long done on a quiet machine. Collective. The choice stays as it is.
  [[nodiscard]] NodeEngineReport measure();

  /// Memory for `bytes` bytes, of the engine's own and until the next call, for elements that do
  /// not stand one behind the other. It grows and is kept. Only of an engine that has chosen.
  /// Local.
  [[nodiscard]] std::byte* room(std::size_t bytes);

  /// What is known since the construction; `streaming` and `looks` since the last call. Local.
  [[nodiscard]] const NodeEngineReport& report() const noexcept;

 private:
  friend class NodeWindow;
  class Impl;

  void adopt(const NodeEngineReport& report) noexcept;

  static constexpr std::size_t operations = 6;
  static constexpr int size_classes = 9;  // from 16 B, 64 B, 256 B, … 1 MiB
  static constexpr std::uint16_t all_classes = (1U << size_classes) - 1U;

  /// The class of a size: 0 below 64 B, then one more for each factor of 4.
  [[nodiscard]] static constexpr unsigned size_class(std::size_t bytes) noexcept {
    const int half_digits = (static_cast<int>(std::bit_width(bytes)) - 1) / 2;
    return static_cast<unsigned>(std::clamp(half_digits - 2, 0, size_classes - 1));
  }

  std::array<std::uint16_t, operations> chosen_{};  // a bit for each size class
  std::unique_ptr<Impl> impl_;
};

/// Memory of each rank that all ranks of its node have mapped; the untyped part of WindowVector.
class NodeWindow {
 public:
  /// Collective over the ranks of `engine`, with equal `bytes`. Private memory when there is no
  /// engine. Zero at first. It does not refer to `engine` later on.
  /// @throws Error{Errc::unavailable}, agreed, when there is not enough memory
  NodeWindow(NodeEngine& engine, std::size_t bytes);
  NodeWindow(NodeWindow&& other) noexcept;
  NodeWindow& operator=(NodeWindow&& other) noexcept;
  NodeWindow(const NodeWindow&) = delete;
  NodeWindow& operator=(const NodeWindow&) = delete;
  /// Local: in any order, also after MPI_Finalize.
  ~NodeWindow();

  /// This rank's memory, aligned to a page, or to 64 B when private.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  friend class NodeEngine;
  friend class NodeEngine::Impl;
  class Impl;

  std::unique_ptr<Impl> impl_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A vector of fixed size whose all_reduce needs no copies, since the other ranks of the node read
/// and write it directly.
///
///     WindowVector<double> x(engine, n);        // zero at first
///     …                                         // this rank writes its own x
///     all_reduce(engine, x, MPI_SUM);
///
/// Outside of all_reduce it is this rank's alone.
template <typename T>
class WindowVector {
  static_assert(detail::expected_element<T>());

 public:
  /// Collective over the ranks of `engine`, with equal n.
  /// @throws Error{Errc::unavailable}, agreed, when there is not enough memory
  WindowVector(NodeEngine& engine, std::size_t n)
      : window_(engine, n <= SIZE_MAX / sizeof(T) ? n * sizeof(T) : SIZE_MAX), size_(n) {}

  [[nodiscard]] T* data() const noexcept { return reinterpret_cast<T*>(window_.data()); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<T> span() const noexcept { return {data(), size_}; }
  [[nodiscard]] T* begin() const noexcept { return data(); }
  [[nodiscard]] T* end() const noexcept { return data() + size_; }
  [[nodiscard]] T& operator[](std::size_t i) const noexcept { return data()[i]; }
  [[nodiscard]] NodeWindow& window() noexcept { return window_; }

 private:
  NodeWindow window_;
  std::size_t size_;
};

/// Reduces a window vector element by element over all ranks of `engine`, in place. Collective,
/// blocking; always works, with MPI where the engine does not.
template <Element T>
void all_reduce(NodeEngine& engine, WindowVector<T>& data, MPI_Op operation) {
  engine.all_reduce(data.window(), data.size(), datatype_of<T>(), operation);
}

}  // namespace cairn
