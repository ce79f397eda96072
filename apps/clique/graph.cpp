#include "graph.hpp"

#include <bit>
#include <charconv>
#include <string>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/expects.hpp"

namespace cairn::clique {

namespace {

constexpr std::size_t bits = 64;

std::size_t words_of(int vertices) {
  return (static_cast<std::size_t>(vertices) + bits - 1) / bits;
}

}  // namespace

Graph::Graph(int vertices)
    : Graph(vertices,
            std::vector<std::uint64_t>(static_cast<std::size_t>(vertices) * words_of(vertices))) {}

Graph::Graph(int vertices, std::vector<std::uint64_t> matrix)
    : vertices_(vertices), words_(words_of(vertices)), matrix_(std::move(matrix)) {
  expects(vertices >= 0 && vertices <= most_vertices, "a number of vertices");
  expects(matrix_.size() == words_ * static_cast<std::size_t>(vertices), "a row for each vertex");
}

void Graph::connect(int a, int b) {
  expects(a != b && a >= 0 && b >= 0 && a < vertices_ && b < vertices_, "two vertices");
  const auto set = [this](std::size_t from, std::size_t to) {
    matrix_[from * words_ + to / bits] |= std::uint64_t{1} << to % bits;
  };
  set(static_cast<std::size_t>(a), static_cast<std::size_t>(b));
  set(static_cast<std::size_t>(b), static_cast<std::size_t>(a));
}

std::span<const std::uint64_t> Graph::row(int vertex) const noexcept {
  return std::span(matrix_).subspan(static_cast<std::size_t>(vertex) * words_, words_);
}

bool Graph::adjacent(int a, int b) const noexcept {
  const auto to = static_cast<std::size_t>(b);
  return (row(a)[to / bits] >> to % bits & 1) != 0;
}

int Graph::degree(int vertex) const noexcept {
  int count = 0;
  for (const auto word : row(vertex)) count += std::popcount(word);
  return count;
}

std::uint64_t Graph::edges() const noexcept {
  std::uint64_t ends = 0;
  for (const auto word : matrix_) ends += static_cast<std::uint64_t>(std::popcount(word));
  return ends / 2;
}

/// FNV-1a, by words.
std::uint64_t Graph::digest() const noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto take = [&hash](std::uint64_t word) { hash = (hash ^ word) * 0x100000001b3; };
  take(static_cast<std::uint64_t>(vertices_));
  for (const auto word : matrix_) take(word ^ word >> 29);
  return hash;
}

bool is_clique(const Graph& graph, std::span<const int> vertices) {
  for (std::size_t i = 0; i < vertices.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (!graph.adjacent(vertices[i], vertices[j])) return false;
  return true;
}

// --- families ----------------------------------------------------------------------------------

namespace {

/// The numbers of "hamming8-4"; nothing if the name is of another form.
std::optional<std::vector<int>> numbers_of(std::string_view name, std::string_view family,
                                           std::size_t count) {
  if (!name.starts_with(family)) return std::nullopt;
  name.remove_prefix(family.size());
  std::vector<int> numbers;
  while (true) {
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc{} || number < 0) return std::nullopt;
    numbers.push_back(number);
    name.remove_prefix(static_cast<std::size_t>(end - name.data()));
    if (name.empty()) break;
    if (name.front() != '-') return std::nullopt;
    name.remove_prefix(1);
  }
  if (numbers.size() != count) return std::nullopt;
  return numbers;
}

[[noreturn]] void refuse(std::string_view name, const std::string& why) {
  throw Error(Errc::usage, std::string(name) + ": " + why);
}

template <typename Adjacent>
Graph graph_of(std::string_view name, const std::vector<std::uint32_t>& words, Adjacent adjacent) {
  if (words.empty()) refuse(name, "has no vertices");
  const auto count = static_cast<int>(words.size());
  Graph graph(count);
  for (int a = 0; a < count; ++a)
    for (int b = 0; b < a; ++b)
      if (adjacent(words[static_cast<std::size_t>(a)], words[static_cast<std::size_t>(b)]))
        graph.connect(a, b);
  return graph;
}

std::string too_many() { return "more than " + std::to_string(Graph::most_vertices) + " vertices"; }

/// Words of so many bits that are to be vertices.
template <typename Wanted>
std::vector<std::uint32_t> words(std::string_view name, int length, Wanted wanted) {
  if (length < 1) refuse(name, "words of no length");
  // johnson31-2-4 and a few longer ones have few enough vertices.
  if (length > 32) refuse(name, "words of more than 32 bits");
  std::vector<std::uint32_t> found;
  const std::uint64_t end = std::uint64_t{1} << length;
  for (std::uint64_t word = 0; word < end; word = wanted.next(word)) {
    if (!wanted(word)) continue;
    if (found.size() == static_cast<std::size_t>(Graph::most_vertices)) refuse(name, too_many());
    found.push_back(static_cast<std::uint32_t>(word));
  }
  return found;
}

struct AllWords {
  bool operator()(std::uint64_t) const { return true; }
  std::uint64_t next(std::uint64_t word) const { return word + 1; }
};

struct WordsOfWeight {
  int weight;
  bool operator()(std::uint64_t word) const { return std::popcount(word) == weight; }
  /// The next word with as many ones; from 0 on, the first with `weight` of them.
  std::uint64_t next(std::uint64_t word) const {
    if (word == 0) return weight > 0 ? (std::uint64_t{1} << weight) - 1 : ~std::uint64_t{0};
    const std::uint64_t lowest = word & (~word + 1);
    const std::uint64_t carried = word + lowest;
    return carried | (((word ^ carried) >> 2) / lowest);
  }
};

struct FarApart {
  int distance;
  bool operator()(std::uint32_t a, std::uint32_t b) const {
    return std::popcount(a ^ b) >= distance;
  }
};

/// Digits of 0 to 3, two bits each.
bool keller_adjacent(std::uint32_t a, std::uint32_t b) {
  int different = 0;
  bool by_two = false;
  for (; a != b; a >>= 2, b >>= 2) {
    const auto difference = (a - b) & 3;
    different += difference != 0 ? 1 : 0;
    by_two = by_two || difference == 2;
  }
  return different >= 2 && by_two;
}

struct KellerNeighboursOfZero : AllWords {
  bool operator()(std::uint64_t word) const {
    return keller_adjacent(static_cast<std::uint32_t>(word), 0);
  }
};

}  // namespace

std::optional<Graph> named_graph(std::string_view name) {
  if (const auto n = numbers_of(name, "hamming", 2))
    return graph_of(name, words(name, (*n)[0], AllWords{}), FarApart{(*n)[1]});
  if (const auto n = numbers_of(name, "johnson", 3)) {
    if ((*n)[1] > (*n)[0]) refuse(name, "more ones than bits");
    return graph_of(name, words(name, (*n)[0], WordsOfWeight{(*n)[1]}), FarApart{(*n)[2]});
  }
  if (const auto n = numbers_of(name, "keller", 1)) {
    if ((*n)[0] > 15) refuse(name, too_many());
    return graph_of(name, words(name, 2 * (*n)[0], KellerNeighboursOfZero{}), keller_adjacent);
  }
  return std::nullopt;
}

}  // namespace cairn::clique
