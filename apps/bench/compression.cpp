// Compression of one chunk after the other, as a compressed field goes to its epoch and back,
// against 1 GB/s on each core. The clock is that of the core's time for this thread: what else runs
// on the machine takes time from it, but is not counted.

#include <ctime>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "chunks.hpp"
#include "codec.hpp"
#include "compressing.hpp"
#include "smooth.hpp"

namespace cairn::bench {

namespace {

constexpr std::size_t numbers = std::size_t{8} << 20;  // of a rank; 64 MiB

class Chunks {
 public:
  Chunks(Context& context, ckpt::Compression compression)
      : context_(context),
        compression_(compression),
        codec_(compression, sizeof(double)),
        field_(numbers),
        copy_(numbers),
        chunk_(ckpt::ChunkGrid::of({numbers / 2048, 2048}, sizeof(double)).chunk_elements()) {
    const auto first = static_cast<std::size_t>(context.world.rank()) * numbers;
    for (std::size_t i = 0; i < numbers; ++i) field_[i] = smooth(first + i);
  }

  std::vector<Row> measure() {
    const auto pack = core_seconds([&] { pack_all(); });
    const auto unpack = core_seconds([&] { unpack_all(); });
    return {row("ckpt.pack", pack), row("ckpt.unpack", unpack)};
  }

 private:
  static double core_clock() {
    timespec now = {};
    check_posix(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), "clock_gettime");
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  }

  /// A call on the slowest rank, the median of some. Collective.
  template <typename Work>
  double core_seconds(Work&& work) {
    std::vector<double> calls;
    double total = 0;
    for (int call = 0; call < 8 || total < context_.seconds; ++call) {
      const auto begin = core_clock();
      work();
      const auto seconds = all_reduce(context_.world, core_clock() - begin, Maximum{});
      total += seconds;
      if (call > 0) calls.push_back(seconds);  // the first one takes new memory
    }
    return median(calls);
  }

  /// The ones that are whole.
  [[nodiscard]] std::size_t chunks() const { return numbers / chunk_; }

  void pack_all() {
    packed_.bytes.clear();
    packed_.lengths_bytes.clear();
    for (std::size_t c = 0; c < chunks(); ++c)
      pack_chunk(codec_, std::as_bytes(std::span(field_).subspan(c * chunk_, chunk_)), packed_);
  }

  void unpack_all() {
    std::span<const std::byte> rest(packed_.bytes);
    for (std::size_t c = 0; c < chunks(); ++c) {
      const auto to = std::as_writable_bytes(std::span(copy_).subspan(c * chunk_, chunk_));
      if (!codec_.unpack(rest.first(packed_.lengths_bytes[c]), to)) throw_broken();
      rest = rest.subspan(packed_.lengths_bytes[c]);
    }
    use(copy_[chunk_ / 2]);
  }

  [[noreturn]] static void throw_broken() {
    throw Error(Errc::internal, "a chunk does not come back");
  }

  [[nodiscard]] Row row(const char* name, double seconds) const {
    const auto bytes = static_cast<double>(chunks() * chunk_ * sizeof(double));
    const auto fewer = bytes / static_cast<double>(packed_.bytes.size());
    const bool is_wanted = compression_ == ckpt::Compression::shuffle_zstd;
    return {name,
            {{"codec", std::string(name_of(compression_))},
             {"times_fewer_bytes", fewer},
             {"GB_s", bytes / seconds / 1e9}},
            {seconds, bytes / 1e9},
            is_wanted ? std::optional(1.0) : std::nullopt};
  }

  Context& context_;
  ckpt::Compression compression_;
  ckpt::Codec codec_;
  std::vector<double> field_;
  std::vector<double> copy_;
  std::size_t chunk_;
  ckpt::PackedChunks packed_;
};

std::vector<Row> measure(Context& context) {
  std::vector<Row> rows;
  for (const auto compression : {ckpt::Compression::shuffle_zstd, ckpt::Compression::shuffle_lz4,
                                 ckpt::Compression::shuffle_deflate}) {
    for (auto& row : Chunks(context, compression).measure()) rows.push_back(std::move(row));
  }
  return rows;
}

const Benchmark compression_benchmark{
    "compression", "shuffle and codec on a smooth field, against 1 GB/s a core", measure};

}  // namespace

}  // namespace cairn::bench
