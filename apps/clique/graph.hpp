// Graphs, and the families of the DIMACS benchmark that follow from a rule.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace cairn::clique {

/// Undirected, without loops; vertices are numbered from 0.
class Graph {
 public:
  static constexpr int most_vertices = 4096;

  /// Without edges. @param vertices  0 to most_vertices
  explicit Graph(int vertices);
  /// @param matrix  what matrix() gives
  Graph(int vertices, std::vector<std::uint64_t> matrix);

  void connect(int a, int b);

  [[nodiscard]] int vertices() const noexcept { return vertices_; }
  [[nodiscard]] std::uint64_t edges() const noexcept;
  [[nodiscard]] bool adjacent(int a, int b) const noexcept;
  [[nodiscard]] int degree(int vertex) const noexcept;

  /// A row of 64-bit words for each vertex.
  [[nodiscard]] std::span<const std::uint64_t> matrix() const noexcept { return matrix_; }
  /// Tells graphs apart, but not against malice.
  [[nodiscard]] std::uint64_t digest() const noexcept;

 private:
  [[nodiscard]] std::span<const std::uint64_t> row(int vertex) const noexcept;

  int vertices_;
  std::size_t words_;  // of a row
  std::vector<std::uint64_t> matrix_;
};

/// The graph of a name: hammingN-D, johnsonN-W-D or kellerN.
///
/// hammingN-D: words of N bits; adjacent when they differ in at least D of them.
/// johnsonN-W-D: those with W ones.
/// kellerN: words of N digits 0 to 3; adjacent when they differ in at least two digits, and in one
/// of them by 2 modulo 4. Of this graph, which looks alike from all vertices, the benchmark has the
/// neighbours of the word 0, whose largest clique is smaller by one.
///
/// @return nothing if the name is of no such kind
/// @throws Error{usage} for numbers that give no graph of 1 to most_vertices vertices
[[nodiscard]] std::optional<Graph> named_graph(std::string_view name);

/// Whether all of them are different, and adjacent to each other.
[[nodiscard]] bool is_clique(const Graph& graph, std::span<const int> vertices);

}  // namespace cairn::clique
