// Every collective against the raw MPI call on a communicator of its own, with the same buffers and
// the same arguments. Both sides rewrite all inputs before each call, in the measured time: Open
// MPI is faster on inputs that are still in the other rank's cache (open-mpi/ompi#12908).

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/async.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/neighbour.hpp"
#include "cairn/collectives/plan.hpp"

namespace cairn::bench {

namespace {

constexpr std::array<std::size_t, 4> sizes_in_bytes{8, 1024, 65536, 1048576};

/// The issue of a thin layer: at most 5 % where a call is latency, 2 % where it is bandwidth.
double target_of(std::size_t bytes) { return bytes < 65536 ? 1.05 : 1.02; }

/// Two communicators of the same ranks, buffers of one and of p parts, and the rows so far.
class Collectives {
 public:
  explicit Collectives(Context& context)
      : context_(context),
        ours_(context.world.duplicate("bench.ours")),
        ring_{(context.world.rank() + 1) % context.world.size(),
              (context.world.rank() + context.world.size() - 1) % context.world.size()},
        graph_(context.world, ring_, ring_) {
    MPI_Comm_dup(context.world.native(), &raw_);
    MPI_Comm_dup(graph_.comm().native(), &raw_graph_);
  }
  Collectives(const Collectives&) = delete;
  Collectives& operator=(const Collectives&) = delete;
  ~Collectives() {
    MPI_Comm_free(&raw_graph_);
    MPI_Comm_free(&raw_);
  }

  std::vector<Row> measure() {
    add_row(
        "barrier", 0, [&] { barrier(ours_); }, [&] { MPI_Barrier(raw_); });
    for (const auto bytes : sizes_in_bytes) {
      resize(bytes / sizeof(double));
      reductions(bytes);
      rooted(bytes);
      everywhere(bytes);
      parts_of_different_sizes(bytes);
      neighbours(bytes);
      in_the_background(bytes);
    }
    return std::move(rows_);
  }

 private:
  void resize(std::size_t n) {
    n_ = static_cast<int>(n);
    part_.assign(n, 0.0);
    result_.assign(n, 0.0);
    all_.assign(n * static_cast<std::size_t>(context_.world.size()), 0.0);
    all_results_ = all_;
    const auto p = static_cast<std::size_t>(context_.world.size());
    counts_.assign(p, n_);
    displacements_.resize(p);
    packed_displacements(counts_, displacements_);
    bytes_at_.clear();
    for (const int at : displacements_) bytes_at_.push_back(at * static_cast<int>(sizeof(double)));
    types_.assign(p, MPI_DOUBLE);
    edges_.assign(2 * n, 0.0);
    edge_results_ = edges_;
    edge_counts_ = {n_, n_};
    edge_displacements_ = {0, n_};
    edge_bytes_at_ = {0, static_cast<MPI_Aint>(n * sizeof(double))};
  }

  /// The same code for both sides: inlined, it came out slower in one of them.
  [[gnu::noinline]] void rewrite(std::vector<double>& input) {
    std::fill(input.begin(), input.end(), value_ += 1.0);
  }

  template <typename Ours, typename Raw>
  void add_row(const char* name, std::size_t bytes, Ours&& ours, Raw&& raw) {
    Row row;
    row.name = std::string("collectives.") + name;
    row.parameters = {{"bytes", static_cast<std::int64_t>(bytes)},
                      {"ranks", context_.world.size()}};
    row.seconds = compare(context_, ours, raw);
    // One rank sends no message: a few nanoseconds, of which the checks of sizes are some.
    if (context_.world.size() > 1) row.target = target_of(bytes);
    rows_.push_back(std::move(row));
  }

  /// A row whose calls read `input`, which both sides rewrite first.
  template <typename Ours, typename Raw>
  void add_row(const char* name, std::size_t bytes, std::vector<double>& input, Ours&& ours,
               Raw&& raw) {
    add_row(
        name, bytes,
        [&] {
          rewrite(input);
          ours();
        },
        [&] {
          rewrite(input);
          raw();
        });
  }

