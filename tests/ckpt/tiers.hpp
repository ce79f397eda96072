/// Epochs on the nodes, for tests: hosts are names that the test gives to ranks; each has its own
/// folder, and to lose a host is to remove that.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/core/error.hpp"
#include "fixture.hpp"

namespace cairn::test {

namespace fs = std::filesystem;

/// The folders of one test, and the hosts of its ranks.
class Tiers {
 public:
  explicit Tiers(int hosts) : hosts_(hosts) {}

  [[nodiscard]] fs::path shared() const { return scratch_.path / "shared"; }
  [[nodiscard]] fs::path host(int h) const { return scratch_.path / ("n" + std::to_string(h)); }
  [[nodiscard]] int hosts() const { return hosts_; }

  [[nodiscard]] ckpt::Options options(const Communicator& comm, ckpt::Redundancy redundancy) const {
    return {.directory = shared(),
            .every = 100,
            .warn = [](std::string_view text) { warnings() += std::string(text) + "\n"; },
            .local = {.directory = scratch_.path / "%h",
                      .every = 1,
                      .redundancy = redundancy,
                      .host = "n" + std::to_string(comm.rank() * hosts_ / comm.size())}};
  }

  /// On rank 0, all that it was warned of.
  static std::string& warnings() {
    static std::string text;
    return text;
  }

  void lose(unsigned lost) const {
    barrier(world());
    if (world().is_root()) {
      for (int h = 0; h < hosts_; ++h)
        if ((lost >> h & 1U) != 0) fs::remove_all(host(h));
    }
    barrier(world());
  }

  /// Keeps a copy of all folders, to lose hosts more than once.
  void keep_copy() const {
    barrier(world());
    if (world().is_root()) fs::copy(scratch_.path, copy(), fs::copy_options::recursive);
    barrier(world());
  }
  void bring_back() const {
    barrier(world());
    if (world().is_root()) {
      fs::remove_all(scratch_.path);
      fs::copy(copy(), scratch_.path, fs::copy_options::recursive);
    }
    barrier(world());
  }
  ~Tiers() {
    if (world().is_root()) fs::remove_all(copy());
  }
  Tiers(const Tiers&) = delete;
  Tiers& operator=(const Tiers&) = delete;

 private:
  [[nodiscard]] fs::path copy() const { return scratch_.path.string() + "-copy"; }

  int hosts_;
  SharedDirectory scratch_;
};

/// What a program has: a grid, elements of another number on each rank, and a value.
struct Program {
  Program(const Communicator& comm, ckpt::Options options)
      : comm_(comm), u(comm, 37, 23), ckpt(comm, std::move(options)) {
    ckpt.field("u", u.data, u.block, {{"units", std::string("K")}});
    ckpt.elements("particles", particles);
    ckpt.value("time", time);
  }

  void set(int seed) {
    u.fill(seed);
    time = seed;
    particles.assign(static_cast<std::size_t>(comm_.rank() * 3), static_cast<float>(seed));
  }
  /// Saves steps first … last, each with itself as the seed.
  void save_steps(int first, int last) {
    for (int step = first; step <= last; ++step) {
      set(step);
      ckpt.save(static_cast<std::uint64_t>(step));
    }
  }
  void clear() {
    u.clear();
    time = -1;
    particles.clear();
  }
  /// How many there were is for the caller to know: other ranks may have saved them.
  [[nodiscard]] bool holds(int seed, std::size_t total) {
    bool good = u.holds(seed) && time == seed;
    for (const float particle : particles) good = good && particle == static_cast<float>(seed);
    return good && all_reduce(comm_, particles.size(), Sum{}) == total;
  }

  const Communicator& comm_;
  GridField u;
  std::vector<float> particles;
  double time = 0;
  ckpt::Checkpointer ckpt;
};

inline std::size_t particles_of(int ranks) {
  return static_cast<std::size_t>(3 * ranks * (ranks - 1) / 2);
}

inline void save(const Tiers& tiers, ckpt::Redundancy redundancy, int ranks, int last_step) {
  on_ranks(ranks, [&](const Communicator& comm) {
    Program program(comm, tiers.options(comm, redundancy));
    for (int step = 1; step <= last_step; ++step) {
      program.set(step);
      CHECK(program.ckpt.due(static_cast<std::uint64_t>(step)));
      program.ckpt.save(static_cast<std::uint64_t>(step));
    }
  });
}

/// Restores on `ranks` ranks what `savers` ranks saved at `step`.
inline void check_restored(const Tiers& tiers, ckpt::Redundancy redundancy, int ranks, int step,
                           int savers) {
  on_ranks(ranks, [&](const Communicator& comm) {
    Program program(comm, tiers.options(comm, redundancy));
    program.clear();
    const auto found = detail::error_of([&] { CHECK(program.ckpt.restore() == step); });
    CHECK_MESSAGE(!found, (found ? found->what() : ""));
    CHECK(program.holds(step, particles_of(savers)));
  });
}

inline std::string refusal(const Tiers& tiers, ckpt::Redundancy redundancy, int ranks) {
  std::string text;
  on_ranks(ranks, [&](const Communicator& comm) {
    Program program(comm, tiers.options(comm, redundancy));
    const auto error = detail::error_of([&] { (void)program.ckpt.restore(); });
    CHECK(error);
    if (!error) return;
    CHECK(error->agreed());
    CHECK(error->code() == Errc::bad_data);
    text = error->what();
  });
  return text;
}

inline bool contains(const std::string& text, std::string_view what) {
  return text.find(what) != std::string::npos;
}

}  // namespace cairn::test
