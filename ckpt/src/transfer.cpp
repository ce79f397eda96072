#include "transfer.hpp"

#include <fcntl.h>
#include <isa-l/crc64.h>

#include <cstring>

#include "cairn/core/error.hpp"
#include "crc.hpp"
#include "data_file.hpp"

namespace cairn::ckpt {

namespace {

/// Is still in the core's own cache when its digest is taken.
constexpr std::size_t digested_at_once = std::size_t{256} << 10;

/// The block's interior inside its allocation with ghosts.
BoxInArray interior_in_memory(const Block& block) {
  return in_memory(block, {block.offset, block.count});
}

/// Gathers elements [first, last) of the block in box order; no copy where they are consecutive in
/// memory.
std::span<const std::byte> gather_piece(const BlockInMemory& source, const BoxInArray& memory,
                                        std::size_t first, std::size_t last,
                                        std::span<std::byte> staging) {
  const auto size = source.element_bytes;
  const auto bytes = (last - first) * size;
  if (last - first <= memory.run_length() - first % memory.run_length()) {
    return {source.data + memory.position(first) * size, bytes};
  }
  memory.for_each_run(first, last,
                      [&](std::size_t in_memory, std::size_t index, std::size_t length) {
                        std::memcpy(staging.data() + (index - first) * size,
                                    source.data + in_memory * size, length * size);
                      });
  return staging.first(bytes);
}

/// Notes the piece; whether the file holds it.
bool is_there_already(BlockPieces& pieces, std::span<const std::byte> bytes, std::uint32_t crc) {
  const PieceHash hash{
      crc,
      ::crc64_ecma_refl(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size())};
  const auto number = pieces.now.size();
  pieces.now.push_back(hash);
  if (number >= pieces.before.size() || pieces.before[number] != hash) return false;
  pieces.unchanged_bytes += bytes.size();
  return true;
}

}  // namespace

void start_write_back(const File& file, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  ::sync_file_range(file.descriptor(), static_cast<off_t>(offset_bytes),
                    static_cast<off_t>(length_bytes), SYNC_FILE_RANGE_WRITE);
}

BoxInArray in_memory(const Block& block, const Box& box) {
  Shape extents;
  Box inside = relative_to(box, {block.offset, block.count});
  for (std::size_t axis = 0; axis < block.count.size(); ++axis) {
    extents.push_back(block.count[axis] + 2 * block.ghosts);
    inside.offset[axis] += block.ghosts;
  }
  return {std::move(extents), std::move(inside)};
}

Box relative_to(const Box& box, const Box& outer) {
  Box result = box;
  for (std::size_t axis = 0; axis < box.offset.size(); ++axis)
    result.offset[axis] -= outer.offset[axis];
  return result;
}

void pack_block(const BlockInMemory& source, std::byte* to) {
  const auto size = source.element_bytes;
  interior_in_memory(*source.block)
      .for_each_run(0, volume(source.block->count),
                    [&](std::size_t in_memory, std::size_t index, std::size_t length) {
                      std::memcpy(to + index * size, source.data + in_memory * size, length * size);
                    });
}

PieceSource::PieceSource(const BlockInMemory& source, std::uint64_t offset_bytes,
                         const PieceSealer& seal)
    : source_(source),
      offset_bytes_(offset_bytes),
      seal_(seal),
      elements_(volume(source.block->count)),
      in_memory_(interior_in_memory(*source.block)),
      in_file_(source.block->global, {source.block->offset, source.block->count}),
      staging_(std::min(piece_bytes, elements_ * source.element_bytes)) {}

PieceRange PieceSource::range(std::size_t piece) const noexcept {
  const auto length = piece_bytes / source_.element_bytes;
  return {piece * length, std::min((piece + 1) * length, elements_)};
}

std::span<const std::byte> PieceSource::take(std::size_t piece, std::vector<std::uint32_t>& crcs) {
  const auto size = source_.element_bytes;
  const auto [first, last] = range(piece);
  auto bytes = gather_piece(source_, in_memory_, first, last, staging_);
  if (!seal_) {
    crcs.push_back(crc32c(bytes));
    return bytes;
  }
  const auto sealed = std::span(staging_).first(bytes.size());
  if (bytes.data() != sealed.data()) std::memcpy(sealed.data(), bytes.data(), bytes.size());
  const auto tag = seal_(piece, offset_bytes_ + in_file_.position(first) * size, sealed);
  crcs.push_back(crc32c(sealed));
  crcs.resize(crcs.size() + tag.size() / sizeof(std::uint32_t));
  std::memcpy(crcs.data() + crcs.size() - tag.size() / sizeof(std::uint32_t), tag.data(),
              tag.size());
  return sealed;
}

std::vector<std::uint32_t> write_block(File& file, std::uint64_t offset_bytes,
                                       const BlockInMemory& source,
                                       const std::function<void()>& before_piece,
                                       const PieceSealer& seal, BlockPieces* pieces,
                                       DirectWrites* direct) {
  const auto size = source.element_bytes;
  PieceSource block(source, offset_bytes, seal);
  std::vector<std::uint32_t> crcs;
  for (std::size_t piece = 0; piece < block.pieces(); ++piece) {
    const auto [first, last] = block.range(piece);
    const auto begin = first;  // a structured binding cannot be captured
    const auto bytes = block.take(piece, crcs);
    if (pieces != nullptr && is_there_already(*pieces, bytes, crcs.back())) continue;
    before_piece();
    block.in_file().for_each_run(
        first, last, [&](std::size_t element, std::size_t index, std::size_t length) {
          const auto run = bytes.subspan((index - begin) * size, length * size);
          const auto at = offset_bytes + element * size;
          direct != nullptr ? direct->write_at(file, run, at) : file.write_at(run, at);
        });
    const auto from = block.in_file().position(first);
    const auto to = block.in_file().position(last - 1) + 1;
    start_write_back(file, offset_bytes + from * size, (to - from) * size);
  }
  return crcs;
}

namespace {

/// Copies what [first, last) of the part (in box order, bytes in `piece`) shares with the target.
/// Rows of the shared box come in the part's order, so `row` goes through them once over all
/// pieces.
class OverlapCopier {
 public:
  OverlapCopier(const Box& part, const Box& shared, const BlockInMemory& target)
      : target_(target),
        in_part_(part.count, relative_to(shared, part)),
        in_memory_(in_memory(*target.block, shared)),
        row_length_(shared.count.empty() ? 1 : shared.count.back()),
        elements_(volume(shared.count)) {}

