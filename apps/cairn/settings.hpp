/// The CAIRN_* environment variables: what is no option, and the options that all programs or
/// `cairn run` have.
#pragma once

#include <span>
#include <string_view>

namespace cairn::tool {

struct Setting {
  const char* name;
  const char* meaning;
  bool is_secret = false;  ///< its value is not shown
};

/// All of them, sorted by name.
[[nodiscard]] std::span<const Setting> settings();

}  // namespace cairn::tool
