#include "search.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "bits.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/checkpointed_run.hpp"
#include "cairn/loadbalance/incumbent.hpp"
#include "cairn/loadbalance/work_pool.hpp"

namespace cairn::clique {

namespace {

using Size = loadbalance::Incumbent<int>;

/// A clique, and the vertices that are adjacent to all of it.
template <int words>
struct Task {
  static constexpr std::size_t priorities = 64;

  Bits<words> clique;
  Bits<words> candidates;
  std::int32_t size = 0;
  std::int32_t bound = 0;  ///< no clique in here is larger
  std::int64_t urgency = 0;

  [[nodiscard]] std::size_t priority() const noexcept { return static_cast<std::size_t>(urgency); }
};

/// How the pool names one that has failed; vertices are numbered as OrderedGraph has them.
template <int words>
std::string describe(const Task<words>& task) {
  const auto members = [](const Bits<words>& set) {
    std::string text;
    for (int v = 0; v < 64 * words; ++v)
      if (set.test(v)) text += (text.empty() ? "" : ", ") + std::to_string(v);
    return "{" + text + "}";
  };
  return "clique " + members(task.clique) + " with candidates " + members(task.candidates);
}

/// The largest clique of a thread.
template <int words>
struct Found {
  std::uint64_t nodes = 0;
  std::int64_t size = 0;
  Bits<words> members;

  void merge(const Found& other) noexcept {
    nodes += other.nodes;
    const auto rank = [](const Found& found) { return std::pair(found.size, found.members.word); };
    if (rank(other) <= rank(*this)) return;
    size = other.size;
    members = other.members;
  }
};

/// The graph with its vertices in another order: again and again, the one with the fewest
/// neighbours among those that are left goes to the end. So the first ones are in dense parts, and
/// colours are given to them first.
template <int words>
class OrderedGraph {
 public:
  explicit OrderedGraph(const Graph& graph) : original_(order_of(graph)), rows_(original_.size()) {
    for (std::size_t a = 0; a < rows_.size(); ++a)
      for (std::size_t b = 0; b < rows_.size(); ++b)
        if (graph.adjacent(original_[a], original_[b])) rows_[a].set(static_cast<int>(b));
  }

  [[nodiscard]] int vertices() const noexcept { return static_cast<int>(rows_.size()); }
  [[nodiscard]] const Bits<words>& neighbours(int vertex) const noexcept {
    return rows_[static_cast<std::size_t>(vertex)];
  }
  [[nodiscard]] std::vector<int> original(const Bits<words>& vertices) const {
    std::vector<int> numbers;
    for (int v = vertices.next(0); v >= 0; v = vertices.next(v + 1))
      numbers.push_back(original_[static_cast<std::size_t>(v)]);
    std::ranges::sort(numbers);
    return numbers;
  }

 private:
  static std::vector<int> order_of(const Graph& graph) {
    std::vector<int> left;
    std::vector<int> degrees;
    for (int v = 0; v < graph.vertices(); ++v) {
      left.push_back(v);
      degrees.push_back(graph.degree(v));
    }
    const auto degree = [&degrees](int v) -> int& { return degrees[static_cast<std::size_t>(v)]; };
    std::vector<int> order(left.size());
    for (auto at = order.rbegin(); at != order.rend(); ++at) {
      const auto least = std::ranges::min_element(left, {}, degree);
      *at = *least;
      left.erase(least);
      for (const int v : left) degree(v) -= graph.adjacent(v, *at) ? 1 : 0;
    }
    return order;
  }

  std::vector<int> original_;
  std::vector<Bits<words>> rows_;
};

/// Vertices to branch on, each with a bound of what it and those before it can add to the clique.
struct Branches {
  std::vector<int> vertices;
  std::vector<int> colours;
};

/// What a thread does. A copy has its own scratch memory.
template <int words>
class Searcher {
 public:
  Searcher(const OrderedGraph<words>& graph, Size& best, const SearchOptions& options)
      : graph_(&graph), best_(&best), options_(options), root_(root()) {}

  /// The whole graph, as a task.
  [[nodiscard]] const Task<words>& root_task() const noexcept { return root_; }

  void operator()(const Task<words>& task, loadbalance::Spawner<Task<words>>& spawner,
                  Found<words>& found) {
    if (task.bound <= limit()) return;
    if (task.size >= options_.task_depth) {
      last_node_ = found.nodes + std::min(options_.task_nodes, UINT64_MAX - found.nodes);
      Bits<words> clique = task.clique;
      search({clique, spawner, found, task.bound}, task.size, task.candidates);
    } else {
      ++found.nodes;
      const Branches& branches = colour(task.candidates, limit() - task.size, 0);
      Bits<words> clique = task.clique;
      divide({clique, spawner, found, task.bound}, task.size, task.candidates, branches,
             branches.vertices.size());
    }
  }

 private:
  Task<words> root() {
    Task<words> task;
    for (int v = 0; v < graph_->vertices(); ++v) task.candidates.set(v);
    const Branches& branches = colour(task.candidates, 0, 0);
    task.bound = branches.colours.empty() ? 0 : branches.colours.back();
    task.urgency = Task<words>::priorities - 1;
    return task;
  }

  /// Nothing of this size or less is of interest.
  [[nodiscard]] int limit() const noexcept {
    const int size = best_->value();
    const bool is_enough = options_.target > 0 && size >= options_.target;
    return is_enough ? std::numeric_limits<int>::max() : size;
  }

  /// Where a task stands, at all depths.
  struct Place {
    Bits<words>& clique;
    loadbalance::Spawner<Task<words>>& spawner;
    Found<words>& found;
    int bound;
  };