  void reductions(std::size_t bytes) {
    add_row(
        "all_reduce", bytes, part_, [&] { all_reduce(ours_, part_); },
        [&] { MPI_Allreduce(MPI_IN_PLACE, part_.data(), n_, MPI_DOUBLE, MPI_SUM, raw_); });
    add_row(
        "reduce", bytes, part_, [&] { reduce(ours_, part_, result_); },
        [&] { MPI_Reduce(part_.data(), result_.data(), n_, MPI_DOUBLE, MPI_SUM, 0, raw_); });
    add_row(
        "scan", bytes, part_, [&] { scan(ours_, part_); },
        [&] { MPI_Scan(MPI_IN_PLACE, part_.data(), n_, MPI_DOUBLE, MPI_SUM, raw_); });
    add_row(
        "exscan", bytes, part_, [&] { exscan(ours_, part_); },
        [&] { MPI_Exscan(MPI_IN_PLACE, part_.data(), n_, MPI_DOUBLE, MPI_SUM, raw_); });
    add_row(
        "reduce_scatter_block", bytes, all_, [&] { reduce_scatter_block(ours_, all_, result_); },
        [&] {
          MPI_Reduce_scatter_block(all_.data(), result_.data(), n_, MPI_DOUBLE, MPI_SUM, raw_);
        });
    add_row(
        "reduce_scatter", bytes, all_,
        [&] { reduce_scatter(ours_, all_, result_, std::span<const int>(counts_)); },
        [&] {
          MPI_Reduce_scatter(all_.data(), result_.data(), counts_.data(), MPI_DOUBLE, MPI_SUM,
                             raw_);
        });
  }

  void rooted(std::size_t bytes) {
    add_row(
        "bcast", bytes, part_, [&] { bcast(ours_, part_); },
        [&] { MPI_Bcast(part_.data(), n_, MPI_DOUBLE, 0, raw_); });
    add_row(
        "gather", bytes, part_, [&] { gather(ours_, part_, all_results_); },
        [&] {
          MPI_Gather(part_.data(), n_, MPI_DOUBLE, all_results_.data(), n_, MPI_DOUBLE, 0, raw_);
        });
    add_row(
        "scatter", bytes, all_, [&] { scatter(ours_, all_, result_); },
        [&] { MPI_Scatter(all_.data(), n_, MPI_DOUBLE, result_.data(), n_, MPI_DOUBLE, 0, raw_); });
  }

  void everywhere(std::size_t bytes) {
    add_row(
        "all_gather", bytes, part_, [&] { all_gather(ours_, part_, all_results_); },
        [&] {
          MPI_Allgather(part_.data(), n_, MPI_DOUBLE, all_results_.data(), n_, MPI_DOUBLE, raw_);
        });
    add_row(
        "all_to_all", bytes, all_, [&] { all_to_all(ours_, all_, all_results_); },
        [&] {
          MPI_Alltoall(all_.data(), n_, MPI_DOUBLE, all_results_.data(), n_, MPI_DOUBLE, raw_);
        });
    add_row(
        "all_to_all_w", bytes, all_,
        [&] {
          all_to_all_w(ours_, all_.data(), {counts_, bytes_at_, types_}, all_results_.data(),
                       {counts_, bytes_at_, types_});
        },
        [&] {
          MPI_Alltoallw(all_.data(), counts_.data(), bytes_at_.data(), types_.data(),
                        all_results_.data(), counts_.data(), bytes_at_.data(), types_.data(), raw_);
        });
  }

  void parts_of_different_sizes(std::size_t bytes) {
    const Layout layout{counts_, displacements_};
    add_row(
        "gather_v", bytes, part_, [&, layout] { gather_v(ours_, part_, all_results_, layout); },
        [&] {
          MPI_Gatherv(part_.data(), n_, MPI_DOUBLE, all_results_.data(), counts_.data(),
                      displacements_.data(), MPI_DOUBLE, 0, raw_);
        });
    add_row(
        "scatter_v", bytes, all_, [&, layout] { scatter_v(ours_, all_, layout, result_); },
        [&] {
          MPI_Scatterv(all_.data(), counts_.data(), displacements_.data(), MPI_DOUBLE,
                       result_.data(), n_, MPI_DOUBLE, 0, raw_);
        });
    add_row(
        "all_gather_v", bytes, part_,
        [&, layout] { all_gather_v(ours_, part_, all_results_, layout); },
        [&] {
          MPI_Allgatherv(part_.data(), n_, MPI_DOUBLE, all_results_.data(), counts_.data(),
                         displacements_.data(), MPI_DOUBLE, raw_);
        });
    add_row(
        "all_to_all_v", bytes, all_,
        [&, layout] { all_to_all_v(ours_, all_, layout, all_results_, layout); },
        [&] {
          MPI_Alltoallv(all_.data(), counts_.data(), displacements_.data(), MPI_DOUBLE,
                        all_results_.data(), counts_.data(), displacements_.data(), MPI_DOUBLE,
                        raw_);
        });
  }

