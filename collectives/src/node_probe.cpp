// What the engine and MPI take for each operation and size, and how that is told.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "cairn/core/mpi_error.hpp"
#include "node_engine_impl.hpp"
#include "sample_times.hpp"

namespace cairn {

namespace {

using Row = NodeEngineReport::Row;

constexpr std::array all_operations{NodeOperation::barrier,    NodeOperation::bcast,
                                    NodeOperation::reduce,     NodeOperation::all_reduce,
                                    NodeOperation::all_gather, NodeOperation::all_reduce_window};

/// The sizes that stand for the size classes.
constexpr std::array<std::size_t, 9> sizes_in_bytes{16,    64,    256,    1024,   4096,
                                                    16384, 65536, 262144, 1048576};

constexpr int calls_per_small_sample = 8;
constexpr std::size_t small_bytes = 1024;

/// The engine has to be faster by so much, since a probe of some milliseconds errs; more with more
/// ranks than cores, where it errs more: there who has a core decides, and times scatter by
/// factors, so that also the engine's long times have to be shorter than MPI's short ones.
constexpr double enough = 0.95;
constexpr double enough_when_oversubscribed = 0.8;

using detail::median;
using detail::ranked;
using detail::sample_count;

/// Seconds of a call on this rank, [engine, MPI].
using Samples = std::array<detail::SampleTimes, 2>;

/// Seconds of a call on this rank. `prepare` makes the inputs new, since MPI is faster on what
/// still stands in the other rank's cache; then all ranks begin together.
template <typename Prepare, typename Call>
double seconds_of(MPI_Comm comm, int calls, Prepare&& prepare, Call&& call) {
  prepare();
  check_mpi(MPI_Barrier(comm), "MPI_Barrier");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count() / calls;
}

/// Calls both sides in turns. The first pair only warms up.
template <typename Prepare, typename Engine, typename Mpi>
Samples take_samples(MPI_Comm comm, int calls, Prepare&& prepare, Engine&& engine, Mpi&& mpi) {
  const auto seconds = [&](auto& call) { return seconds_of(comm, calls, prepare, call); };
  (void)seconds(engine);
  (void)seconds(mpi);
  Samples result{};
  for (std::size_t i = 0; i < sample_count; ++i) {
    result[0][i] = seconds(engine);
    result[1][i] = seconds(mpi);
  }
  return result;
}

std::string time_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, seconds < 1e-4 ? "%.2f us" : "%.0f us", seconds * 1e6);
  return text;
}

std::string size_text(std::size_t bytes) {
  if (bytes >= (std::size_t{1} << 20)) return std::to_string(bytes >> 20) + " MiB";
  if (bytes >= 1024) return std::to_string(bytes >> 10) + " KiB";
  return std::to_string(bytes) + " B";
}

const char* name_of(NodeEngineMode mode) {
  switch (mode) {
    case NodeEngineMode::off:
      return "off";
    case NodeEngineMode::on:
      return "on";
    default:
      return "auto";
  }
}

/// The kernel copies for Open MPI 4's large messages; its own shared-memory path is faster where
/// the system call is dear.
[[maybe_unused]] bool single_copy_is_slow(const NodeEngineReport& report) {
  if (std::getenv("OMPI_MCA_btl_vader_single_copy_mechanism") != nullptr) return false;
  return report.nodes == 1 &&
         std::any_of(report.rows.begin(), report.rows.end(), [](const Row& row) {
           return row.operation == NodeOperation::bcast && row.bytes == 262144 &&
                  row.mpi_seconds > 2.0 * row.engine_seconds;
         });
}

std::string advice_on(const NodeEngineReport& report) {
#if defined(OMPI_MAJOR_VERSION) && OMPI_MAJOR_VERSION == 4
  if (single_copy_is_slow(report)) {
    return "MPI's large messages are slow here. What still goes through MPI may gain from\n"
           "  mpirun --mca btl_vader_single_copy_mechanism none …\n"
           "(large MPI_Bcast and MPI_Allreduce were 1.3 to 3.7 times as fast with it on a virtual "
           "machine).\n";
  }
#else
  (void)report;
#endif
  return "";
}

