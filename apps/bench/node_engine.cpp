// The node engine against MPI's own collectives on the same communicator. Each input is rewritten
// by its owner before each call of either side, outside the measured time: MPI is faster on what
// still stands in the other rank's cache (open-mpi/ompi#12908).

#include "cairn/collectives/node_engine.hpp"

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/collective.hpp"
#include "shared_copies.hpp"

namespace cairn::bench {

namespace {

constexpr std::array<std::size_t, 5> sizes_in_bytes{4096, 65536, 262144, 1048576, 4194304};

/// The largest ratios for 64 KiB to 1 MiB and for 4 MiB, where waiting ranks keep their cores.
struct Targets {
  std::optional<double> middle;
  std::optional<double> large;
};

constexpr std::size_t most_rounds = 25;
constexpr std::size_t fewest_pairs_of_round = 10;  // the median of fewer says little
constexpr double fewest_pairs = 80;
constexpr double oversubscribed_target = 1.1;

/// An engine that is always used, buffers, and the rows so far.
class NodeEngineRows {
 public:
  explicit NodeEngineRows(Context& context)
      : context_(context),
        raw_(context.world.duplicate("bench.raw")),
        engine_(context.world, {.mode = mode_of(context)}),
        window_(engine_, sizes_in_bytes.back() / sizeof(double)) {
    const auto& report = engine_.report();
    if (report.available && report.nodes == 1 && !report.oversubscribed &&
        context.world.size() == 2)
      floors_.emplace(raw_, sizes_in_bytes.back());
  }

  std::vector<Row> measure() {
    add(
        "barrier", 0, {}, [&] { (void)engine_.barrier(); }, [&] { MPI_Barrier(raw_.native()); });
    for (const auto bytes : sizes_in_bytes) {
      part_.assign(bytes / sizeof(double), 0.0);
      result_ = part_;
      all_.assign(part_.size() * static_cast<std::size_t>(context_.world.size()), 0.0);
      reductions(bytes);
      copies(bytes);
      if (floors_) floors(bytes);
    }
    return std::move(rows_);
  }

 private:
  /// With more ranks than cores the choice of the engine is measured, else the engine itself.
  static NodeEngineMode mode_of(const Context& context) {
    const NodeEngine engine(context.world, {.mode = NodeEngineMode::on});
    return engine.report().oversubscribed ? NodeEngineMode::automatic : NodeEngineMode::on;
  }

  void reductions(std::size_t bytes) {
    const auto n = part_.size();
    const int count = static_cast<int>(n);
    add(
        "all_reduce", bytes, {0.35, 0.42},
        [&] {
          if (!engine_.all_reduce(part_.data(), n, MPI_DOUBLE, MPI_SUM)) mpi_all_reduce(count);
        },
        [&] { mpi_all_reduce(count); });
    add(
        "all_reduce_window", bytes, {0.25, std::nullopt}, {window_.data(), n},
        [&] { engine_.all_reduce(window_.window(), n, MPI_DOUBLE, MPI_SUM); },
        [&] { mpi_all_reduce(count); });
    const auto mpi_reduce = [&] {
      MPI_Reduce(part_.data(), result_.data(), count, MPI_DOUBLE, MPI_SUM, 0, raw_.native());
    };
    add(
        "reduce", bytes, {},
        [&] {
          if (!engine_.reduce(part_.data(), result_.data(), n, MPI_DOUBLE, MPI_SUM, 0))
            mpi_reduce();
        },
        mpi_reduce);
  }

  void copies(std::size_t bytes) {
    const int count = static_cast<int>(part_.size());
    const auto mpi_bcast = [&] { MPI_Bcast(part_.data(), count, MPI_DOUBLE, 0, raw_.native()); };
    add(
        "bcast", bytes, {0.25, 0.35},
        [&] {
          if (!engine_.bcast(part_.data(), bytes, 0)) mpi_bcast();
        },
        mpi_bcast);
    const auto mpi_all_gather = [&] {
      MPI_Allgather(part_.data(), count, MPI_DOUBLE, all_.data(), count, MPI_DOUBLE, raw_.native());
    };
    add(
        "all_gather", bytes, {},
        [&] {
          if (!engine_.all_gather(part_.data(), all_.data(), bytes)) mpi_all_gather();
        },
        mpi_all_gather);
  }

