/// What the copies through shared memory cost by themselves: the floor of every engine that is
/// handed private buffers.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <vector>

#include "benchmark.hpp"

namespace cairn::bench {

/// Two ranks of one node, and a buffer of each that both have mapped.
class SharedCopies {
 public:
  /// Seconds of the slower rank, medians: to copy private bytes into shared ones which the other
  /// rank has read before, and to copy the other rank's out.
  struct Times {
    double in;
    double out;
  };

  /// Collective over `comm`, of two ranks on one node.
  SharedCopies(const Communicator& comm, std::size_t most_bytes)
      : comm_(comm), private_(most_bytes) {
    const auto bytes = static_cast<MPI_Aint>(most_bytes);
    MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, comm.native(), &mine_, &window_);
    MPI_Aint their_bytes = 0;
    int unit = 0;
    MPI_Win_shared_query(window_, 1 - comm.rank(), &their_bytes, &unit, &theirs_);
  }
  SharedCopies(const SharedCopies&) = delete;
  SharedCopies& operator=(const SharedCopies&) = delete;
  ~SharedCopies() { MPI_Win_free(&window_); }

  /// Collective. Each copy is made after a barrier, with nothing to wait for in between.
  Times measure(std::size_t bytes) {
    constexpr int repetitions = 51;
    std::vector<double> in;
    std::vector<double> out;
    for (int i = 0; i < repetitions; ++i) {
      std::memset(private_.data(), i, bytes);  // by its owner, as the inputs of a collective are
      in.push_back(time([&] { std::memcpy(mine_, private_.data(), bytes); }));
      out.push_back(time([&] { std::memcpy(private_.data(), theirs_, bytes); }));
    }
    return {median(in), median(out)};
  }

 private:
  template <typename Copy>
  double time(Copy&& copy) {
    MPI_Barrier(comm_.native());
    const auto begin = std::chrono::steady_clock::now();
    copy();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    return all_reduce(comm_, elapsed.count(), Maximum{});
  }

  const Communicator& comm_;
  std::vector<unsigned char> private_;
  MPI_Win window_ = MPI_WIN_NULL;
  void* mine_ = nullptr;
  void* theirs_ = nullptr;
};

}  // namespace cairn::bench