std::string row_text(const Row& row) {
  char text[160];
  std::snprintf(text, sizeof text, "%-18s %8s %11s %11s %6.2f   %s\n", name_of(row.operation),
                row.operation == NodeOperation::barrier ? "-" : size_text(row.bytes).c_str(),
                time_text(row.engine_seconds).c_str(), time_text(row.mpi_seconds).c_str(),
                row.engine_seconds / row.mpi_seconds, row.chosen ? "engine" : "MPI");
  return text;
}

}  // namespace

/// Buffers and the two sides of every operation.
class NodeEngine::Impl::Probe {
 public:
  explicit Probe(NodeEngine& engine)
      : impl_(*engine.impl_),
        comm_(impl_.comm().native()),
        window_(engine, sizes_in_bytes.back()),
        part_(sizes_in_bytes.back() / sizeof(double)),
        result_(part_.size()),
        all_(gathered_bytes() / sizeof(double) * static_cast<std::size_t>(impl_.comm().size())) {}

  /// Small sizes of all operations come first; begins nothing new after `budget_seconds`.
  std::vector<Row> rows(double budget_seconds) {
    std::vector<Row> rows;
    std::vector<Samples> times;
    const auto begin = std::chrono::steady_clock::now();
    for (const auto bytes : sizes_in_bytes) {
      for (const auto operation : all_operations) {
        if (!takes_part(operation, bytes)) continue;
        if (agreed_to_stop(begin, budget_seconds)) return finished(std::move(rows), times);
        rows.push_back({operation, operation == NodeOperation::barrier ? 0 : bytes, 0, 0, false});
        times.push_back(measure(operation, bytes));
      }
    }
    return finished(std::move(rows), times);
  }

