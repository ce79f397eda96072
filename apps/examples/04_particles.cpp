// Particles that a flow carries between ranks. Killed, and started on other ranks: the same digest.
//
//     mpirun -n 4 04_particles PARTICLES STEPS CHECKPOINT-DIRECTORY

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"

/// Whether all of `text` is a number, now in `value`.
bool read(std::string_view text, std::uint64_t& value) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && rest == text.data() + text.size();
}

int carry(const cairn::Communicator& comm, std::uint64_t particles, std::uint64_t steps,
          const char* directory) {
  std::vector<double> all;  // this rank's: x, y and number of each, 0 ≤ x, y < 1
  for (double id = 0; comm.is_root() && id < static_cast<double>(particles); ++id)
    all.insert(all.end(), {std::fmod(id * 0.618, 1), std::fmod(id * 0.414, 1), id});
  cairn::ckpt::Checkpointer ckpt(comm, {.directory = directory,
                                        .every = 5,
                                        .program = "04_particles",
                                        .identity = std::to_string(particles)});
  ckpt.elements("particles", all, 3);
  std::uint64_t step = ckpt.restore().value_or(0);

  const auto turn = [](double y) { return 1 + 0.01 * std::sin(6.283185307179586 * y); };
  std::vector<std::vector<double>> leaving(static_cast<std::size_t>(comm.size()));
  std::vector<std::size_t> counts(leaving.size());
  cairn::Parts<double> arrived;
  while (step < steps) {
    for (std::size_t i = 0; i < all.size(); i += 3) {
      const double x = std::fmod(all[i] + turn(all[i + 1]), 1);
      const double y = std::fmod(all[i + 1] + turn(x), 1);
      auto& to = leaving[static_cast<std::size_t>(x * comm.size())];  // each rank holds a strip
      to.insert(to.end(), {x, y, all[i + 2]});
    }
    all.clear();
    for (std::size_t r = 0; r < leaving.size(); ++r) {
      counts[r] = leaving[r].size();
      all.insert(all.end(), leaving[r].begin(), leaving[r].end());
      leaving[r].clear();
    }
    cairn::all_to_all_v(comm, all, counts, arrived);
    all.assign(arrived.values().begin(), arrived.values().end());
    if (ckpt.due(++step)) ckpt.save(step);
    if (ckpt.stop_signal() != 0) return cairn::stop_exit_code(ckpt.stop_signal());
  }

  std::uint64_t digest = 0;  // of the set: the order does not count
  for (std::size_t i = 0; i < all.size(); i += 3) {
    const auto hash = [&](std::size_t j) { return std::bit_cast<std::uint64_t>(all[i + j]); };
    digest += ((hash(0) * 0x9e3779b97f4a7c15 ^ hash(1)) * 0x9e3779b97f4a7c15 ^ hash(2)) | 1;
  }
  digest = cairn::all_reduce(comm, digest, cairn::Sum{});
  if (comm.is_root())
    std::printf("%lu particles, step %lu, digest %016lx\n", particles, steps, digest);
  return 0;
}

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  const auto& comm = runtime.world();
  std::uint64_t particles = 0, steps = 0;
  if (argc != 4 || !read(argv[1], particles) || !read(argv[2], steps)) {
    if (comm.is_root()) std::fprintf(stderr, "usage: %s PARTICLES STEPS DIRECTORY\n", argv[0]);
    return 64;
  }
  try {
    return carry(comm, particles, steps, argv[3]);
  } catch (const cairn::Error& error) {
    if (!error.agreed()) throw;  // of this rank alone: ends the job
    if (comm.is_root()) std::fprintf(stderr, "04_particles: %s\n", error.what());
    return error.exit_code();
  }
}