  [[nodiscard]] bool done() const { return next_ == elements_; }
  /// The part's index of the next element to copy.
  [[nodiscard]] std::size_t position() const { return in_part_.position(next_); }

  /// Where [first, last) of the part, which begins with the next element to copy, stands in memory
  /// as it does in the part; empty where it does not, or not all of it is shared.
  [[nodiscard]] std::span<std::byte> place_of(std::size_t first, std::size_t last) const {
    const auto length = last - first;
    const auto in_one_run = [&](const BoxInArray& box) {
      return length <= box.run_length() - next_ % box.run_length();
    };
    if (position() != first || !in_one_run(in_part_) || !in_one_run(in_memory_)) return {};
    const auto size = target_.element_bytes;
    return {target_.data + in_memory_.position(next_) * size, length * size};
  }

  /// What stands at its place already.
  void skip(std::size_t elements) { next_ += elements; }

  void copy_from(std::span<const std::byte> piece, std::size_t first, std::size_t last) {
    const auto size = target_.element_bytes;
    while (!done()) {
      const auto at = position();
      if (at >= last) return;
      const auto length = std::min(row_length_ - next_ % row_length_, last - at);
      std::memcpy(target_.data + in_memory_.position(next_) * size,
                  piece.data() + (at - first) * size, length * size);
      next_ += length;
    }
  }

