#include <doctest/doctest.h>

#include <vector>

#include "cairn/transport/simulated_disk.hpp"

using namespace cairn::transport;

namespace {

using Disk = SimulatedDisk<std::vector<int>, int>;
constexpr auto append = [](std::vector<int>& durable, int record) { durable.push_back(record); };
constexpr Chance always = 65536;

}  // namespace

TEST_CASE("writes complete in order, whatever time each takes") {
  Faults faults;
  faults.write_max = 8;
  Draws draws(3);
  Disk disk;
  for (int i = 1; i <= 10; ++i) disk.begin(i, i, 0, faults, draws);
  CHECK(disk.state() == DiskState::blank);
  for (std::uint64_t i = 1; i <= 10; ++i) CHECK(disk.complete(append) == i);
  CHECK_FALSE(disk.busy());
  CHECK(disk.state() == DiskState::valid);
  CHECK(disk.durable() == std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("a crash loses what is under way, keeps it, or tears it; a tear is never blank") {
  Draws draws(3);
  for (const Chance lost : {Chance{0}, always})
    for (const Chance torn : {Chance{0}, always}) {
      Faults faults;
      faults.lost_write = lost;
      faults.torn_write = torn;
      Disk disk;
      disk.begin(1, 1, 0, faults, draws);
      disk.complete(append);
      disk.begin(2, 2, 0, faults, draws);
      const auto loss = disk.crash(faults, true, draws, append);
      CHECK(loss.lost == (lost > 0 ? 1 : 0));
      CHECK(loss.torn == (lost > 0 && torn > 0 ? 1 : 0));
      CHECK((disk.state() == DiskState::unreadable) == (loss.torn == 1));
      if (lost == 0) CHECK(disk.durable() == std::vector{1, 2});
      if (lost > 0 && torn == 0) CHECK(disk.durable() == std::vector{1});
    }
}
