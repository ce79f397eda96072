/// Where: the place in the source from which a collective is called.
#pragma once

namespace cairn {

/// The caller's place in the source; the last parameter of every collective.
struct Where {
  const char* file;
  int line;

  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace cairn