  /// The copies alone, against MPI's times of the rows above.
  void floors(std::size_t bytes) {
    const auto times = floors_->measure(bytes);
    add_floor("all_reduce", "copies_alone", times.all_reduce);
    add_floor("bcast", "copies_alone", times.bcast);
    add_floor("bcast", "bare_ring", times.bare_ring);
  }

  void add_floor(const std::string& name, const std::string& which, double seconds) {
    const auto above = std::find_if(rows_.rbegin(), rows_.rend(), [&](const Row& row) {
      return row.name == "node_engine." + name;
    });
    Row row;
    row.name = "node_engine." + name + "_" + which;
    row.parameters = above->parameters;
    row.seconds = {seconds, above->seconds.baseline};
    rows_.push_back(std::move(row));
  }

  void mpi_all_reduce(int count) {
    MPI_Allreduce(MPI_IN_PLACE, part_.data(), count, MPI_DOUBLE, MPI_SUM, raw_.native());
  }

  [[nodiscard]] std::optional<double> target(std::size_t bytes, const Targets& targets) const {
    if (engine_.report().oversubscribed) return oversubscribed_target;
    if (context_.world.size() != 2 || bytes < 65536) return std::nullopt;
    return bytes <= 1048576 ? targets.middle : targets.large;
  }

  template <typename Ours, typename Mpi>
  void add(const char* name, std::size_t bytes, const Targets& targets, Ours&& ours, Mpi&& mpi) {
    add(name, bytes, targets, part_, ours, mpi);
  }

  /// With an input of ours that is not MPI's.
  template <typename Ours, typename Mpi>
  void add(const char* name, std::size_t bytes, const Targets& targets, std::span<double> input,
           Ours&& ours, Mpi&& mpi) {
    Row row;
    row.name = std::string("node_engine.") + name;
    row.parameters = {{"bytes", static_cast<std::int64_t>(bytes)},
                      {"ranks", context_.world.size()}};
    row.seconds = compare_calls(input, ours, mpi);
    row.target = target(bytes, targets);
    rows_.push_back(std::move(row));
  }

  /// Single calls of both sides in turns, each as often first as second, with new inputs and after
  /// a barrier, timed by its slowest rank, in several rounds; for each side the smallest median of
  /// a round.
  template <typename Ours, typename Mpi>
  Seconds compare_calls(std::span<double> our_input, Ours&& ours, Mpi&& mpi) {
    const auto seconds = [&](std::span<double> input, auto& call) {
      std::fill(input.begin(), input.end(), value_ += 1.0);
      MPI_Barrier(raw_.native());
      const auto begin = std::chrono::steady_clock::now();
      call();
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    double pair = 0.0;
    for (int i = 0; i < 3; ++i) pair = seconds(our_input, ours) + seconds(part_, mpi);
    // To rewrite the inputs takes about as long as the calls.
    const double wanted = context_.seconds / (2 * all_reduce(context_.world, pair, Maximum{}));
    const auto in_all = static_cast<std::size_t>(std::clamp(wanted, fewest_pairs, 250e3));
    const auto pairs = std::max(fewest_pairs_of_round, in_all / most_rounds);
    const auto rounds = std::min(most_rounds, in_all / pairs);
    Seconds best{1e300, 1e300};
    for (std::size_t round = 0; round < rounds; ++round) {
      std::vector<double> our_times(pairs);
      std::vector<double> mpi_times(pairs);
      for (std::size_t i = 0; i < pairs; ++i) {
        const bool first = (round + i) % 2 == 0;
        if (first) our_times[i] = seconds(our_input, ours);
        mpi_times[i] = seconds(part_, mpi);
        if (!first) our_times[i] = seconds(our_input, ours);
      }
      all_reduce(context_.world, std::span<double>(our_times), Maximum{});
      all_reduce(context_.world, std::span<double>(mpi_times), Maximum{});
      best.ours = std::min(best.ours, median(our_times));
      best.baseline = std::min(best.baseline, median(mpi_times));
    }
    return best;
  }

  Context& context_;
  Communicator raw_;
  NodeEngine engine_;
  WindowVector<double> window_;
  std::optional<SharedCopies> floors_;
  std::vector<double> part_;
  std::vector<double> result_;
  std::vector<double> all_;
  double value_ = 0.0;
  std::vector<Row> rows_;
};

std::vector<Row> measure(Context& context) { return NodeEngineRows(context).measure(); }

const Benchmark registered{"node_engine", "shared-memory collectives against MPI's", measure};

}  // namespace

}  // namespace cairn::bench
