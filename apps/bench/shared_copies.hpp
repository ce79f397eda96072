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
  /// Seconds of the slower rank, medians, without waits in the middle of the copies. Two bounds
  /// from below, of which the greater counts: fresh bytes are copied in, and after a barrier out;
  /// and what the collective does at once is done at once, where a rank may find bytes that the
  /// other has not changed yet. Of the C library's copy and a plain loop of 32-byte moves, and of
  /// shared memory as long as the message and of eight pieces of 64 KiB that are used again and
  /// again, the fastest.
  struct Times {
    double bcast;
    double all_reduce;
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

  /// Collective.
  Times measure(std::size_t bytes) {
    Times best{1e300, 1e300};
    for (const auto copy : {&library_copy, &loop_copy}) {
      for (const std::size_t shared : {bytes, std::min(bytes, 8 * piece)}) {
        const auto times = measure(bytes, shared, *copy);
        best = {std::min(best.bcast, times.bcast), std::min(best.all_reduce, times.all_reduce)};
      }
    }
    return best;
  }

 private:
  using CopyFunction = void(unsigned char*, const unsigned char*, std::size_t);
  static constexpr std::size_t piece = std::size_t{64} << 10;

  static void library_copy(unsigned char* to, const unsigned char* from, std::size_t bytes) {
    std::memcpy(to, from, bytes);
  }

  /// Without the microcode of `rep movsb`, which some virtual machines make slow.
  static void loop_copy(unsigned char* to, const unsigned char* from, std::size_t bytes) {
    struct Block {
      alignas(8) unsigned char bytes[32];
    };
    auto* target = reinterpret_cast<Block*>(to);
    const auto* source = reinterpret_cast<const Block*>(from);
    for (std::size_t i = 0; i < bytes / sizeof(Block); ++i) {
      target[i] = source[i];
      asm volatile("" ::: "memory");  // or the compiler calls the library after all
    }
  }

  Times measure(std::size_t bytes, std::size_t shared, CopyFunction& copy) {
    constexpr int repetitions = 51;
    const auto for_pieces = [&](auto&& work) {
      for (std::size_t at = 0; at < bytes; at += piece) work(at, std::min(piece, bytes - at));
    };
    const auto in = [&](std::size_t at, std::size_t count) {
      copy(mine_ + at % shared, private_.data() + at, count);
    };
    const auto out = [&](std::size_t at, std::size_t count) {
      copy(private_.data() + at, theirs_ + at % shared, count);
    };
    const auto in_and_out = [&](std::size_t at, std::size_t count) {
      in(at, count);
      out(at, count);
    };
    std::vector<double> bcast;
    std::vector<double> all_reduce;
    for (int i = 0; i < repetitions; ++i) {
      std::memset(private_.data(), i, bytes);  // by its owner, as the inputs of a collective are
      const double all_in = time([&] { for_pieces(in); });
      const double all_out = time([&] { for_pieces(out); });
      std::memset(private_.data(), i, bytes);
      const double across = time([&] { comm_.rank() == 0 ? for_pieces(in) : for_pieces(out); });
      std::memset(private_.data(), i, bytes);
      const double in_turns = time([&] { for_pieces(in_and_out); });
      bcast.push_back(std::max({all_in, all_out, across}));
      all_reduce.push_back(std::max(all_in + all_out, in_turns));
    }
    return {median(bcast), median(all_reduce)};
  }

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
  unsigned char* mine_ = nullptr;
  unsigned char* theirs_ = nullptr;
};

}  // namespace cairn::bench
