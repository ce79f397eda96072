// Exchanges of unknown counts against what one writes by hand: the counts by one collective, the
// data by a second. Both sides rewrite their inputs before each call, in the measured time, and
// compute displacements and grow their outputs from the counts.

#include "cairn/collectives/unknown_counts.hpp"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/sparse.hpp"

namespace cairn::bench {

namespace {

constexpr double short_target = 0.75;
constexpr double long_target = 1.02;
constexpr std::size_t most_short_bytes = 1024;
constexpr std::array<std::size_t, 6> sizes_in_bytes{8, 64, 256, most_short_bytes, 65536, 1 << 20};

/// The targets are for ranks that send messages. At 1 MiB the memory decides, and its noise.
std::optional<double> target_of(std::size_t bytes, int ranks) {
  if (ranks == 1 || bytes > 65536) return std::nullopt;
  return bytes <= most_short_bytes ? short_target : long_target;
}

/// The hand-written versions, on a communicator of their own.
class Raw {
 public:
  explicit Raw(const Communicator& world)
      : p_(static_cast<std::size_t>(world.size())),
        root_(world.rank() == 0),
        send_displacements_(p_),
        counts_(p_),
        displacements_(p_) {
    MPI_Comm_dup(world.native(), &comm_);
  }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  ~Raw() { MPI_Comm_free(&comm_); }

  void all_gather_v(const std::vector<double>& in) {
    const int n = static_cast<int>(in.size());
    MPI_Allgather(&n, 1, MPI_INT, counts_.data(), 1, MPI_INT, comm_);
    prepare();
    MPI_Allgatherv(in.data(), n, MPI_DOUBLE, out_.data(), counts_.data(), displacements_.data(),
                   MPI_DOUBLE, comm_);
  }

  void gather_v(const std::vector<double>& in) {
    const int n = static_cast<int>(in.size());
    MPI_Gather(&n, 1, MPI_INT, counts_.data(), 1, MPI_INT, 0, comm_);
    gather_known(in);
  }

  /// With the counts of the gather_v before.
  void gather_known(const std::vector<double>& in) {
    if (root_) prepare();
    MPI_Gatherv(in.data(), static_cast<int>(in.size()), MPI_DOUBLE, out_.data(), counts_.data(),
                displacements_.data(), MPI_DOUBLE, 0, comm_);
  }

  void all_to_all_v(const std::vector<double>& in, const std::vector<int>& send_counts) {
    MPI_Alltoall(send_counts.data(), 1, MPI_INT, counts_.data(), 1, MPI_INT, comm_);
    sum_up(send_counts, send_displacements_);
    prepare();
    MPI_Alltoallv(in.data(), send_counts.data(), send_displacements_.data(), MPI_DOUBLE,
                  out_.data(), counts_.data(), displacements_.data(), MPI_DOUBLE, comm_);
  }

  void bcast(std::vector<double>& data) {
    int n = static_cast<int>(data.size());
    MPI_Bcast(&n, 1, MPI_INT, 0, comm_);
    data.resize(static_cast<std::size_t>(n));
    bcast_known(data);
  }

  void bcast_known(std::vector<double>& data) {
    MPI_Bcast(data.data(), static_cast<int>(data.size()), MPI_DOUBLE, 0, comm_);
  }

 private:
  static int sum_up(const std::vector<int>& counts, std::vector<int>& displacements) {
    int total = 0;
    for (std::size_t r = 0; r < counts.size(); ++r) {
      displacements[r] = total;
      total += counts[r];
    }
    return total;
  }

  void prepare() {
    const auto total = static_cast<std::size_t>(sum_up(counts_, displacements_));
    if (out_.size() < total) out_.resize(total);
  }

  std::size_t p_;
  bool root_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  std::vector<int> send_displacements_;
  std::vector<int> counts_;
  std::vector<int> displacements_;
  std::vector<double> out_;
};

/// Rows of one benchmark, and the inputs that both sides rewrite.
class Table {
 public:
  explicit Table(Context& context) : context_(context) {}

  /// The same code for both sides.
  [[gnu::noinline]] void rewrite(std::vector<double>& input) {
    std::fill(input.begin(), input.end(), value_ += 1.0);
  }

  template <typename Ours, typename Baseline>
  void add(const std::string& name, std::size_t bytes, std::vector<double>& input,
           std::optional<double> target, Ours&& ours, Baseline&& baseline) {
    Row row;
    row.name = name;
    row.parameters = {{"bytes", static_cast<std::int64_t>(bytes)},
                      {"ranks", context_.world.size()}};
    row.seconds = compare(
        context_,
        [&] {
          rewrite(input);
          ours();
        },
        [&] {
          rewrite(input);
          baseline();
        });
    row.target = target;
    rows_.push_back(std::move(row));
  }