 private:
  const BlockInMemory& target_;
  BoxInArray in_part_;
  BoxInArray in_memory_;
  std::size_t row_length_;
  std::size_t elements_;
  std::size_t next_ = 0;
};

}  // namespace

PartReader::PartReader(const File& file, const FieldRecord& field, const PartRecord& part)
    : file_(file),
      field_(field),
      part_(part),
      element_bytes_(size_of(field.type)),
      elements_(volume(part.box.count)),
      in_file_(field.global, part.box) {}

PieceRange PartReader::range(std::size_t piece) const noexcept {
  const auto length = piece_bytes / element_bytes_;
  return {piece * length, std::min((piece + 1) * length, elements_)};
}

std::uint64_t PartReader::offset_bytes(std::size_t index) const noexcept {
  return field_.offset_bytes + in_file_.position(index) * element_bytes_;
}

std::optional<std::span<const std::byte>> PartReader::read(std::size_t piece,
                                                           std::span<std::byte> into) {
  const auto [first, last] = range(piece);
  if (into.empty()) {
    staging_.resize(std::min(piece_bytes, elements_ * element_bytes_));
    into = std::span(staging_).first((last - first) * element_bytes_);
  }
  const auto bytes = into;
  const auto begin = first;  // a structured binding cannot be captured
  std::uint32_t crc = 0;
  in_file_.for_each_run(
      first, last, [&](std::size_t element, std::size_t index, std::size_t length) {
        auto run = bytes.subspan((index - begin) * element_bytes_, length * element_bytes_);
        auto at = field_.offset_bytes + element * element_bytes_;
        while (!run.empty()) {
          const auto block = run.first(std::min(digested_at_once, run.size()));
          file_.read_at(block, at);
          crc = crc32c(block, crc);
          run = run.subspan(block.size());
          at += block.size();
        }
      });
  if (crc != part_.piece_crcs[piece]) return std::nullopt;
  if (field_.cipher && !field_.cipher->open(bytes, part_.piece_tags[piece],
                                            {.name = field_.name,
                                             .type = field_.type,
                                             .box = &part_.box,
                                             .piece = piece,
                                             .offset_bytes = offset_bytes(first)})) {
    return std::nullopt;
  }
  return bytes;
}

namespace {

[[noreturn]] void throw_damaged(const File& file, const FieldRecord& field,
                                std::uint64_t offset_bytes) {
  throw Error(Errc::bad_data, file.path().string() + " is damaged in field '" + field.name +
                                  "', near byte " + std::to_string(offset_bytes));
}

void read_overlap(const File& file, const FieldRecord& field, const PartRecord& part,
                  const BlockInMemory& target) {
  const auto shared = intersection(part.box, {target.block->offset, target.block->count});
  if (!shared) return;
  PartReader reader(file, field, part);
  OverlapCopier copier(part.box, *shared, target);
  while (!copier.done()) {
    const auto piece = copier.position() / (piece_bytes / target.element_bytes);
    const auto [first, last] = reader.range(piece);
    const auto place = copier.place_of(first, last);
    const auto bytes = reader.read(piece, place);
    if (!bytes) throw_damaged(file, field, reader.offset_bytes(first));
    place.empty() ? copier.copy_from(*bytes, first, last) : copier.skip(last - first);
  }
}

/// Chunks lie in the order of their elements, so the block's are among those from its first
/// element's to its last one's.
void read_chunks(const File& file, const FieldRecord& field, const BlockInMemory& target) {
  const Box wanted{target.block->offset, target.block->count};
  const auto elements = volume(wanted.count);
  if (elements == 0) return;
  ChunkReader reader(file, field);
  const BoxInArray in_field(field.global, wanted);
  const auto last = reader.grid().chunk_of(in_field.position(elements - 1));
  for (auto c = reader.grid().chunk_of(in_field.position(0)); c <= last; ++c) {
    const auto box = reader.grid().box(c);
    const auto shared = intersection(box, wanted);
    if (!shared) continue;
    const auto bytes = reader.read(c);
    if (!bytes) throw_damaged(file, field, field.chunks->chunks[c].offset_bytes);
    OverlapCopier(box, *shared, target).copy_from(*bytes, 0, volume(box.count));
  }
}

}  // namespace

ChunkReader::ChunkReader(const File& file, const FieldRecord& field)
    : file_(file),
      field_(field),
      grid_(field.global, field.chunks->chunk),
      codec_(field.chunks->compression, size_of(field.type)),
      raw_(grid_.chunk_elements() * size_of(field.type)) {
  stored_.resize(raw_.size());
}

std::optional<std::span<std::byte>> ChunkReader::read_stored(std::size_t number) {
  const auto& chunk = field_.chunks->chunks[number];
  const auto bytes = std::span(stored_).first(chunk.length_bytes);
  file_.read_at(bytes, chunk.offset_bytes);
  if (crc32c(bytes) != chunk.crc) return std::nullopt;
  const auto box = grid_.box(number);
  if (field_.cipher && !field_.cipher->open(bytes, field_.chunks->tags[number],
                                            {.name = field_.name,
                                             .type = field_.type,
                                             .box = &box,
                                             .piece = number,
                                             .offset_bytes = chunk.offset_bytes})) {
    return std::nullopt;
  }
  return bytes;
}

std::optional<std::span<const std::byte>> ChunkReader::read(std::size_t number) {
  const auto stored = read_stored(number);
  if (!stored) return std::nullopt;
  return unpack(*stored);
}

std::optional<std::span<const std::byte>> ChunkReader::unpack(std::span<const std::byte> stored) {
  if (!codec_.unpack(stored, raw_)) return std::nullopt;
  return raw_;
}

void read_block(const File& file, const FieldRecord& field, const BlockInMemory& target) {
  if (field.chunks) return read_chunks(file, field, target);
  for (const auto& part : field.parts) read_overlap(file, field, part, target);
}

}  // namespace cairn::ckpt
