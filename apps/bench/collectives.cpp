// Blocking collectives against the raw MPI call on a communicator of its own, with the same buffers
// and the same arguments. Both sides rewrite all inputs before each call, in the measured time:
// Open MPI is faster on inputs that are still in the other rank's cache (open-mpi/ompi#12908).

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/collective.hpp"

namespace cairn::bench {

namespace {

constexpr double small_target = 1.05;
constexpr std::size_t small_bytes = 8;
constexpr std::array<std::size_t, 3> sizes_in_bytes{small_bytes, 1024, 65536};

/// Two communicators of the same ranks, buffers of one and of p parts, and the rows so far.
class Collectives {
 public:
  explicit Collectives(Context& context)
      : context_(context), ours_(context.world.duplicate("bench.ours")) {
    MPI_Comm_dup(context.world.native(), &raw_);
  }
  Collectives(const Collectives&) = delete;
  Collectives& operator=(const Collectives&) = delete;
  ~Collectives() { MPI_Comm_free(&raw_); }

  std::vector<Row> measure() {
    add_row(
        "barrier", 0, [&] { barrier(ours_); }, [&] { MPI_Barrier(raw_); });
    for (const auto bytes : sizes_in_bytes) {
      resize(bytes / sizeof(double));
      reductions(bytes);
      rooted(bytes);
      everywhere(bytes);
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
    if (bytes <= small_bytes && context_.world.size() > 1) row.target = small_target;
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
    const std::span<double> part(part_);
    add_row(
        "all_reduce", bytes, part_, [&] { all_reduce(ours_, part); },
        [&] { MPI_Allreduce(MPI_IN_PLACE, part_.data(), n_, MPI_DOUBLE, MPI_SUM, raw_); });
    add_row(
        "reduce", bytes, part_,
        [&] { reduce(ours_, std::span<const double>(part_), std::span<double>(result_)); },
        [&] { MPI_Reduce(part_.data(), result_.data(), n_, MPI_DOUBLE, MPI_SUM, 0, raw_); });
    add_row(
        "scan", bytes, part_, [&] { scan(ours_, part); },
        [&] { MPI_Scan(MPI_IN_PLACE, part_.data(), n_, MPI_DOUBLE, MPI_SUM, raw_); });
  }

  void rooted(std::size_t bytes) {
    add_row(
        "bcast", bytes, part_, [&] { bcast(ours_, std::span<double>(part_)); },
        [&] { MPI_Bcast(part_.data(), n_, MPI_DOUBLE, 0, raw_); });
    add_row(
        "gather", bytes, part_,
        [&] { gather(ours_, std::span<const double>(part_), std::span<double>(all_results_)); },
        [&] {
          MPI_Gather(part_.data(), n_, MPI_DOUBLE, all_results_.data(), n_, MPI_DOUBLE, 0, raw_);
        });
    add_row(
        "scatter", bytes, all_,
        [&] { scatter(ours_, std::span<const double>(all_), std::span<double>(result_)); },
        [&] { MPI_Scatter(all_.data(), n_, MPI_DOUBLE, result_.data(), n_, MPI_DOUBLE, 0, raw_); });
  }

  void everywhere(std::size_t bytes) {
    add_row(
        "all_gather", bytes, part_,
        [&] { all_gather(ours_, std::span<const double>(part_), std::span<double>(all_results_)); },
        [&] {
          MPI_Allgather(part_.data(), n_, MPI_DOUBLE, all_results_.data(), n_, MPI_DOUBLE, raw_);
        });
    add_row(
        "all_to_all", bytes, all_,
        [&] { all_to_all(ours_, std::span<const double>(all_), std::span<double>(all_results_)); },
        [&] {
          MPI_Alltoall(all_.data(), n_, MPI_DOUBLE, all_results_.data(), n_, MPI_DOUBLE, raw_);
        });
  }

  Context& context_;
  Communicator ours_;
  MPI_Comm raw_ = MPI_COMM_NULL;
  int n_ = 0;  // elements of a part
  std::vector<double> part_;
  std::vector<double> result_;
  std::vector<double> all_;
  std::vector<double> all_results_;
  double value_ = 0.0;
  std::vector<Row> rows_;
};

std::vector<Row> measure(Context& context) { return Collectives(context).measure(); }

const Benchmark registered{"collectives", "blocking collectives against raw MPI", measure};

}  // namespace

}  // namespace cairn::bench
