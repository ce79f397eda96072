/// expects(): preconditions of the caller, in a header that costs nothing to include.
#pragma once

namespace cairn {

namespace detail {
[[noreturn]] void throw_precondition(const char* message, const char* file, int line);
}  // namespace detail

/// Throws Error{Errc::internal} with the caller's file and line when `holds` is false. Local.
inline void expects(bool holds, const char* message, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE()) {
  if (!holds) [[unlikely]] {
    detail::throw_precondition(message, file, line);
  }
}

}  // namespace cairn
