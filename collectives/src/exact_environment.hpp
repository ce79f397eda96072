/// Floating-point arithmetic as the exact kernels need it, whatever modes the host program has set.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace cairn::exact {

/// While it lives: rounding to nearest, denormals kept, no traps. Restores the caller's modes and
/// exception flags at its end.
///
/// Code between must call the kernels through pointers, so that the compiler cannot move their
/// arithmetic out of the region. For one thread: the modes are its own.
class DefaultEnvironment {
 public:
#if defined(__SSE2__)
  DefaultEnvironment() noexcept : before_(_mm_getcsr()) { _mm_setcsr(default_modes); }
  ~DefaultEnvironment() { _mm_setcsr(before_); }
  [[nodiscard]] static bool holds() noexcept { return true; }
#else
  DefaultEnvironment() noexcept = default;
  ~DefaultEnvironment() = default;
  /// Cannot be set here, but seen: by what comes out of a few operations.
  [[nodiscard]] static bool holds() noexcept {
    const volatile double one = 1.0;
    const volatile double small = 0x1p-54;
    const volatile double least_normal = 0x1p-1022;
    const volatile double denormal = 0x1p-1074;
    return one + small == 1.0 && one - small / 2 == 1.0 && -one - small == -1.0 &&
           least_normal / 2 != 0.0 && denormal * 0x1p100 != 0.0;
  }
#endif
  DefaultEnvironment(const DefaultEnvironment&) = delete;
  DefaultEnvironment& operator=(const DefaultEnvironment&) = delete;

 private:
#if defined(__SSE2__)
  static constexpr unsigned default_modes = 0x1f80;  // all exceptions masked, all else 0
  unsigned before_;
#endif
};

}  // namespace cairn::exact
