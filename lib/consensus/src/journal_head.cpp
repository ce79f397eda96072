#include <fcntl.h>

#include <algorithm>

#include "cairn/consensus/journal_reader.hpp"
#include "cairn/core/private_files.hpp"
#include "journal_format.hpp"

namespace cairn::consensus {

std::optional<JournalHead> read_journal_head(const std::filesystem::path& directory) {
  if (!is_there(directory)) return std::nullopt;
  (void)open_private_directory(directory);
  const auto path = directory / journal::log_name;
  if (!is_there(path)) return std::nullopt;
  const auto file = open_regular_file(path, O_RDONLY);
  journal::Bytes bytes(std::min<std::uint64_t>(file.size_bytes(), journal::head_bytes));
  file.read_at(bytes, 0);
  const auto head = journal::parse_log(bytes).head;
  if (!head) return std::nullopt;
  return JournalHead{head->identity, head->node, static_cast<int>(head->nodes), head->is_copy};
}

}  // namespace cairn::consensus