  std::vector<Row> take() { return std::move(rows_); }

 private:
  Context& context_;
  double value_ = 0.0;
  std::vector<Row> rows_;
};

std::vector<Row> measure_unknown_counts(Context& context) {
  const Communicator comm = context.world.duplicate("bench.unknown_counts");
  const auto p = static_cast<std::size_t>(comm.size());
  Raw raw(context.world);
  Table table(context);
  Parts<double> out;
  for (const auto bytes : sizes_in_bytes) {
    const std::size_t n = bytes / sizeof(double);
    const auto target = target_of(bytes, comm.size());
    std::vector<double> part(n);
    std::vector<double> all(n * p);
    const std::vector<std::size_t> counts(p, n);
    const std::vector<int> int_counts(p, static_cast<int>(n));
    const std::span<const double> in(part);
    table.add(
        "unknown_counts.all_gather_v", bytes, part, target, [&] { all_gather_v(comm, in, out); },
        [&] { raw.all_gather_v(part); });
    table.add(
        "unknown_counts.gather_v", bytes, part, target, [&] { gather_v(comm, in, out); },
        [&] { raw.gather_v(part); });
    table.add(
        "unknown_counts.all_to_all_v", bytes, all, target,
        [&] { all_to_all_v(comm, std::span<const double>(all), counts, out); },
        [&] { raw.all_to_all_v(all, int_counts); });
    table.add(
        "unknown_counts.bcast", bytes, part, target, [&] { bcast(comm, into(part)); },
        [&] { raw.bcast(part); });
    // What knowing the counts would leave: the second of the two calls alone.
    table.add(
        "unknown_counts.known_gather_v", bytes, part, std::nullopt, [&] { raw.gather_known(part); },
        [&] { raw.gather_v(part); });
    table.add(
        "unknown_counts.known_bcast", bytes, part, std::nullopt, [&] { raw.bcast_known(part); },
        [&] { raw.bcast(part); });
  }
  return table.take();
}

/// Each rank sends to the two next to it, or, on fewer than four ranks, to all others.
std::vector<int> neighbours_of(const Communicator& comm) {
  const int p = comm.size();
  std::vector<int> list;
  for (int distance = 1; distance <= std::min(p - 1, 2); ++distance) {
    list.push_back((comm.rank() + distance) % p);
  }
  return list;
}

/// The hand-written side is what one does without a sparse exchange: MPI_Alltoall of all counts,
/// and an MPI_Alltoallv that is empty for most.
std::vector<Row> measure_sparse(Context& context) {
  const Communicator comm = context.world.duplicate("bench.sparse");
  const auto p = static_cast<std::size_t>(comm.size());
  const auto neighbours = neighbours_of(comm);
  Raw raw(context.world);
  Table table(context);
  Inbox<double> in;
  for (const auto bytes : sizes_in_bytes) {
    const std::size_t n = bytes / sizeof(double);
    std::vector<double> data(n * neighbours.size());
    std::vector<Outgoing<double>> out;
    std::vector<int> counts(p, 0);
    auto sorted = neighbours;
    std::sort(sorted.begin(), sorted.end());
    for (const int neighbour : sorted) {
      out.push_back({neighbour, std::span<const double>(data).subspan(out.size() * n, n)});
      counts[static_cast<std::size_t>(neighbour)] = static_cast<int>(n);
    }
    const auto exchange = [&](Route route) {
      sparse_exchange(comm, std::span<const Outgoing<double>>(out), in, {.route = route});
    };
    const auto baseline = [&] { raw.all_to_all_v(data, counts); };
    const auto add = [&](const char* name, Route route, std::optional<double> target) {
      table.add(
          std::string("sparse.") + name, bytes, data, target, [&] { exchange(route); }, baseline);
    };
    add("automatic", Route::automatic, std::nullopt);
    add("dense", Route::dense, std::nullopt);
    add("direct", Route::direct, std::nullopt);
    add("grid", Route::grid, std::nullopt);
  }
  return table.take();
}

const Benchmark unknown_counts{"unknown_counts",
                               "counts and data in one exchange, against two collectives",
                               measure_unknown_counts};
const Benchmark sparse{"sparse", "messages to a few ranks, against MPI_Alltoall and MPI_Alltoallv",
                       measure_sparse};

}  // namespace

}  // namespace cairn::bench
