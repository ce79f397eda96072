// The parity of the node-local tier, computed by one rank, against a memcpy of the same data.

#include "erasure.hpp"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "benchmark.hpp"

namespace cairn::bench {

namespace {

constexpr std::size_t data_bytes = std::size_t{256} << 20;
constexpr std::size_t slice_bytes = std::size_t{1} << 18;  // as a save goes through its chunks

/// All slices of the data to parity, as one rank does it.
Row encode(Context& context, int data, int parity) {
  const ckpt::ErasureCode code(data + parity, parity);
  const auto width = static_cast<std::size_t>(data);
  const std::size_t chunk = data_bytes / width / slice_bytes * slice_bytes;
  std::vector<std::byte> bytes(chunk * width, std::byte{0x5a});
  std::vector<std::byte> copy(bytes.size());
  std::vector<std::vector<std::byte>> rows(static_cast<std::size_t>(parity),
                                           std::vector<std::byte>(slice_bytes));
  const auto ours = [&] {
    std::vector<const std::byte*> sources(width);
    std::vector<std::byte*> results;
    for (auto& row : rows) results.push_back(row.data());
    for (std::size_t at = 0; at < chunk; at += slice_bytes) {
      for (std::size_t i = 0; i < width; ++i) sources[i] = bytes.data() + i * chunk + at;
      code.encode(sources, results, slice_bytes);
    }
  };
  const auto baseline = [&] { std::memcpy(copy.data(), bytes.data(), bytes.size()); };
  ours();
  baseline();
  const auto seconds = compare(context, ours, baseline);
  const double megabytes_a_second = static_cast<double>(bytes.size()) / seconds.ours / 1e6;
  return {"erasure.encode",
          {{"data", data},
           {"parity", parity},
           {"MB_a_second", static_cast<std::int64_t>(std::lround(megabytes_a_second))}},
          seconds,
          std::nullopt};
}

std::vector<Row> measure(Context& context) {
  return {encode(context, 1, 1), encode(context, 7, 1), encode(context, 4, 2),
          encode(context, 8, 3)};
}

const Benchmark erasure_benchmark{
    "erasure", "parity over nodes against memcpy of the data; 2000 MB a second are wanted",
    measure};

}  // namespace

}  // namespace cairn::bench
