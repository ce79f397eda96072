#include "written_pieces.hpp"

#include <utility>

namespace cairn::ckpt {

std::span<const PieceHash> WrittenPieces::find(std::uint64_t epoch, std::size_t field,
                                               std::uint64_t offset_bytes,
                                               const Block& block) const {
  const auto found = epochs_.find(epoch);
  if (found == epochs_.end() || field >= found->second.size()) return {};
  const auto& entry = found->second[field];
  const bool is_same = entry.offset_bytes == offset_bytes && entry.global == block.global &&
                       entry.offset == block.offset && entry.count == block.count;
  return is_same ? std::span<const PieceHash>(entry.pieces) : std::span<const PieceHash>();
}

void WrittenPieces::note(std::uint64_t epoch, std::vector<Entry> fields, std::size_t keep) {
  epochs_[epoch] = std::move(fields);
  while (epochs_.size() > keep) epochs_.erase(epochs_.begin());
}

}  // namespace cairn::ckpt
