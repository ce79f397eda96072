// Families of graphs against their published sizes; files in DIMACS's format, and what is none.
#include "graph.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cairn/core/error.hpp"
#include "dimacs.hpp"

using namespace cairn;
using namespace cairn::clique;

namespace {

/// A file that goes away with it.
class Written {
 public:
  explicit Written(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("cairn-clique-" + std::to_string(::getpid()) + ".clq")) {
    std::ofstream(path_) << text;
  }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() { std::filesystem::remove(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The error of such a file, without its path; empty if there is none.
std::string error_of(const std::string& text) {
  const Written file(text);
  try {
    (void)read_dimacs(file.path());
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_data);
    const std::string what = error.what();
    CHECK(what.find(file.path().string()) == 0);
    return what.substr(file.path().string().size());
  }
  return "";
}

}  // namespace

TEST_CASE("families have the sizes that DIMACS has published") {
  struct Size {
    const char* name;
    int vertices;
    std::uint64_t edges;
  };
  for (const Size& size :
       {Size{"hamming6-2", 64, 1824}, Size{"hamming6-4", 64, 704}, Size{"hamming8-2", 256, 31616},
        Size{"hamming8-4", 256, 20864}, Size{"hamming10-2", 1024, 518656},
        Size{"hamming10-4", 1024, 434176}, Size{"johnson8-2-4", 28, 210},
        Size{"johnson8-4-4", 70, 1855}, Size{"johnson16-2-4", 120, 5460},
        Size{"johnson32-2-4", 496, 107880}, Size{"keller4", 171, 9435},
        Size{"keller5", 776, 225990}, Size{"keller6", 3361, 4619898}}) {
    CAPTURE(size.name);
    const auto graph = named_graph(size.name);
    CHECK(graph.has_value());
    if (!graph) continue;
    CHECK(graph->vertices() == size.vertices);
    CHECK(graph->edges() == size.edges);
  }
}

TEST_CASE("edges go both ways, and a row at a time") {
  Graph graph(130);
  graph.connect(1, 129);
  graph.connect(64, 129);
  CHECK(graph.adjacent(129, 1));
  CHECK(graph.adjacent(1, 129));
  CHECK_FALSE(graph.adjacent(1, 64));
  CHECK(graph.degree(129) == 2);
  CHECK(graph.edges() == 2);
  CHECK(is_clique(graph, std::vector{1, 129}));
  CHECK_FALSE(is_clique(graph, std::vector{1, 64, 129}));
  CHECK_FALSE(is_clique(graph, std::vector{1, 1}));
  CHECK(is_clique(graph, std::vector<int>{}));
  CHECK(graph.digest() != Graph(130).digest());
}

TEST_CASE("other names are none of a family, and numbers without a graph are refused") {
  for (const char* name : {"hamming", "hamming8", "hamming8-", "hamming8-4-1", "hamming8-4.clq",
                           "hamming-8-4", "johnson8-2", "keller", "keller4-4", "brock200_1", ""})
    CHECK_FALSE(named_graph(name).has_value());
  for (const char* name :
       {"hamming13-2", "hamming0-1", "hamming64-2", "johnson8-9-2", "johnson40-2-4",
        "johnson32-16-2", "keller7", "keller0", "keller99", "keller1"})
    CHECK_THROWS_AS((void)named_graph(name), Error);
  CHECK(named_graph("johnson8-0-1")->vertices() == 1);
  CHECK(named_graph("hamming12-12")->vertices() == 4096);
}

TEST_CASE("a file says what it says") {
  const Written file("c a path\r\nc\n\np edge 4 3\r\ne 1 2\r\ne 2 3\ne 3 4");
  const Graph graph = read_dimacs(file.path());
  CHECK(graph.vertices() == 4);
  CHECK(graph.edges() == 3);
  CHECK(graph.adjacent(0, 1));
  CHECK_FALSE(graph.adjacent(0, 2));
  CHECK(error_of("p col 2 2\ne 1 2\ne 2 1\n").empty());  // both directions, counted twice
  CHECK(error_of("p col 2 1\ne 1 2\ne 2 1\n").empty());  // or once
  CHECK(error_of("p edge 0 0\n").empty());
}

TEST_CASE("a file that is no graph is refused with its line") {
  const auto says = [](const std::string& text, const std::string& words) {
    const auto error = error_of(text);
    CAPTURE(error);
    CHECK(error.find(words) != std::string::npos);
  };
  says("", ", line 0: the file ends without");
  says("c only this\n", "ends without a line 'p edge");
  says("e 1 2\n", ", line 1: an edge before the line p");
  says("p edge 2 1\np edge 2 1\n", ", line 2: a second line p");
  says("p matrix 2 1\n", "'p edge VERTICES EDGES' is wanted");
  says("p edge 2\n", "the number of edges is missing");
  says("p edge two 1\n", "'two' is not the number of vertices");
  says("p edge -2 1\n", "'-2' is not");
  says("p edge 2 1 1\n", "'1' is too much");
  says("p edge 4097 1\n", "at most 4096");
  says("p edge 99999999999999999999 1\n", "is not the number of vertices");
  says("p edge 3 1\ne 1 4\n", ", line 2: there is no vertex 4, only 1 to 3");
  says("p edge 3 1\ne 0 1\n", "no vertex 0");
  says("p edge 3 1\ne 1\n", "a vertex is missing");
  says("p edge 3 1\ne 1 2x\n", "'2x' is not a vertex");
  says("p edge 3 1\ne 2 2\n", "from a vertex to itself");
  says("p edge 3 2\ne 1 2\n", "ends after 1 edges, and promises 2");
  says("p edge 3 1\ne 1 2\ne 2 3\n", "ends after 2 edges, and promises 1");
  says("\x89HDF\r\n", "neither c, p nor e");
  try {
    (void)read_dimacs("/nowhere/at/all.clq");
    FAIL_CHECK("it is there");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::no_input);
  }
  CHECK_THROWS_AS((void)read_dimacs("/"), Error);
}