  /// So many vertices below the task: where the search stands there.
  struct Level {
    Bits<words> candidates;
    Branches branches;
    std::size_t left = 0;  ///< branches, the last of which is next
  };

  /// Makes tasks of the first `count` branches.
  void divide(const Place& place, int size, const Bits<words>& candidates, const Branches& branches,
              std::size_t count) {
    Task<words> child;
    child.size = size + 1;
    Bits<words> before = candidates;
    for (std::size_t i = 0; i < count; ++i) before.reset(branches.vertices[i]);
    for (std::size_t i = 0; i < count; ++i) {
      const int v = branches.vertices[i];
      child.clique = place.clique;
      child.clique.set(v);
      child.candidates = before & graph_->neighbours(v);
      child.bound = std::min(place.bound, size + branches.colours[i]);
      child.urgency = std::int64_t{63} * child.bound / std::max(1, root_.bound);
      if (child.candidates.none()) {
        keep(child.clique, child.size, place.found);
      } else {
        place.spawner.push(child);
      }
      before.set(v);
    }
  }

  /// A clique may have as many vertices as the graph: no recursion, whose frames a thread of 2 MiB
  /// of stack has no room for.
  void search(const Place& place, int size, const Bits<words>& candidates) {
    const int size_of_task = size;
    enter(place, size, candidates, 0);
    for (std::size_t depth = 0;;) {
      Level& level = levels_[depth];
      if (level.left > 0 && size + level.branches.colours[level.left - 1] <= limit())
        level.left = 0;
      if (level.left > 0 && place.found.nodes >= last_node_) {
        divide(place, size, level.candidates, level.branches, level.left);
        level.left = 0;
      }
      if (level.left == 0) {
        if (size == size_of_task) return;
        --size;
        leave(place, levels_[--depth]);
        continue;
      }
      const int v = level.branches.vertices[--level.left];
      place.clique.set(v);
      const Bits<words> next = level.candidates & graph_->neighbours(v);
      if (next.none()) {
        keep(place.clique, size + 1, place.found);
        leave(place, level);
      } else {
        enter(place, ++size, next, ++depth);
      }
    }
  }

  void enter(const Place& place, int size, const Bits<words>& candidates, std::size_t depth) {
    ++place.found.nodes;
    const Branches& branches = colour(candidates, limit() - size, depth);
    levels_[depth].candidates = candidates;
    levels_[depth].left = branches.vertices.size();
  }

  /// What comes of the vertex that this level has branched on last is done.
  void leave(const Place& place, Level& level) {
    const int v = level.branches.vertices[level.left];
    place.clique.reset(v);
    level.candidates.reset(v);
  }

  /// Colours the candidates greedily, so that adjacent ones differ: a clique has at most one vertex
  /// of each colour.
  /// @return those of a colour above `least`, by colour; in levels_[depth]
  const Branches& colour(Bits<words> candidates, int least, std::size_t depth) {
    if (levels_.size() <= depth) levels_.resize(depth + 1);
    Branches& branches = levels_[depth].branches;
    branches.vertices.clear();
    branches.colours.clear();
    for (int colour = 1; !candidates.none(); ++colour) {
      Bits<words> same = candidates;
      for (int v = same.next(0); v >= 0; v = same.next(v + 1)) {
        candidates.reset(v);
        same.remove(graph_->neighbours(v));
        if (colour <= least) continue;
        branches.vertices.push_back(v);
        branches.colours.push_back(colour);
      }
    }
    return branches;
  }

  void keep(const Bits<words>& clique, int size, Found<words>& found) {
    if (!best_->offer(size)) return;
    found.size = size;
    found.members = clique;
  }

  const OrderedGraph<words>* graph_;
  Size* best_;
  SearchOptions options_;
  std::vector<Level> levels_;    // by depth below the task
  std::uint64_t last_node_ = 0;  // of the task
  Task<words> root_;
};

template <int words>
SearchResult find(const Communicator& comm, const Graph& graph, const SearchOptions& options,
                  ckpt::Checkpointer& ckpt) {
  const OrderedGraph<words> ordered(graph);
  Size best(0);
  const Searcher<words> searcher(ordered, best, options);
  loadbalance::CheckpointedRun<Task<words>, Found<words>> run(ckpt);
  const auto pulse = [&](const loadbalance::PoolPulse& beat) {
    if (options.pulse) options.pulse(beat, run.report().tasks);
  };
  loadbalance::WorkPool pool(comm, {.threads = options.threads,
                                    .pulse = pulse,
                                    .pulse_seconds = options.pulse_seconds,
                                    .incumbent = &best});
  std::vector<Task<words>> roots;
  if (comm.is_root()) roots.push_back(searcher.root_task());
  SearchResult result;
  result.restored_from = run.restore_or(comm, roots);
  best.offer(static_cast<int>(run.state().results.size));
  result.is_stopped = !run.advance(pool, searcher, {.every_tasks = options.cut_every});
  result.cut = run.cut();
  result.report = run.report();
  const auto found = pool.merged(run.state().results);
  result.members = ordered.original(found.members);
  result.nodes = found.nodes;
  const bool is_enough = options.target > 0 && best.value() >= options.target;
  result.is_proved = !result.is_stopped && !is_enough;
  return result;
}

}  // namespace

SearchResult find_clique(const Communicator& comm, const Graph& graph, const SearchOptions& options,
                         ckpt::Checkpointer& ckpt) {
  // Sets that fit take less time than such as could hold any graph.
  if (graph.vertices() <= 4 * 64) return find<4>(comm, graph, options, ckpt);
  if (graph.vertices() <= 16 * 64) return find<16>(comm, graph, options, ckpt);
  return find<Graph::most_vertices / 64>(comm, graph, options, ckpt);
}

}  // namespace cairn::clique
