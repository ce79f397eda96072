// The compressed fields of a save: compressed before the file is laid out, since the lengths of the
// chunks decide where things come to lie in it.

#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/trace/trace.hpp"
#include "checkpointer_implementation.hpp"
#include "crc.hpp"
#include "data_file.hpp"

namespace cairn::ckpt {

namespace {

Failpoint before_pack{"ckpt.pack"};
Failpoint before_chunk_write{"ckpt.chunk.write"};

/// Hands this rank's chunks of a field to `take`. Collective; an error of one rank is thrown on
/// all, once nobody waits for it any more.
template <typename Take>
void for_each_own_chunk(const Communicator& comm, const RegisteredField& field, Take&& take) {
  const auto source = together(comm, [&] { return memory_of(field); });
  ChunkExchange exchange(comm, source, grid_of(field));
  std::optional<Error> problem;
  for (std::size_t b = 0; b < exchange.batches(); ++b) {
    const auto& chunks = exchange.fetch();
    if (problem) continue;
    problem = detail::error_of([&] {
      for (const auto& chunk : chunks) take(chunk);
    });
  }
  agree(comm, exchange.problem() ? exchange.problem() : problem);
}

}  // namespace

/// The memory of the epoch before is used again: to touch new memory takes longer than to compress.
void Checkpointer::Implementation::start_packing() {
  packed_.resize(fields_.size());
  for (auto& packed : packed_) packed.clear();
}

/// Compresses as the elements come.
void Checkpointer::Implementation::pack_now() {
  const trace::Span span("ckpt.pack");
  start_packing();
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    if (!is_compressed(fields_[f])) continue;
    std::optional<Codec> codec;  // one that cannot be made is a failure of the first chunk
    for_each_own_chunk(comm_, fields_[f], [&](std::span<const std::byte> raw) {
      before_pack.check("compress field '" + fields_[f].name + "'");
      if (!codec) codec.emplace(*fields_[f].compression, size_of(fields_[f].type));
      pack_chunk(*codec, raw, packed_[f]);
    });
  }
}

/// In mode async the elements are copied first. Collective.
void Checkpointer::Implementation::stage_chunks(std::size_t field) {
  auto& staged = staged_[field];
  staged.clear();
  for_each_own_chunk(comm_, fields_[field], [&](std::span<const std::byte> raw) {
    staged.insert(staged.end(), raw.begin(), raw.end());
  });
}

/// Compresses what was staged. In a thread of its own.
void Checkpointer::Implementation::pack_staged() {
  const trace::Span span("ckpt.pack");
  start_packing();
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    if (!is_compressed(fields_[f])) continue;
    Codec codec(*fields_[f].compression, size_of(fields_[f].type));
    const auto chunk_bytes = grid_of(fields_[f]).chunk_elements() * size_of(fields_[f].type);
    for (std::span<const std::byte> rest(staged_[f]); !rest.empty();
         rest = rest.subspan(chunk_bytes)) {
      before_pack.check("compress field '" + fields_[f].name + "'");
      pack_chunk(codec, rest.first(chunk_bytes), packed_[f]);
    }
  }
}

/// Rank 0 gets the lengths of all chunks, whose order is that of the ranks. Collective.
std::vector<Parts<std::uint32_t>> Checkpointer::Implementation::gather_lengths() const {
  std::vector<Parts<std::uint32_t>> lengths(fields_.size());
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    if (is_compressed(fields_[f])) gather_v(comm_, packed_[f].lengths_bytes, lengths[f]);
  }
  return lengths;
}

/// Rank 0.
std::vector<DatasetPlan> Checkpointer::Implementation::plans(
    const std::vector<Parts<std::uint32_t>>& lengths) const {
  std::vector<DatasetPlan> plans;
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    const auto& field = fields_[f];
    plans.push_back({field.name, field.type, field.block.global, field.attributes});
    if (!is_compressed(field)) continue;
    const auto all = lengths[f].values();
    plans.back().chunks = {*field.compression, grid_of(field).chunk(), {all.begin(), all.end()}};
  }
  return plans;
}

/// Every rank learns where the chunks go. Collective.
void Checkpointer::Implementation::share_chunk_offsets() {
  chunk_offsets_bytes_.resize(fields_.size());
  for (std::size_t f = 0; f < fields_.size(); ++f)
    if (is_compressed(fields_[f])) bcast(comm_, into(chunk_offsets_bytes_[f]));
}

/// Writes this rank's chunks of a field; their digests, and tags, go behind `crcs`.
void Checkpointer::Implementation::write_chunks(File& file, std::size_t field,
                                                std::vector<std::uint32_t>& crcs) {
  const auto grid = grid_of(fields_[field]);
  const auto first = chunks_of_rank(grid, comm_.size(), comm_.rank()).first;
  auto& packed = packed_[field];
  std::span<std::byte> rest(packed.bytes);
  for (std::size_t i = 0; i < packed.lengths_bytes.size(); ++i) {
    const auto bytes = rest.first(packed.lengths_bytes[i]);
    rest = rest.subspan(bytes.size());
    const auto offset = chunk_offsets_bytes_[field][first + i];
    const auto box = grid.box(first + i);
    seal_piece(bytes,
               {.name = fields_[field].name,
                .type = fields_[field].type,
                .box = &box,
                .piece = first + i,
                .offset_bytes = offset},
               crcs);
    before_chunk_write.check("write " + data_path_);
    file.write_at(bytes, offset);
    start_write_back(file, offset, bytes.size());
  }
}

/// Encrypts the bytes if there is a key; their digest, and tag, go behind `crcs`.
void Checkpointer::Implementation::seal_piece(std::span<std::byte> bytes, const Place& place,
                                              std::vector<std::uint32_t>& crcs) const {
  if (!cipher_) {
    crcs.push_back(crc32c(bytes));
    return;
  }
  const auto tag = cipher_->seal(bytes, place);
  std::array<std::uint32_t, sizeof(Tag) / sizeof(std::uint32_t)> words{};
  std::memcpy(words.data(), tag.data(), sizeof tag);
  crcs.push_back(crc32c(bytes));
  crcs.insert(crcs.end(), words.begin(), words.end());
}

/// The digests that gather_parts() has put to the parts are those of the chunks. Rank 0.
void Checkpointer::Implementation::describe_chunks(EpochRecord& record,
                                                   const std::vector<DatasetPlan>& plans) const {
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    if (!is_compressed(fields_[f])) continue;
    auto& field = record.fields[f];
    auto& chunks =
        field.chunks.emplace(ChunksRecord{plans[f].chunks->compression, plans[f].chunks->chunk});
    for (auto& part : field.parts) {
      for (const auto crc : part.piece_crcs) {
        const auto c = chunks.chunks.size();
        chunks.chunks.push_back(
            {chunk_offsets_bytes_[f][c], plans[f].chunks->lengths_bytes[c], crc});
      }
      chunks.tags.insert(chunks.tags.end(), part.piece_tags.begin(), part.piece_tags.end());
      part.piece_crcs.clear();
      part.piece_tags.clear();
    }
  }
}

}  // namespace cairn::ckpt
