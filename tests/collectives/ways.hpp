/// A call carried out in each way: blocking, through the node engine, non-blocking, persistent
/// twice, and all of them again
/// with a limit of counts that makes every larger call one of a large count.
#pragma once

#include "cairn/collectives/count.hpp"
#include "cairn/collectives/node_engine.hpp"
#include "cairn/collectives/plan.hpp"
#include "mpi_test.hpp"

namespace cairn::test {

/// Lowers the limit above which counts are large, while it lives. Without CountLimit's witness:
/// layouts of the caller's keep their ints.
class LowerLimit {
 public:
  explicit LowerLimit(std::size_t limit) : before_(detail::max_count) { detail::max_count = limit; }
  ~LowerLimit() { detail::max_count = before_; }
  LowerLimit(const LowerLimit&) = delete;
  LowerLimit& operator=(const LowerLimit&) = delete;

 private:
  std::size_t before_;
};

/// The ranks of the world with a node engine that does all it can, on nodes of two ranks.
inline const Communicator& world_through_nodes() {
  static const Communicator comm = [] {
    Communicator with_engine = world().duplicate("test.nodes");
    NodeEngineOptions options;
    options.mode = NodeEngineMode::on;
    options.ranks_per_node = 2;
    with_engine.use_node_engine(options);
    return with_engine;
  }();
  return comm;
}

/// prepare(), call(way), check(), for each way. `call` returns what the library's call returns.
template <typename Prepare, typename Call, typename Check>
void in_every_way(const Communicator& comm, Prepare prepare, Call call, Check check) {
  for (const std::size_t limit : {detail::max_count, std::size_t{3}}) {
    const LowerLimit lowered(limit);
    CAPTURE(limit);
    prepare();
    call(comm);
    check();

    if (&comm == &world()) {
      prepare();
      call(world_through_nodes());
      check();
    }

    prepare();
    auto future = call(async(comm));
    future.wait();
    check();

    auto persistent = call(plan(comm));
    for (int start = 0; start < 2; ++start) {
      prepare();
      persistent.start();
      if (start == 0) {
        while (!persistent.test()) {
        }
        check();  // done is done, before wait()
      }
      persistent.wait();
      check();
    }
  }
}

}  // namespace cairn::test
