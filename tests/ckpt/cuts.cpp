// Fields whose cut the program does not give: elements, scattered rows, byte strings.

#include <Eigen/Core>
#include <algorithm>
#include <numeric>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/core/error.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;

namespace {

/// Numbers of ranks to save and to restore with.
std::vector<int> rank_counts() {
  std::vector<int> counts;
  for (const int count : {1, 2, 3, 4, 7})
    if (count <= world().size()) counts.push_back(count);
  return counts;
}

template <typename T>
std::vector<T> of_all_ranks(const Communicator& comm, const std::vector<T>& mine) {
  Parts<T> all;
  all_gather_v(comm, mine, all);
  return {all.values().begin(), all.values().end()};
}

/// Particles whose members are functions of their number.
struct Particles {
  std::vector<std::uint64_t> id;
  std::vector<double> position;  // 3 each

  void add(std::uint64_t i) {
    id.push_back(i);
    for (int axis = 0; axis < 3; ++axis) position.push_back(coordinate(i, axis));
  }
  static double coordinate(std::uint64_t i, int axis) {
    return static_cast<double>(i) * 0.25 + axis;
  }
  void add_to(ckpt::Checkpointer& ckpt) {
    ckpt.elements("particles/id", id);
    ckpt.elements("particles/position", position, 3, {{"units", std::string("m")}});
  }
  /// Whether the ranks together hold each of 0 … n - 1 once, whole.
  [[nodiscard]] bool are(const Communicator& comm, std::size_t n) const {
    bool good = position.size() == 3 * id.size();
    for (std::size_t i = 0; good && i < id.size(); ++i)
      for (int axis = 0; axis < 3; ++axis)
        good = good && position[3 * i + axis] == coordinate(id[i], axis);
    auto all = of_all_ranks(comm, id);
    std::sort(all.begin(), all.end());
    std::vector<std::uint64_t> expected(n);
    std::iota(expected.begin(), expected.end(), 0);
    return good && all == expected;
  }
};

/// A permutation of 0 … n - 1, the same on all ranks.
std::vector<std::size_t> shuffled(std::size_t n, std::uint64_t seed) {
  std::vector<std::size_t> numbers(n);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (std::size_t i = n; i > 1; --i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    std::swap(numbers[i - 1], numbers[(seed >> 33) % i]);
  }
  return numbers;
}

/// The rows of a rank: a part of a permutation; ranks other than the first few hold none.
ckpt::Rows scattered(const Communicator& comm, std::size_t n, std::size_t width,
                     std::uint64_t seed) {
  const auto all = shuffled(n, seed);
  const auto holders = std::max(1, comm.size() - static_cast<int>(seed % 2));
  ckpt::Rows rows{.global = n, .width = width};
  if (comm.rank() >= holders) return rows;
  const auto range = block_range(n, holders, comm.rank());
  rows.mine.assign(all.begin() + static_cast<std::ptrdiff_t>(range.first),
                   all.begin() + static_cast<std::ptrdiff_t>(range.first + range.count));
  return rows;
}

std::vector<float> values_of(const ckpt::Rows& rows) {
  std::vector<float> values;
  for (const auto row : rows.mine)
    for (std::size_t i = 0; i < rows.width; ++i) values.push_back(static_cast<float>(row * 10 + i));
  return values;
}

ckpt::Blob blob_of(int rank, std::size_t n) {
  ckpt::Blob blob(n);
  for (std::size_t i = 0; i < n; ++i)
    blob[i] = static_cast<std::byte>((i * 7 + static_cast<std::size_t>(rank)) % 256);
  return blob;
}

}  // namespace

