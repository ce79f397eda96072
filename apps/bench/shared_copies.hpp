/// What the copies through shared memory cost by themselves, and what the barest of all engines
/// takes: the floors of those that are handed private buffers.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "benchmark.hpp"

namespace cairn::bench {

/// Two ranks of one node, and a buffer of each that both have mapped.
class SharedCopies {
 public:
  /// Seconds of the slower rank, medians, without waits in the middle of the copies: fresh bytes
  /// are copied in, and after a barrier out. An all_reduce has to do both on both sides; a bcast
  /// one on each, and at once: one message is copied in, while that of before is copied out. An
  /// engine with chunks may find some of what it reads in a nearer cache, and so be a little faster
  /// than this; one that writes where it has just read saves a way from core to core. The fastest
  /// of eighteen ways: written by the C library, by a loop of 32-byte moves, by one that asks for
  /// the lines ahead, or past the caches, and read by the library or by a loop, from one, two or
  /// four places at once, into shared memory of 512 KiB, of 2 MiB or of twice the longest message,
  /// which is used again and again, and holds two.
  struct Times {
    double bcast;
    double all_reduce;
    /// A bcast of one message: its bytes are copied out right behind where they are copied in, by
    /// nothing but a loop and two counters. The fastest of the eighteen ways with pieces of 16, 32
    /// or 64 KiB.
    double bare_ring;
  };

  /// Collective over `comm`, of two ranks on one node.
  SharedCopies(const Communicator& comm, std::size_t most_bytes)
      : comm_(comm), private_(most_bytes), ring_bytes_(2 * most_bytes) {
    const auto bytes = static_cast<MPI_Aint>(ring_bytes_ + 2 * line);
    MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, comm.native(), &mine_, &window_);
    MPI_Aint their_bytes = 0;
    int unit = 0;
    MPI_Win_shared_query(window_, 1 - comm.rank(), &their_bytes, &unit, &theirs_);
    mine_ = line_at(mine_);
    theirs_ = line_at(theirs_);
    counter(mine_).store(0);
    MPI_Barrier(comm.native());
  }
  SharedCopies(const SharedCopies&) = delete;
  SharedCopies& operator=(const SharedCopies&) = delete;
  ~SharedCopies() { MPI_Win_free(&window_); }

  /// Collective.
  Times measure(std::size_t bytes) {
    Times best{1e300, 1e300, 1e300};
    for (const auto& way : {Way{library_copy, library_copy}, Way{loop_copy, loop_copy},
                            Way{owning_copy, loop_copy}, Way{owning_copy, copy_from<2>},
                            Way{streaming_copy, loop_copy}, Way{streaming_copy, copy_from<4>}}) {
      for (const std::size_t ring : {8 * piece, 32 * piece, ring_bytes_}) {
        if (ring > ring_bytes_) continue;
        for (const std::size_t part : {piece / 4, piece / 2, piece})
          best.bare_ring = std::min(best.bare_ring, bare_ring(bytes, ring, part, way));
        if (ring < 2 * bytes) continue;
        const auto times = measure(bytes, ring, way);
        best.bcast = std::min(best.bcast, times.bcast);
        best.all_reduce = std::min(best.all_reduce, times.all_reduce);
      }
    }
    return best;
  }

 private:
  using CopyFunction = void(unsigned char*, const unsigned char*, std::size_t);
  struct Way {
    CopyFunction& in;
    CopyFunction& out;
  };
  static constexpr std::size_t piece = std::size_t{64} << 10;
  static constexpr std::size_t line = 64;

  /// The first cache line at or behind `memory`: the same for all ranks, which map whole pages.
  static unsigned char* line_at(unsigned char* memory) {
    return memory + (line - reinterpret_cast<std::uintptr_t>(memory) % line) % line;
  }

  static void library_copy(unsigned char* to, const unsigned char* from, std::size_t bytes) {
    std::memcpy(to, from, bytes);
  }

  struct Block {
    alignas(8) unsigned char bytes[32];
  };

  /// Without the microcode of `rep movsb`, which some virtual machines make slow.
  static void loop_copy(unsigned char* to, const unsigned char* from, std::size_t bytes) {
    auto* target = reinterpret_cast<Block*>(to);
    const auto* source = reinterpret_cast<const Block*>(from);
    for (std::size_t i = 0; i < bytes / sizeof(Block); ++i) {
      target[i] = source[i];
      asm volatile("" ::: "memory");  // or the compiler calls the library after all
    }
  }

  /// From so many places at once.
  template <std::size_t places>
  static void copy_from(unsigned char* to, const unsigned char* from, std::size_t bytes) {
    const std::size_t part = bytes / places / line * line;
    for (std::size_t at = 0; at < part; at += line) {
      for (std::size_t place = 0; place < places; ++place)
        loop_copy(to + place * part + at, from + place * part + at, line);
    }
    loop_copy(to + places * part, from + places * part, bytes - places * part);
  }

