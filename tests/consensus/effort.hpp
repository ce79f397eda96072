/// How much a test may do here: sanitizers cost ten times the time.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace effort {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// CAIRN_TEST_LONG=1 asks for the long form.
inline bool is_long() {
  const char* const given = std::getenv("CAIRN_TEST_LONG");
  return given != nullptr && *given == '1';
}

inline std::uint64_t schedules(std::uint64_t usual) { return sanitized ? usual / 50 : usual; }

}  // namespace effort
