#include <fcntl.h>

#include <algorithm>

#include "cairn/consensus/journal_reader.hpp"
#include "cairn/core/file.hpp"
#include "journal_format.hpp"

namespace cairn::consensus {

std::optional<JournalHead> read_journal_head(const std::filesystem::path& directory) {
  const auto path = directory / journal::log_name;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::nullopt;
  const File file(path, O_RDONLY);
  journal::Bytes bytes(std::min<std::uint64_t>(file.size_bytes(), journal::head_bytes));
  file.read_at(bytes, 0);
  const auto head = journal::parse_log(bytes).head;
  if (!head) return std::nullopt;
  return JournalHead{head->identity, head->node, static_cast<int>(head->nodes), head->is_copy};
}

}  // namespace cairn::consensus