TEST_CASE("elements: any number of ranks deals out what any other number held") {
  const SharedDirectory scratch;
  for (const int writers : rank_counts()) {
    const auto directory = scratch.path / std::to_string(writers);
    on_ranks(writers, [&](const Communicator& comm) {
      Particles particles;
      ckpt::Checkpointer ckpt(comm, {.directory = directory});
      particles.add_to(ckpt);
      for (std::uint64_t step = 1; step <= 4; ++step) {  // the number changes; one rank holds none
        particles = {};
        const std::size_t total = 1000 * step + 7;
        for (std::uint64_t i = 0; i < total; ++i) {
          auto holder = i * i % 11 % static_cast<std::uint64_t>(writers);
          if (step == 4 && holder == 2) holder = 0;
          if (holder == static_cast<std::uint64_t>(comm.rank())) particles.add(i);
        }
        ckpt.save(step);
      }
    });
    for (const int readers : rank_counts()) {
      on_ranks(readers, [&](const Communicator& comm) {
        Particles particles;
        particles.add(99);  // goes
        ckpt::Checkpointer ckpt(comm, {.directory = directory});
        particles.add_to(ckpt);
        CHECK(ckpt.restore() == 4);
        CHECK(particles.are(comm, 4007));
        const auto share = block_range(4007, comm.size(), comm.rank());
        CHECK(particles.id.size() == share.count);
      });
    }
  }
}

TEST_CASE("elements: none at all, and then some") {
  const SharedDirectory scratch;
  Particles particles;
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
  particles.add_to(ckpt);
  ckpt.save(1);
  CHECK(ckpt.restore() == 1);
  CHECK(particles.are(world(), 0));
  if (world().rank() == world().size() - 1) particles.add(0);
  ckpt.save(2);
  particles = {};
  CHECK(ckpt.restore() == 2);
  CHECK(particles.are(world(), 1));
}

TEST_CASE("elements: half an element on one rank is refused on all") {
  const SharedDirectory scratch;
  std::vector<double> position(world().rank() == world().size() - 1 ? 4 : 3);
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
  ckpt.elements("position", position, 3);
  CHECK_THROWS_WITH_AS(ckpt.save(1), doctest::Contains("whole number of elements"), Error);
}

TEST_CASE("rows: any order and number of ranks restores into any other") {
  const SharedDirectory scratch;
  constexpr std::size_t n = 523;
  for (const std::size_t width : {1, 3}) {
    for (const int writers : rank_counts()) {
      const auto directory = scratch.path / (std::to_string(writers) + "x" + std::to_string(width));
      on_ranks(writers, [&](const Communicator& comm) {
        const auto rows = scattered(comm, n, width, 1);
        auto values = values_of(rows);
        ckpt::Checkpointer ckpt(comm, {.directory = directory});
        ckpt.rows("x", values, rows);
        ckpt.save(1);
        std::fill(values.begin(), values.end(), -1.0F);
        ckpt.save(2);
        values = values_of(rows);
        ckpt.save(3);
      });
      for (const int readers : rank_counts()) {
        on_ranks(readers, [&](const Communicator& comm) {
          const auto rows = scattered(comm, n, width, 2 + static_cast<std::uint64_t>(readers));
          std::vector<float> values(rows.mine.size() * width);
          ckpt::Checkpointer ckpt(comm, {.directory = directory});
          ckpt.rows("x", values, rows);
          CHECK(ckpt.restore() == 3);
          CHECK(values == values_of(rows));
        });
      }
      // In the file they stand in order: a block reads them.
      std::vector<float> all(n * width);
      ckpt::Checkpointer ckpt(world(), {.directory = directory});
      const auto mine = block_range(n, world().size(), world().rank());
      std::vector<float> block(mine.count * width);
      ckpt.field("x", block,
                 width == 1 ? ckpt::Block{{n}, {mine.first}, {mine.count}}
                            : ckpt::Block{{n, width}, {mine.first, 0}, {mine.count, width}});
      CHECK(ckpt.restore() == 3);
      bool in_order = true;
      for (std::size_t i = 0; i < block.size(); ++i) {
        const auto expected = (mine.first + i / width) * 10 + i % width;
        in_order = in_order && block[i] == static_cast<float>(expected);
      }
      CHECK(in_order);
    }
  }
}

