/// The CAIRN_* environment variables that are no options of a program.
#pragma once

#include <span>
#include <string_view>

namespace cairn::tool {

struct Setting {
  const char* name;
  const char* meaning;
};

/// All of them, sorted by name.
[[nodiscard]] std::span<const Setting> settings();

}  // namespace cairn::tool
