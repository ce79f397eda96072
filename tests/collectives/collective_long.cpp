// More than 2^31 elements a call for real, at two ranks: what the lowered limit of ways.hpp stands
// for. Elements are bytes, so that both ranks together need 8 GiB at a time; every byte is looked
// at, those at the ends and around 2^31 among them.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "cairn/collectives/async.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/wide_layout.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

using In = std::span<const std::uint8_t>;
using Out = std::span<std::uint8_t>;

/// Of one part: beyond int, and no multiple of anything.
constexpr std::size_t n = (std::size_t{1} << 31) + 5;
/// The contents repeat after so many bytes: whole pages, and a length that divides no power of two,
/// so that what is in a wrong place shows.
constexpr std::size_t period = std::size_t{251} << 12;

/// What part `part` repeats. Part 2 is what parts 0 and 1 reduce to.
std::vector<std::uint8_t> pattern(int part) {
  std::vector<std::uint8_t> bytes(period);
  for (std::size_t i = 0; i < period; ++i) {
    const auto one = static_cast<std::uint8_t>(i % 251 + i / 251);
    const auto two = static_cast<std::uint8_t>(i % 251 * 3 + i / 251 + 101);
    bytes[i] = part == 0 ? one : part == 1 ? two : static_cast<std::uint8_t>(one ^ two);
  }
  return bytes;
}

bool is_part(In bytes, int part) {
  const auto expected = pattern(part);
  for (std::size_t i = 0; i < bytes.size(); i += period) {
    const std::size_t count = std::min(period, bytes.size() - i);
    if (std::memcmp(bytes.data() + i, expected.data(), count) != 0) return false;
  }
  return true;
}

/// Bytes of a part to send from. One period lies in memory, and its pages are mapped again and
/// again, so that inputs take no memory.
class Input {
 public:
  explicit Input(int part, std::size_t bytes = n) : bytes_(bytes) {
    const std::size_t room = (bytes + period - 1) / period * period;
    file_ = memfd_create("cairn-test", MFD_CLOEXEC);
    const auto contents = pattern(part);
    const bool written =
        write(file_, contents.data(), period) == static_cast<ssize_t>(period);  // a memory file
    void* const place = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(written);
    CHECK(place != MAP_FAILED);
    data_ = static_cast<std::uint8_t*>(place);
    for (std::size_t at = 0; at < room; at += period) {
      CHECK(mmap(data_ + at, period, PROT_READ, MAP_SHARED | MAP_FIXED, file_, 0) == data_ + at);
    }
    room_ = room;
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() {
    munmap(data_, room_);
    close(file_);
  }

  [[nodiscard]] In view() const { return {data_, bytes_}; }

 private:
  int file_ = -1;
  std::size_t bytes_;
  std::size_t room_ = 0;
  std::uint8_t* data_ = nullptr;
};

/// To receive into; untouched pages cost nothing.
class Output {
 public:
  explicit Output(std::size_t bytes)
      : bytes_(bytes), data_(std::make_unique_for_overwrite<std::uint8_t[]>(bytes)) {}
  [[nodiscard]] Out view() const { return {data_.get(), bytes_}; }
  [[nodiscard]] bool is_part_at(std::size_t first, std::size_t count, int part) const {
    return is_part(In(view()).subspan(first, count), part);
  }

 private:
  std::size_t bytes_;
  std::unique_ptr<std::uint8_t[]> data_;
};

}  // namespace

TEST_CASE("more than 2^31 bytes: bcast, in each way") {
  const auto& comm = test::world();
  const Output data(n);
  const auto prepare = [&] {
    const auto contents = pattern(comm.rank());
    for (std::size_t i = 0; i < n; i += period) {
      std::memcpy(data.view().data() + i, contents.data(), std::min(period, n - i));
    }
  };
  prepare();
  bcast(comm, data.view(), 1);
  CHECK(data.is_part_at(0, n, 1));
  prepare();
  bcast(async(comm), data.view(), 0).wait();
  CHECK(data.is_part_at(0, n, 0));
  prepare();
  auto again = bcast(plan(comm), data.view(), 1);
  again.start();
  again.wait();
  CHECK(data.is_part_at(0, n, 1));
}

TEST_CASE("more than 2^31 bytes: point to point") {
  const auto& comm = test::world();
  const Input in(comm.rank());
  const Output out(n);
  const int other = 1 - comm.rank();
  CHECK(send_receive(comm, in.view(), other, out.view(), other).count == n);
  CHECK(out.is_part_at(0, n, other));
  if (comm.is_root()) {
    send(comm, in.view(), 1, 7);
  } else {
    std::fill_n(out.view().data(), n, std::uint8_t{0});
    CHECK(receive(comm, out.view(), 0, 7).count == n);
    CHECK(out.is_part_at(0, n, 0));
  }
}

