#include "each_kernel.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace cairn::test {

namespace {

// Eight lanes for machines without AVX-512: the same loops, in whatever vectors there are.
namespace eight_lanes {
#define CAIRN_TARGET
#define CAIRN_INLINE __attribute__((always_inline)) inline

using namespace exact;
constexpr std::uint64_t sign = std::uint64_t{1} << 63;
constexpr std::size_t lanes = 8;
using Vector = double __attribute__((vector_size(8 * lanes)));
using Bits = std::uint64_t __attribute__((vector_size(8 * lanes)));

CAIRN_INLINE Vector larger(Vector a, Vector b) {
  for (std::size_t lane = 0; lane < lanes; ++lane) a[lane] = a[lane] > b[lane] ? a[lane] : b[lane];
  return a;
}
CAIRN_INLINE Vector smaller(Vector a, Vector b) {
  for (std::size_t lane = 0; lane < lanes; ++lane) a[lane] = a[lane] < b[lane] ? a[lane] : b[lane];
  return a;
}
CAIRN_INLINE Vector product_error(Vector a, Vector b, Vector product) {
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    a[lane] = std::fma(a[lane], b[lane], -product[lane]);
  }
  return a;
}

#include "exact_kernels.inc"
constexpr Kernels kernels{"eight lanes", sum, dot, two_products};
#undef CAIRN_TARGET
#undef CAIRN_INLINE
}  // namespace eight_lanes

}  // namespace

void with_each_kernel(const std::function<void()>& check) {
  const exact::Kernels* before = exact::chosen_kernels();
  const auto available = exact::available_kernels();
  std::vector<const exact::Kernels*> all(available.begin(), available.end());
  all.push_back(&eight_lanes::kernels);
  all.push_back(nullptr);
  for (const auto* kernels : all) {
    const std::string name = kernels == nullptr ? "none" : kernels->name;
    CAPTURE(name);
    exact::choose_kernels(kernels);
    check();
  }
  exact::choose_kernels(before);
}

}  // namespace cairn::test
