#include "verdict.hpp"

#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

namespace cairn::tool {

namespace fs = std::filesystem;

VerdictFile::VerdictFile() {
  std::error_code code;
  std::string folder = fs::temp_directory_path(code) / "cairn-run-XXXXXX";
  if (!code && ::mkdtemp(folder.data()) != nullptr) path_ = fs::path(folder) / "verdict";
}

VerdictFile::~VerdictFile() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_.parent_path(), ignored);
}

std::optional<int> VerdictFile::take() const {
  std::ifstream file(path_);
  int exit_code = 0;
  const bool is_there = static_cast<bool>(file >> exit_code);
  std::error_code ignored;
  fs::remove(path_, ignored);
  return is_there ? std::optional(exit_code) : std::nullopt;
}

}  // namespace cairn::tool
