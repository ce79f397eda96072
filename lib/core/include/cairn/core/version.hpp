/// The version of the library, checked against CMake's by a test.
#pragma once

#include <string_view>

namespace cairn {

inline constexpr std::string_view version = "0.1.0";

}  // namespace cairn
