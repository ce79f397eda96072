/// Numbers for people.
#pragma once

#include <fmt/format.h>

#include <string>

namespace cairn::program {

/// 1234567 → "1.23 M": three digits are enough for a rate.
inline std::string short_number(double value) {
  for (const char* unit : {"", " k", " M", " G"}) {
    if (value < 999.5) return fmt::format("{:.3g}{}", value, unit);
    value /= 1000;
  }
  return fmt::format("{:.3g} T", value);
}

}  // namespace cairn::program