  /// Asks for the right to write lines that another core has, before it comes to them.
  static void owning_copy(unsigned char* to, const unsigned char* from, std::size_t bytes) {
    constexpr std::size_t distance = 512;
    for (std::size_t at = 0; at < bytes; at += line) {
      ask_to_write(to + at + distance);
      loop_copy(to + at, from + at, line);
    }
  }

  static void ask_to_write([[maybe_unused]] unsigned char* address) {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" ::"m"(*address));
#endif
  }

  /// Past the caches, visible to others at the end.
  static void streaming_copy(unsigned char* to, const unsigned char* from, std::size_t bytes) {
#if defined(__x86_64__)
    auto* target = reinterpret_cast<__m128i*>(to);
    const auto* source = reinterpret_cast<const __m128i*>(from);
    for (std::size_t i = 0; i < bytes / sizeof(__m128i); ++i)
      _mm_stream_si128(target + i, _mm_loadu_si128(source + i));
    _mm_sfence();
#else
    loop_copy(to, from, bytes);
#endif
  }

  struct Both {
    double bcast;
    double all_reduce;
  };

  Both measure(std::size_t bytes, std::size_t ring, const Way& way) {
    std::size_t position = 0;  // in the ring, which holds whole messages or pieces
    const auto for_pieces = [&](auto&& work) {
      for (std::size_t at = 0; at < bytes; at += piece) work(at, std::min(piece, bytes - at));
    };
    const auto in = [&](std::size_t at, std::size_t count) {
      way.in(mine_ + (position + at) % ring, private_.data() + at, count);
    };
    const auto out = [&](std::size_t at, std::size_t count) {
      way.out(private_.data() + at, theirs_ + (position + at) % ring, count);
    };
    const auto out_of_before = [&](std::size_t at, std::size_t count) {
      way.out(private_.data() + at, theirs_ + (position + ring - bytes + at) % ring, count);
    };
    const auto median_of = [&](auto&& work) {
      return median_time(bytes, [&] {
        const double seconds = work();
        position += bytes;
        return seconds;
      });
    };
    const auto bcast = [&] {
      return time([&] { comm_.is_root() ? for_pieces(in) : for_pieces(out_of_before); });
    };
    const auto both = [&] {
      const double all_in = time([&] { for_pieces(in); });
      return all_in + time([&] { for_pieces(out); });
    };
    return {median_of(bcast), median_of(both)};
  }

  double bare_ring(std::size_t bytes, std::size_t ring, std::size_t part, const Way& way) {
    const std::uint64_t slots = ring / part;
    return median_time(bytes, [&] {
      return time([&] {
        for (std::size_t at = 0; at < bytes; at += part, ++step_) {
          const std::size_t count = std::min(part, bytes - at);
          const std::size_t place = step_ % slots * part;
          if (comm_.is_root()) {
            while (step_ >= counter(theirs_).load(std::memory_order_acquire) + slots) {
            }
            way.in(mine_ + place, private_.data() + at, count);
          } else {
            while (counter(theirs_).load(std::memory_order_acquire) <= step_) {
            }
            way.out(private_.data() + at, theirs_ + place, count);
          }
          counter(mine_).store(step_ + 1, std::memory_order_release);
        }
      });
    });
  }

  /// Pieces that the owner of this memory has written, or read. It stands behind the ring.
  [[nodiscard]] std::atomic_ref<std::uint64_t> counter(unsigned char* memory) const {
    return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(memory + ring_bytes_));
  }

  /// Of the slower rank, with bytes that their owner has rewritten, as inputs of a collective are.
  template <typename Work>
  double median_time(std::size_t bytes, Work&& work) {
    constexpr int repetitions = 51;
    std::vector<double> seconds;
    for (int i = 0; i < repetitions; ++i) {
      std::memset(private_.data(), i, bytes);
      seconds.push_back(all_reduce(comm_, work(), Maximum{}));
    }
    return median(seconds);
  }

  /// Of this rank.
  template <typename Copy>
  double time(Copy&& copy) {
    MPI_Barrier(comm_.native());
    const auto begin = std::chrono::steady_clock::now();
    copy();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    return elapsed.count();
  }

  const Communicator& comm_;
  std::vector<unsigned char> private_;
  std::size_t ring_bytes_;  // the longest
  MPI_Win window_ = MPI_WIN_NULL;
  unsigned char* mine_ = nullptr;
  unsigned char* theirs_ = nullptr;
  std::uint64_t step_ = 0;  ///< of bare rings
};

}  // namespace cairn::bench