TEST_CASE("rows: one on no rank or on two is refused on all ranks, with its number") {
  const SharedDirectory scratch;
  auto rows = scattered(world(), 50, 1, 4);
  const bool has_17 = std::find(rows.mine.begin(), rows.mine.end(), 17U) != rows.mine.end();
  SUBCASE("missing") {
    if (has_17) rows.mine.erase(std::find(rows.mine.begin(), rows.mine.end(), 17U));
    auto values = values_of(rows);
    ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
    ckpt.rows("x", values, rows);
    CHECK_THROWS_WITH_AS(ckpt.save(1), doctest::Contains("row 17 is on none"), Error);
  }
  SUBCASE("twice") {
    if (world().is_root()) rows.mine.push_back(17);
    auto values = values_of(rows);
    ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
    ckpt.rows("x", values, rows);
    CHECK_THROWS_WITH_AS(ckpt.save(1), doctest::Contains("row 17 is held twice"), Error);
  }
}

TEST_CASE("blobs: each rank's own on as many ranks, dealt out in order on others") {
  const SharedDirectory scratch;
  const auto p = world().size();
  std::vector<ckpt::Blob> mine{blob_of(world().rank(), 5 + 1000 * world().rank() % 3000)};
  const auto before = mine;
  {
    ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
    ckpt.blobs("random", mine);
    ckpt.save(1);
    mine.clear();
    CHECK(ckpt.restore() == 1);
    CHECK(mine == before);
  }
  for (int readers = 1; readers <= p; ++readers) {
    on_ranks(readers, [&](const Communicator& comm) {
      std::vector<ckpt::Blob> dealt;
      ckpt::Checkpointer ckpt(comm, {.directory = scratch.path});
      ckpt.blobs("random", dealt);
      CHECK(ckpt.restore() == 1);
      const auto share = block_range(p, comm.size(), comm.rank());
      REQUIRE(dealt.size() == share.count);
      for (std::size_t i = 0; i < share.count; ++i) {
        const auto writer = share.first + i;
        CHECK(dealt[i] == blob_of(static_cast<int>(writer), 5 + 1000 * writer % 3000));
      }
    });
  }
}

TEST_CASE("blobs: none, empty ones, and many on one rank") {
  const SharedDirectory scratch;
  std::vector<ckpt::Blob> blobs;
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
  ckpt.blobs("tasks", blobs);
  ckpt.save(1);
  blobs.resize(3);
  CHECK(ckpt.restore() == 1);
  CHECK(blobs.empty());
  if (world().is_root())
    for (int i = 0; i < 20; ++i) blobs.push_back(blob_of(i, i % 3 == 0 ? 0 : 10 * i));
  ckpt.save(2);
  blobs.clear();
  CHECK(ckpt.restore() == 2);
  const auto share = block_range(20, world().size(), world().rank());
  REQUIRE(blobs.size() == share.count);
  for (std::size_t i = 0; i < share.count; ++i) {
    const auto n = share.first + i;
    CHECK(blobs[i] == blob_of(static_cast<int>(n), n % 3 == 0 ? 0 : 10 * n));
  }
}

TEST_CASE("all kinds together, in the background, beside fields and values") {
  const SharedDirectory scratch;
  GridField u(world(), 13, 17);
  Particles particles;
  const auto rows = scattered(world(), 91, 2, 8);
  auto values = values_of(rows);
  std::vector<ckpt::Blob> blobs{blob_of(world().rank(), 77)};
  double time = 0.5;
  const auto add = [&](ckpt::Checkpointer& ckpt) {
    particles.add_to(ckpt);
    ckpt.field("u", u.data, u.block);
    ckpt.rows("x", values, rows);
    ckpt.blobs("state", blobs);
    ckpt.value("time", time);
  };
  {
    ckpt::Checkpointer ckpt(world(),
                            {.directory = scratch.path, .mode = ckpt::Options::Mode::async});
    add(ckpt);
    for (int step = 1; step <= 4; ++step) {
      if (world().is_root()) particles.add(static_cast<std::uint64_t>(step - 1));
      u.fill(step);
      ckpt.save(static_cast<std::uint64_t>(step));
      u.clear();
      if (world().is_root()) particles.id.push_back(1000);  // after the copy: not in the epoch
      if (world().is_root()) particles.id.pop_back();
    }
    ckpt.wait();
  }
  particles = {};
  std::fill(values.begin(), values.end(), 0.0F);
  blobs.clear();
  time = 0;
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
  add(ckpt);
  CHECK(ckpt.restore() == 4);
  CHECK(u.holds(4));
  CHECK(particles.are(world(), 4));
  CHECK(values == values_of(rows));
  CHECK(blobs == std::vector<ckpt::Blob>{blob_of(world().rank(), 77)});
  CHECK(time == 0.5);
}