TEST_CASE("more than 2^31 bytes: reduce and all_reduce") {
  const auto& comm = test::world();
  const Input in(comm.rank());
  {
    const Output out(comm.rank() == 1 ? n : 0);
    reduce(comm, in.view(), out.view(), 1, BitXor{});
    if (comm.rank() == 1) CHECK(out.is_part_at(0, n, 2));
  }
  const Output out(n);
  all_reduce(comm, in.view(), out.view(), BitXor{});
  CHECK(out.is_part_at(0, n, 2));
}

TEST_CASE("more than 2^31 bytes of fewer doubles: all_reduce") {
  const auto& comm = test::world();
  constexpr std::size_t count = (std::size_t{1} << 28) + 3;
  const auto value = [](std::size_t i) { return static_cast<double>(i % 4093); };
  std::vector<double> data(count);
  for (std::size_t i = 0; i < count; ++i) data[i] = value(i) * (comm.rank() + 1);
  all_reduce(comm, data);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) wrong += data[i] == 3 * value(i) ? 0 : 1;
  CHECK(wrong == 0);
}

TEST_CASE("more than 2^31 bytes: gather and all_gather") {
  const auto& comm = test::world();
  const Input in(comm.rank());
  {
    const Output out(comm.rank() == 1 ? 2 * n : 0);
    gather(comm, in.view(), out.view(), 1);
    if (comm.rank() == 1) CHECK(out.is_part_at(0, n, 0));
    if (comm.rank() == 1) CHECK(out.is_part_at(n, n, 1));
  }
  const Output out(2 * n);
  all_gather(comm, in.view(), out.view());
  CHECK(out.is_part_at(0, n, 0));
  CHECK(out.is_part_at(n, n, 1));
}

namespace {

/// What a rank gets that gets the second of two parts of a repeated input: it starts at n.
bool is_second_half(const Output& out, int part) {
  const std::size_t to_period = period - n % period;
  const auto expected = pattern(part);
  return std::memcmp(out.view().data(), expected.data() + n % period, to_period) == 0 &&
         out.is_part_at(to_period, n - to_period, part);
}

}  // namespace

TEST_CASE("more than 2^31 bytes: scatter and all_to_all") {
  const auto& comm = test::world();
  {
    const Input in(1, comm.rank() == 1 ? 2 * n : 1);
    const Output out(n);
    scatter(comm, in.view(), out.view(), 1);
    CHECK((comm.rank() == 0 ? out.is_part_at(0, n, 1) : is_second_half(out, 1)));
  }
  const Input in(comm.rank(), 2 * n);
  const Output out(2 * n);
  all_to_all(comm, in.view(), out.view());
  for (const int from : {0, 1}) {
    const std::size_t first = static_cast<std::size_t>(from) * n;
    const Input expected(from, 2 * n);
    CHECK(std::memcmp(out.view().data() + first,
                      expected.view().data() + static_cast<std::size_t>(comm.rank()) * n, n) == 0);
  }
}

TEST_CASE("more than 2^31 bytes: parts whose displacements and counts just fit in int") {
  const auto& comm = test::world();
  const std::vector<int> counts{INT_MAX - 6, 1 << 20};
  const std::vector<int> displacements{0, INT_MAX - 3};
  const std::size_t end = std::size_t{INT_MAX} - 3 + (1 << 20);
  const auto mine = static_cast<std::size_t>(counts[static_cast<std::size_t>(comm.rank())]);
  const Input in(comm.rank(), mine);
  const auto is_gathered = [&](const Output& out) {
    return out.is_part_at(0, static_cast<std::size_t>(counts[0]), 0) &&
           out.is_part_at(end - (1 << 20), 1 << 20, 1);
  };
  {
    const Output out(comm.rank() == 1 ? end : 0);
    gather_v(comm, in.view(), out.view(), {counts, displacements}, 1);
    if (comm.rank() == 1) CHECK(is_gathered(out));
  }
  const Output out(end);
  all_gather_v(comm, in.view(), out.view(), {counts, displacements});
  CHECK(is_gathered(out));
}

TEST_CASE("more than 2^31 bytes: parts of wide layouts") {
  const auto& comm = test::world();
  const std::vector<std::size_t> counts{n, 1 << 20};
  const std::vector<std::size_t> displacements{0, n + 7};
  const std::size_t end = n + 7 + (1 << 20);
  const Input in(comm.rank(), counts[static_cast<std::size_t>(comm.rank())]);
  const WideLayout layout{counts, displacements};
  const Output out(end);
  all_gather_v(comm, in.view(), out.view(), layout);
  CHECK(out.is_part_at(0, n, 0));
  CHECK(out.is_part_at(n + 7, 1 << 20, 1));
  std::fill_n(out.view().data(), end, std::uint8_t{0});
  const Out at_root = comm.is_root() ? out.view() : Out{};
  gather_v(comm, in.view(), at_root, comm.is_root() ? layout : WideLayout{});
  if (comm.is_root()) CHECK(out.is_part_at(0, n, 0));
  if (comm.is_root()) CHECK(out.is_part_at(n + 7, 1 << 20, 1));
}
