// Exact sums on threads that have little stack.

#include <doctest/doctest.h>
#include <pthread.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "cairn/collectives/exact_sum.hpp"

using namespace cairn;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

/// Calls on a thread with a stack of `bytes` bytes.
void call_with_stack(std::size_t bytes, std::function<void()> call) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, bytes) == 0);
  const auto run = [](void* function) -> void* {
    (*static_cast<std::function<void()>*>(function))();
    return nullptr;
  };
  pthread_t thread{};
  REQUIRE(pthread_create(&thread, &attributes, run, &call) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace

TEST_CASE("up to 4095 terms or products need little stack, whatever their exponents") {
  constexpr std::size_t stack_bytes = std::size_t{64} << 10;
  for (const std::size_t n : {20, 1000, 4095}) {
    CAPTURE(n);
    for (const double scale : {1.0, 1e-300}) {
      std::vector<double> x(n, 1.0);
      x.front() = scale;
      ExactSum sum, products;
      call_with_stack(stack_bytes, [&] {
        sum.add(x);
        products.add_products(x, x);
      });
      const auto others = static_cast<double>(n - 1);
      CHECK(sum.round() == others + scale);
      CHECK(products.round() == others + scale * scale);
    }
  }
}
#endif