TEST_CASE("Eigen: vectors and matrices of either order, cut by rows") {
  const SharedDirectory scratch;
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  constexpr std::size_t n = 41;
  const auto expected = [](std::size_t i, Eigen::Index j) {
    return static_cast<double>(i) * 10.5 + static_cast<double>(j);
  };
  const auto fill = [&](auto& matrix, std::size_t first) {
    for (Eigen::Index i = 0; i < matrix.rows(); ++i)
      for (Eigen::Index j = 0; j < matrix.cols(); ++j)
        matrix(i, j) = static_cast<typename std::remove_reference_t<decltype(matrix)>::Scalar>(
            expected(first + static_cast<std::size_t>(i), j));
  };
  const auto on = [&](const Communicator& comm, auto&& work) {
    const auto mine = block_range(n, comm.size(), comm.rank());
    const auto rows = static_cast<Eigen::Index>(mine.count);
    Eigen::VectorXd x(rows);
    RowMajor a(rows, 3);
    Eigen::MatrixXd b(rows, 4);  // column-major
    Eigen::Matrix<std::int32_t, Eigen::Dynamic, 2> c(rows, 2);
    ckpt::Checkpointer ckpt(comm, {.directory = scratch.path});
    ckpt.field("x", x, n, mine.first);
    ckpt.field("a", a, n, mine.first);
    ckpt.field("b", b, n, mine.first, {{"units", std::string("m")}});
    ckpt.field("c", c, n, mine.first);
    work(ckpt, mine.first, x, a, b, c);
  };
  on(world(), [&](auto& ckpt, std::size_t first, auto&... all) {
    (fill(all, first), ...);
    ckpt.save(5);
  });
  on_ranks(std::max(1, world().size() - 1), [&](const Communicator& comm) {
    on(comm, [&](auto& ckpt, std::size_t first, auto& x, auto& a, auto& b, auto& c) {
      CHECK(ckpt.restore() == 5);
      auto x_expected = x;
      auto a_expected = a;
      auto b_expected = b;
      auto c_expected = c;
      fill(x_expected, first);
      fill(a_expected, first);
      fill(b_expected, first);
      fill(c_expected, first);
      CHECK(x == x_expected);
      CHECK(a == a_expected);
      CHECK(b == b_expected);
      CHECK(c == c_expected);
    });
  });
}

TEST_CASE("two halves of the ranks checkpoint side by side, each in its own directory") {
  const SharedDirectory scratch;
  const int half = world().rank() % 2;
  const auto comm = world().split(half);
  GridField u(comm, 31, 29);
  u.fill(half + 1);
  const auto directory = scratch.path / std::to_string(half);
  {
    ckpt::Checkpointer ckpt(comm, {.directory = directory});
    ckpt.field("u", u.data, u.block);
    for (std::uint64_t step = 1; step <= static_cast<std::uint64_t>(half) + 2; ++step)
      ckpt.save(step);
  }
  u.clear();
  ckpt::Checkpointer ckpt(comm, {.directory = directory});
  ckpt.field("u", u.data, u.block);
  CHECK(ckpt.restore() == static_cast<std::uint64_t>(half) + 2);
  CHECK(u.holds(half + 1));
}
