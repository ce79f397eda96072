#include "dimacs.hpp"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "cairn/core/error.hpp"

namespace cairn::clique {

namespace {

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path) {}

  Graph read() {
    open();
    for (std::string line; std::getline(file_, line);) {
      ++line_;
      take(line);
    }
    if (file_.bad()) throw Error(Errc::input_output, "cannot read " + path_.string());
    if (!graph_) refuse("the file ends without a line 'p edge VERTICES EDGES'");
    if (promised_ != lines_ && promised_ != graph_->edges())
      refuse("the file ends after " + std::to_string(lines_) + " edges, and promises " +
             std::to_string(promised_) + "; is it complete?");
    return *std::move(graph_);
  }

 private:
  void open() {
    std::error_code code;
    const auto status = std::filesystem::status(path_, code);
    if (!std::filesystem::status_known(status)) throw_errno(code.value(), "read " + path_.string());
    if (!std::filesystem::exists(status))
      throw Error(Errc::no_input, path_.string() +
                                      ": no such file, and no graph of a known family "
                                      "(hamming8-4, johnson16-2-4, keller4)");
    if (!std::filesystem::is_regular_file(status))
      throw Error(Errc::usage, path_.string() + " is no regular file");
    errno = 0;
    file_.open(path_);
    if (!file_)
      throw Error(errc_from_errno(errno), "cannot open " + path_.string() + " for reading");
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(Errc::bad_data, path_.string() + ", line " + std::to_string(line_) + ": " + why);
  }

  void take(const std::string& line) {
    std::istringstream text(line);
    std::string word;
    if (!(text >> word) || word == "c") return;
    if (word == "p") return header(text);
    if (word == "e") return edge(text);
    refuse("begins with neither c, p nor e: not a graph in DIMACS's ASCII format");
  }

  void header(std::istringstream& text) {
    if (graph_) refuse("a second line p");
    std::string format;
    text >> format;
    if (format != "edge" && format != "col") refuse("'p edge VERTICES EDGES' is wanted");
    const auto vertices = number(text, "the number of vertices");
    promised_ = number(text, "the number of edges");
    expect_end(text);
    if (vertices > static_cast<std::uint64_t>(Graph::most_vertices))
      refuse(std::to_string(vertices) + " vertices; at most " +
             std::to_string(Graph::most_vertices) + " fit");
    graph_.emplace(static_cast<int>(vertices));
  }

  void edge(std::istringstream& text) {
    if (!graph_) refuse("an edge before the line p");
    const int a = vertex(text);
    const int b = vertex(text);
    expect_end(text);
    if (a == b) refuse("an edge from a vertex to itself");
    graph_->connect(a, b);
    ++lines_;
  }

  std::uint64_t number(std::istringstream& text, const std::string& what) const {
    std::string word;
    if (!(text >> word)) refuse(what + " is missing");
    std::uint64_t value = 0;
    const auto* const last = word.data() + word.size();
    const auto [end, error] = std::from_chars(word.data(), last, value);
    if (error != std::errc{} || end != last) refuse("'" + word + "' is not " + what);
    return value;
  }

  int vertex(std::istringstream& text) const {
    const auto value = number(text, "a vertex");
    if (value < 1 || value > static_cast<std::uint64_t>(graph_->vertices()))
      refuse("there is no vertex " + std::to_string(value) + ", only 1 to " +
             std::to_string(graph_->vertices()));
    return static_cast<int>(value) - 1;
  }

  void expect_end(std::istringstream& text) const {
    if (std::string word; text >> word) refuse("'" + word + "' is too much");
  }

  std::filesystem::path path_;
  std::ifstream file_;
  std::uint64_t line_ = 0;
  std::optional<Graph> graph_;
  std::uint64_t promised_ = 0;
  std::uint64_t lines_ = 0;  // of edges
};

}  // namespace

Graph read_dimacs(const std::filesystem::path& path) { return Reader(path).read(); }

}  // namespace cairn::clique