  void neighbours(std::size_t bytes) {
    const auto& comm = graph_.comm();
    const Layout layout{edge_counts_, edge_displacements_};
    add_row(
        "neighbor_all_gather", bytes, part_,
        [&] { neighbor_all_gather(comm, part_, edge_results_); },
        [&] {
          MPI_Neighbor_allgather(part_.data(), n_, MPI_DOUBLE, edge_results_.data(), n_, MPI_DOUBLE,
                                 raw_graph_);
        });
    add_row(
        "neighbor_all_gather_v", bytes, part_,
        [&, layout] { neighbor_all_gather_v(comm, part_, edge_results_, layout); },
        [&] {
          MPI_Neighbor_allgatherv(part_.data(), n_, MPI_DOUBLE, edge_results_.data(),
                                  edge_counts_.data(), edge_displacements_.data(), MPI_DOUBLE,
                                  raw_graph_);
        });
    add_row(
        "neighbor_all_to_all", bytes, edges_,
        [&] { neighbor_all_to_all(comm, edges_, edge_results_); },
        [&] {
          MPI_Neighbor_alltoall(edges_.data(), n_, MPI_DOUBLE, edge_results_.data(), n_, MPI_DOUBLE,
                                raw_graph_);
        });
    add_row(
        "neighbor_all_to_all_v", bytes, edges_,
        [&, layout] { neighbor_all_to_all_v(comm, edges_, layout, edge_results_, layout); },
        [&] {
          MPI_Neighbor_alltoallv(edges_.data(), edge_counts_.data(), edge_displacements_.data(),
                                 MPI_DOUBLE, edge_results_.data(), edge_counts_.data(),
                                 edge_displacements_.data(), MPI_DOUBLE, raw_graph_);
        });
    const TypedEdges typed{edge_counts_, edge_bytes_at_, edge_types_};
    add_row(
        "neighbor_all_to_all_w", bytes, edges_,
        [&, typed] {
          neighbor_all_to_all_w(comm, edges_.data(), typed, edge_results_.data(), typed);
        },
        [&] {
          MPI_Neighbor_alltoallw(edges_.data(), edge_counts_.data(), edge_bytes_at_.data(),
                                 edge_types_.data(), edge_results_.data(), edge_counts_.data(),
                                 edge_bytes_at_.data(), edge_types_.data(), raw_graph_);
        });
  }

  void in_the_background(std::size_t bytes) {
    const auto raw = [&] {
      MPI_Request request = MPI_REQUEST_NULL;
      MPI_Iallreduce(MPI_IN_PLACE, part_.data(), n_, MPI_DOUBLE, MPI_SUM, raw_, &request);
      MPI_Wait(&request, MPI_STATUS_IGNORE);
    };
    add_row(
        "all_reduce(async)", bytes, part_, [&] { all_reduce(async(ours_), part_).wait(); }, raw);
    auto sum = all_reduce(plan(ours_), part_);
    add_row(
        "all_reduce(plan)", bytes, part_,
        [&] {
          sum.start();
          sum.wait();
        },
        raw);
  }

  Context& context_;
  Communicator ours_;
  std::array<int, 2> ring_;
  NeighbourGraph graph_;
  MPI_Comm raw_ = MPI_COMM_NULL;
  MPI_Comm raw_graph_ = MPI_COMM_NULL;
  int n_ = 0;  // elements of a part
  std::vector<double> part_;
  std::vector<double> result_;
  std::vector<double> all_;
  std::vector<double> all_results_;
  std::vector<int> counts_;
  std::vector<int> displacements_;
  std::vector<int> bytes_at_;
  std::vector<MPI_Datatype> types_;
  std::vector<double> edges_;
  std::vector<double> edge_results_;
  std::array<int, 2> edge_counts_{};
  std::array<int, 2> edge_displacements_{};
  std::array<MPI_Aint, 2> edge_bytes_at_{};
  std::array<MPI_Datatype, 2> edge_types_{MPI_DOUBLE, MPI_DOUBLE};
  double value_ = 0.0;
  std::vector<Row> rows_;
};

std::vector<Row> measure(Context& context) { return Collectives(context).measure(); }

const Benchmark registered{"collectives", "collectives against raw MPI", measure};

}  // namespace

}  // namespace cairn::bench
