// Tasks as bytes, and back.
#include "cairn/loadbalance/task_bytes.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string_view>

using namespace cairn;
using namespace cairn::loadbalance;

namespace {

struct Step {
  int where = 0;
  std::vector<std::string> notes = {};
  friend bool operator==(const Step&, const Step&) = default;
};

struct Path {
  std::string name;
  std::vector<Step> steps = {};
  std::array<std::string, 2> ends = {};
  std::vector<double> weights = {};
  float length = 0;
  friend bool operator==(const Path&, const Path&) = default;
};

struct Pointing {
  std::unique_ptr<int> value;
};
struct Viewing {
  std::string_view text;
  std::string more;
};
struct Unlisted {
  std::string text;
};

}  // namespace

template <>
inline constexpr auto cairn::members_of<Step> = cairn::Members<&Step::where, &Step::notes>{};
template <>
inline constexpr auto cairn::members_of<Path> =
    cairn::Members<&Path::name, &Path::steps, &Path::ends, &Path::weights, &Path::length>{};
template <>
inline constexpr auto cairn::members_of<Pointing> = cairn::Members<&Pointing::value>{};
template <>
inline constexpr auto cairn::members_of<Viewing> = cairn::Members<&Viewing::text, &Viewing::more>{};

namespace {

const Path path{"up", {{3, {"a", ""}}, {-1, {}}}, {"here", "there"}, {1.5, -0.0}, 2.5F};

std::vector<std::byte> bytes_of(const Path& some) {
  std::vector<std::byte> bytes;
  pack(some, bytes);
  return bytes;
}

}  // namespace

static_assert(PoolTask<int> && PoolTask<Path> && PoolTask<std::string>);
static_assert(!PoolTask<Pointing> && !PoolTask<Viewing> && !PoolTask<Unlisted>);
static_assert(!PoolTask<std::vector<bool>> && !PoolTask<std::vector<int*>>);

TEST_CASE("a task with lists of lists comes back") {
  const auto bytes = bytes_of(path);
  Unpacker unpacker(bytes);
  Path back{"old", {{1, {"old"}}}, {}, {7}, 7};
  unpacker.take(back);
  CHECK(unpacker.is_empty());
  CHECK(back == path);
}

TEST_CASE("bytes that end too early, anywhere, are refused") {
  const auto bytes = bytes_of(path);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Unpacker unpacker({bytes.data(), size});
    Path back;
    CHECK_THROWS_AS(unpacker.take(back), Error);
  }
}

TEST_CASE("a count that nothing can hold asks for no memory") {
  std::vector<std::byte> bytes(8, std::byte{0xff});
  std::string text;
  CHECK_THROWS_AS(Unpacker(bytes).take(text), Error);
  std::vector<Step> steps;
  CHECK_THROWS_AS(Unpacker(bytes).take(steps), Error);
}

TEST_CASE("a message takes the tasks that fit, and one that is too large alone") {
  const std::vector<std::string> tasks{std::string(20, 'a'), std::string(30, 'b'), "c"};
  const auto fitting = [&](std::size_t most_bytes) {
    std::vector<std::byte> bytes(5);
    const auto [count, largest] =
        loadbalance::detail::pack_tasks(std::span<const std::string>(tasks), most_bytes, bytes);
    CHECK(largest == (count == 1 ? 28 : 38));  // a count of 8 bytes, then the letters
    Unpacker unpacker({bytes.data() + 5, bytes.size() - 5});
    for (std::size_t t = 0; t < count; ++t) {
      std::string back;
      unpacker.take(back);
      CHECK(back == tasks[t]);
    }
    CHECK(unpacker.is_empty());
    return count;
  };
  CHECK(fitting(1) == 1);
  CHECK(fitting(28) == 1);
  CHECK(fitting(65) == 1);
  CHECK(fitting(66) == 2);
  CHECK(fitting(75) == 3);
}
