#include "benchmark.hpp"

#include <algorithm>
#include <string_view>

#include "cairn/core/error.hpp"

namespace cairn::bench {

namespace {

/// Filled before main() by the Benchmark objects of the other files.
std::vector<const Benchmark*>& registered() {
  static std::vector<const Benchmark*> list;
  return list;
}

}  // namespace

Benchmark::Benchmark(const char* name, const char* summary, Function function)
    : name_(name), summary_(summary), function_(function) {
  registered().push_back(this);
}

std::vector<const Benchmark*> benchmarks() {
  auto list = registered();
  std::sort(list.begin(), list.end(), [](const Benchmark* a, const Benchmark* b) {
    return std::string_view(a->name()) < b->name();
  });
  return list;
}

double median(std::span<double> values) {
  expects(!values.empty(), "at least one value");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

void use(double value) {
  [[maybe_unused]] static volatile double sink;
  sink = value;
}

}  // namespace cairn::bench
