#include "node_layout.hpp"

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

/// The ranks of this machine, as MPI says; freed at the end of its scope.
class Machine {
 public:
  explicit Machine(const Communicator& comm) {
    check_mpi(MPI_Comm_split_type(comm.native(), MPI_COMM_TYPE_SHARED, comm.rank(), MPI_INFO_NULL,
                                  &handle_),
              "MPI_Comm_split_type");
    MPI_Comm_rank(handle_, &rank_);
    MPI_Comm_size(handle_, &size_);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() { MPI_Comm_free(&handle_); }

  [[nodiscard]] int size() const noexcept { return size_; }

  /// The rank in `comm` of the first rank of this rank's node: a name that no other node has.
  [[nodiscard]] int leader(const Communicator& comm, int ranks_per_node, bool in_turn) const {
    std::vector<int> ranks(static_cast<std::size_t>(size_));
    const int mine = comm.rank();
    check_mpi(MPI_Allgather(&mine, 1, MPI_INT, ranks.data(), 1, MPI_INT, handle_), "MPI_Allgather");
    const int per_node = ranks_per_node == 0 ? size_ : ranks_per_node;
    const int nodes = (size_ + per_node - 1) / per_node;
    const int first = in_turn ? rank_ % nodes : rank_ - rank_ % per_node;
    return ranks[static_cast<std::size_t>(first)];
  }

  /// Cores that at least one of the ranks may run on.
  [[nodiscard]] int cores() const {
    std::array<unsigned char, sizeof(cpu_set_t)> mask{};
    cpu_set_t mine;
    CPU_ZERO(&mine);
    if (sched_getaffinity(0, sizeof mine, &mine) == 0) {
      const auto* const bytes = reinterpret_cast<const unsigned char*>(&mine);
      std::copy(bytes, bytes + sizeof mine, mask.begin());
    }
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, mask.data(), static_cast<int>(mask.size()),
                            MPI_UNSIGNED_CHAR, MPI_BOR, handle_),
              "MPI_Allreduce");
    int count = 0;
    for (const auto byte : mask) count += __builtin_popcount(byte);
    return std::max(count, 1);
  }

 private:
  MPI_Comm handle_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace

NodeLayout NodeLayout::of(const Communicator& comm, int ranks_per_node, bool in_turn) {
  expects(ranks_per_node >= 0, "ranks_per_node of 0 or more");
  const Machine machine(comm);
  const int leader = machine.leader(comm, ranks_per_node, in_turn);
  auto node = comm.split(leader, comm.rank(), "cairn.node");
  auto leaders = comm.split(node.is_root() ? 0 : 1, comm.rank(), "cairn.leaders");
  NodeLayout layout{std::move(node), std::move(leaders)};

  const int cores = machine.cores();
  std::array<int, 2> extremes{-cores, machine.size() > cores ? 1 : 0};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, extremes.data(), 2, MPI_INT, MPI_MAX, comm.native()),
            "MPI_Allreduce");
  layout.cores = -extremes[0];
  layout.oversubscribed = extremes[1] != 0;
  layout.fill_tables(comm, leader);
  return layout;
}

void NodeLayout::fill_tables(const Communicator& comm, int leader) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<int> leader_of(ranks);
  check_mpi(MPI_Allgather(&leader, 1, MPI_INT, leader_of.data(), 1, MPI_INT, comm.native()),
            "MPI_Allgather");
  node_of.resize(ranks);
  rank_in_node.resize(ranks);
  for (std::size_t r = 0; r < ranks; ++r) {
    const auto leaders_rank = static_cast<std::size_t>(leader_of[r]);
    if (leaders_rank == r) {
      node_of[r] = nodes();
      first_rank.push_back(static_cast<int>(r));
      node_size.push_back(0);
    } else {
      node_of[r] = node_of[leaders_rank];
    }
    rank_in_node[r] = node_size[static_cast<std::size_t>(node_of[r])]++;
  }
}

int NodeLayout::largest_node() const noexcept {
  return *std::max_element(node_size.begin(), node_size.end());
}

bool NodeLayout::consecutive() const noexcept {
  return std::is_sorted(node_of.begin(), node_of.end());
}

}  // namespace cairn::detail
