#include "cairn/transport/bounded.hpp"

#include <doctest/doctest.h>

using cairn::transport::Bounded;

TEST_CASE("a Bounded compares what is in use, not what was once there") {
  Bounded<int, 4> a;
  Bounded<int, 4> b;
  a.push_back(1);
  a.push_back(2);
  b.push_back(1);
  CHECK_FALSE(a == b);
  a.shrink(1);
  CHECK(a == b);
  a.clear();
  CHECK(a.empty());
  CHECK(a.capacity() == 4);
}