 private:
  /// Rank 0's clock decides for all.
  [[nodiscard]] bool agreed_to_stop(std::chrono::steady_clock::time_point begin,
                                    double budget_seconds) const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    int stop = elapsed.count() > budget_seconds ? 1 : 0;
    check_mpi(MPI_Bcast(&stop, 1, MPI_INT, 0, comm_), "MPI_Bcast");
    return stop != 0;
  }

  /// Rows by operation, with the times of the slowest ranks and the choice.
  std::vector<Row> finished(std::vector<Row> rows, std::vector<Samples>& times) const {
    check_mpi(
        MPI_Allreduce(MPI_IN_PLACE, times.data(), static_cast<int>(times.size() * 2 * sample_count),
                      MPI_DOUBLE, MPI_MAX, comm_),
        "MPI_Allreduce");
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i].engine_seconds = median(times[i][0]);
      rows[i].mpi_seconds = median(times[i][1]);
      rows[i].chosen = is_faster(times[i]);
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.operation < b.operation; });
    return rows;
  }

  [[nodiscard]] bool is_faster(const Samples& times) const {
    const auto& [engine, mpi] = times;
    if (!impl_.report.oversubscribed) return median(engine) <= enough * median(mpi);
    return ranked(engine, sample_count - 2) <= enough_when_oversubscribed * ranked(mpi, 1);
  }

  /// The largest part of an all_gather, so that its result stays small on many ranks.
  [[nodiscard]] std::size_t gathered_bytes() const noexcept {
    const auto ranks = static_cast<std::size_t>(impl_.comm().size());
    std::size_t bytes = sizes_in_bytes.front();
    for (const auto size : sizes_in_bytes) {
      if (size * ranks <= 4 * sizes_in_bytes.back()) bytes = size;
    }
    return bytes;
  }

  [[nodiscard]] bool takes_part(NodeOperation operation, std::size_t bytes) const noexcept {
    if (operation == NodeOperation::barrier) return bytes == sizes_in_bytes.front();
    if (operation != NodeOperation::all_gather) return true;
    return bytes <= gathered_bytes() && impl_.can_gather(bytes);
  }

  Samples measure(NodeOperation operation, std::size_t bytes) {
    const auto sum = detail::reduction_of(MPI_DOUBLE, MPI_SUM);
    const std::size_t n = bytes / sizeof(double);
    const int count = static_cast<int>(n);
    auto* const part = reinterpret_cast<std::byte*>(part_.data());
    auto* const result = reinterpret_cast<std::byte*>(result_.data());
    auto* const all = reinterpret_cast<std::byte*>(all_.data());
    switch (operation) {
      case NodeOperation::barrier:
        return sample(
            bytes, [&] { impl_.barrier(); }, [&] { return MPI_Barrier(comm_); });
      case NodeOperation::bcast:
        return sample(
            bytes, [&] { impl_.bcast(part, bytes, 0); },
            [&] { return MPI_Bcast(part, count, MPI_DOUBLE, 0, comm_); });
      case NodeOperation::reduce:
        return sample(
            bytes, [&] { impl_.reduce(part, result, n, sum, MPI_DOUBLE, MPI_SUM, 0); },
            [&] { return MPI_Reduce(part, result, count, MPI_DOUBLE, MPI_SUM, 0, comm_); });
      case NodeOperation::all_reduce:
        return sample(
            bytes, [&] { impl_.all_reduce(part, n, sum, MPI_DOUBLE, MPI_SUM); },
            [&] { return MPI_Allreduce(MPI_IN_PLACE, part, count, MPI_DOUBLE, MPI_SUM, comm_); });
      case NodeOperation::all_gather:
        return sample(
            bytes, [&] { impl_.all_gather(part, all, bytes); },
            [&] { return MPI_Allgather(part, count, MPI_DOUBLE, all, count, MPI_DOUBLE, comm_); });
      case NodeOperation::all_reduce_window:
        return sample(
            bytes,
            [&] { impl_.all_reduce_shared(window_.impl_->vectors(), n, sum, MPI_DOUBLE, MPI_SUM); },
            [&] {
              return MPI_Allreduce(MPI_IN_PLACE, window_.data(), count, MPI_DOUBLE, MPI_SUM, comm_);
            });
    }
    return {};
  }

  template <typename Engine, typename Mpi>
  Samples sample(std::size_t bytes, Engine&& engine, Mpi&& mpi) {
    const auto prepare = [&] {
      const auto n = static_cast<std::ptrdiff_t>(bytes / sizeof(double));
      auto* const window = reinterpret_cast<double*>(window_.data());
      std::fill(part_.begin(), part_.begin() + n, 1.0);
      std::fill(window, window + n, 1.0);
    };
    return take_samples(comm_, bytes <= small_bytes ? calls_per_small_sample : 1, prepare, engine,
                        [&] { check_mpi(mpi(), "a collective in the probe of the node engine"); });
  }

  Impl& impl_;
  MPI_Comm comm_;
  NodeWindow window_;
  std::vector<double> part_;
  std::vector<double> result_;
  std::vector<double> all_;
};

std::vector<Row> NodeEngine::Impl::measure(NodeEngine& engine, double budget_seconds) {
  return Probe(engine).rows(budget_seconds);
}

const char* name_of(NodeOperation operation) noexcept {
  switch (operation) {
    case NodeOperation::barrier:
      return "barrier";
    case NodeOperation::bcast:
      return "bcast";
    case NodeOperation::reduce:
      return "reduce";
    case NodeOperation::all_reduce:
      return "all_reduce";
    case NodeOperation::all_gather:
      return "all_gather";
    case NodeOperation::all_reduce_window:
      return "all_reduce, window";
  }
  return "";
}

std::string as_text(const NodeEngineReport& report) {
  std::string text =
      "node engine       " + std::string(name_of(report.mode)) +
      (report.available ? "" : ", not available: " + report.why_not) + "\n" + "ranks             " +
      std::to_string(report.ranks) + " on " + std::to_string(report.nodes) +
      (report.nodes == 1 ? " node, " : " nodes, ") + std::to_string(report.cores) + " cores" +
      (report.oversubscribed ? ": more ranks than cores, so waiting ranks yield\n" : "\n") +
      "instructions      " + report.instruction_set +
      (report.streaming ? ", stores past the caches\n" : ", stores in the caches\n");
  if (report.rows.empty()) return text;
  text += "\noperation              size      engine         MPI  ratio   chosen by auto\n";
  for (const auto& row : report.rows) text += row_text(row);
  const auto advice = advice_on(report);
  if (!advice.empty()) text += "\n" + advice;
  return text;
}

}  // namespace cairn
