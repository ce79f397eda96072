#include "cairn/mapreduce/split.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

#include "cairn/core/error.hpp"

namespace cairn::mapreduce {

ByteRange equal_part(std::uint64_t total, int part, int parts) {
  expects(parts > 0 && part >= 0 && part < parts, "a part of one or more");
  const auto n = static_cast<std::uint64_t>(parts);
  const auto first_of = [&](std::uint64_t i) { return total / n * i + std::min(i, total % n); };
  const auto i = static_cast<std::uint64_t>(part);
  return {first_of(i), first_of(i + 1)};
}

std::vector<FilePart> file_parts(std::span<const InputFile> files, ByteRange range) {
  std::vector<FilePart> parts;
  std::uint64_t begin = 0;  // of the file, in the concatenation
  for (std::size_t i = 0; i < files.size() && begin < range.last; ++i) {
    const std::uint64_t end = begin + files[i].bytes;
    const std::uint64_t first = std::max(begin, range.first);
    const std::uint64_t last = std::min(end, range.last);
    if (first < last) parts.push_back({i, {first - begin, last - begin}});
    begin = end;
  }
  return parts;
}

std::vector<std::vector<std::size_t>> deal_files(std::span<const InputFile> files, int ranks) {
  expects(ranks > 0, "one rank or more");
  std::vector<std::size_t> by_size(files.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](std::size_t a, std::size_t b) { return files[a].bytes > files[b].bytes; });

  using Load = std::pair<std::uint64_t, std::size_t>;  // bytes, rank
  std::priority_queue<Load, std::vector<Load>, std::greater<>> loads;
  for (int r = 0; r < ranks; ++r) loads.emplace(0, static_cast<std::size_t>(r));
  std::vector<std::vector<std::size_t>> dealt(static_cast<std::size_t>(ranks));
  for (const std::size_t file : by_size) {
    const auto [bytes, rank] = loads.top();
    loads.pop();
    dealt[rank].push_back(file);
    loads.emplace(bytes + files[file].bytes, rank);
  }
  return dealt;
}

}  // namespace cairn::mapreduce
