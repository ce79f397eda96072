/// Small named facts on a dataset or a file: units, a description, a time.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace cairn::ckpt {

struct Attribute {
  std::string name;
  std::variant<double, std::int64_t, std::string> value;
};

}  // namespace cairn::ckpt
