#include "fields.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "compressing.hpp"
#include "cut.hpp"
#include "utf8.hpp"

namespace cairn::ckpt {

namespace {

std::string to_string(const Shape& shape) {
  std::string text;
  for (const auto extent : shape) text += (text.empty() ? "" : "×") + std::to_string(extent);
  return text;
}

/// What must be equal on all ranks, as text.
std::string signature_of(const std::vector<RegisteredField>& fields,
                         const std::vector<RegisteredValue>& values) {
  std::string text;
  for (const auto& field : fields) {
    text += "field '" + field.name + "' " + std::string(name_of(field.type)) + " " +
            to_string(field.block.global) + (field.cut ? " " + field.cut->signature() : "") + " " +
            std::string(name_of(field.compression.value_or(Compression::none))) + "; ";
  }
  for (const auto& value : values)
    text += "value '" + value.name + "' " + std::string(name_of(value.type)) + "; ";
  return text;
}

void expect_equal_signature(const Communicator& comm, const std::vector<RegisteredField>& fields,
                            const std::vector<RegisteredValue>& values) {
  const auto mine = signature_of(fields, values);
  auto roots = mine;
  bcast(comm, into(roots));
  together(comm, [&] {
    expects(mine == roots,
            "the same checkpoint fields on every rank; here: " + mine + " on rank 0: " + roots);
  });
}

/// Offsets and counts of all fields of this rank, flat.
std::vector<std::uint64_t> flat_boxes(const std::vector<RegisteredField>& fields) {
  std::vector<std::uint64_t> flat;
  for (const auto& field : fields) {
    flat.insert(flat.end(), field.block.offset.begin(), field.block.offset.end());
    flat.insert(flat.end(), field.block.count.begin(), field.block.count.end());
  }
  return flat;
}

/// Boxes tile the array when their volumes add up to it and no two overlap. Sorted by their first
/// axis, only boxes that begin before another one ends can overlap it.
void check_tiling(const RegisteredField& field, const std::vector<Box>& boxes) {
  std::size_t covered = 0;
  std::vector<const Box*> sorted;
  for (const auto& box : boxes) {
    covered += volume(box.count);
    if (volume(box.count) > 0) sorted.push_back(&box);
  }
  expects(covered == volume(field.block.global),
          "blocks of field '" + field.name + "' that tile its global array " +
              to_string(field.block.global) + ": they hold " + std::to_string(covered) +
              " elements");
  if (field.block.global.empty()) return;
  std::sort(sorted.begin(), sorted.end(),
            [](auto* a, auto* b) { return a->offset[0] < b->offset[0]; });
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto end = sorted[i]->offset[0] + sorted[i]->count[0];
    for (std::size_t j = i + 1; j < sorted.size() && sorted[j]->offset[0] < end; ++j) {
      expects(!intersection(*sorted[i], *sorted[j]),
              "blocks of field '" + field.name + "' that do not overlap");
    }
  }
}

}  // namespace

void check_field(const RegisteredField& field) {
  const auto& block = field.block;
  const auto axes = block.global.size();
  expects(!field.name.empty() && field.name.front() != '/',
          "a field name that is not empty nor begins with '/'");
  expects(is_utf8(field.name), "a name in UTF-8 of field '" + escaped(field.name) + "'");
  expects(axes >= 1, "field '" + field.name + "' with one axis or more");
  expects(block.offset.size() == axes && block.count.size() == axes,
          "one offset and one count per axis of field '" + field.name + "'");
  for (std::size_t axis = 0; axis < axes; ++axis) {
    expects(block.offset[axis] <= block.global[axis] &&
                block.count[axis] <= block.global[axis] - block.offset[axis],
            "a block of field '" + field.name + "' inside its global array");
  }
}

BlockInMemory memory_of(const RegisteredField& field) {
  const auto bytes = field.storage();
  const auto element = size_of(field.type);
  if (volume(field.block.count) > 0) {
    expects(bytes.size() == memory_volume(field.block) * element,
            "storage of field '" + field.name + "' of the size of its block with ghosts: " +
                std::to_string(memory_volume(field.block)) + " elements, not " +
                std::to_string(bytes.size() / element));
  }
  return {bytes.data(), element, &field.block};
}

std::vector<std::vector<Box>> gather_boxes(const Communicator& comm,
                                           const std::vector<RegisteredField>& fields,
                                           const std::vector<RegisteredValue>& values) {
  expect_equal_signature(comm, fields, values);
  const auto mine = flat_boxes(fields);
  std::vector<std::uint64_t> all(
      comm.is_root() ? mine.size() * static_cast<std::size_t>(comm.size()) : 0);
  gather(comm, std::span<const std::uint64_t>(mine), std::span<std::uint64_t>(all));
  std::vector<std::vector<Box>> boxes(fields.size());
  together(comm, [&] {
    for (auto next = all.begin(); next != all.end();) {
      for (std::size_t f = 0; f < fields.size(); ++f) {
        const auto axes = static_cast<std::ptrdiff_t>(fields[f].block.global.size());
        boxes[f].push_back({Shape(next, next + axes), Shape(next + axes, next + 2 * axes)});
        next += 2 * axes;
      }
    }
    if (!comm.is_root()) return;
    for (std::size_t f = 0; f < fields.size(); ++f) {
      if (!fields[f].cut) check_tiling(fields[f], boxes[f]);  // a cut tiles by construction
    }
  });
  return boxes;
}

bool is_compressed(const RegisteredField& field) {
  return field.compression.value_or(Compression::none) != Compression::none &&
         volume(field.block.global) * size_of(field.type) >= least_compressed_bytes;
}

ChunkGrid grid_of(const RegisteredField& field) {
  return ChunkGrid::of(field.block.global, size_of(field.type));
}

std::vector<std::vector<PartRecord>> gather_parts(const Communicator& comm,
                                                  const std::vector<RegisteredField>& fields,
                                                  const std::vector<std::vector<Box>>& boxes,
                                                  const std::vector<std::uint32_t>& crcs,
                                                  Sealed sealed, Digests digests) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  const std::size_t words = sealed == Sealed::yes ? 1 + sizeof(Tag) / sizeof(std::uint32_t) : 1;
  const auto pieces = [&](std::size_t f, std::size_t r) {
    if (digests == Digests::of_chunks && is_compressed(fields[f]))
      return words * chunks_of_rank(grid_of(fields[f]), comm.size(), static_cast<int>(r)).count;
    return words * piece_count(volume(boxes[f][r].count), size_of(fields[f].type));
  };
  std::vector<int> counts;
  std::vector<int> displacements(comm.is_root() ? ranks : 0);
  std::vector<std::uint32_t> all;
  together(comm, [&] {
    if (!comm.is_root()) return;
    for (std::size_t r = 0; r < ranks; ++r) {
      std::size_t count = 0;
      for (std::size_t f = 0; f < fields.size(); ++f) count += pieces(f, r);
      counts.push_back(detail::mpi_count(count));
    }
    all.resize(static_cast<std::size_t>(packed_displacements(counts, displacements)));
  });
  gather_v(comm, std::span<const std::uint32_t>(crcs), std::span<std::uint32_t>(all),
           {counts, displacements});

  return together(comm, [&] {
    std::vector<std::vector<PartRecord>> parts(fields.size());
    if (!comm.is_root()) return parts;
    auto next = all.begin();
    for (std::size_t r = 0; r < ranks; ++r) {
      for (std::size_t f = 0; f < fields.size(); ++f) {
        const auto end = next + static_cast<std::ptrdiff_t>(pieces(f, r));
        auto& part = parts[f].emplace_back(PartRecord{boxes[f][r], {}, {}});
        for (; next != end; next += static_cast<std::ptrdiff_t>(words)) {
          part.piece_crcs.push_back(*next);
          if (sealed == Sealed::no) continue;
          std::memcpy(part.piece_tags.emplace_back().data(), &*next + 1, sizeof(Tag));
        }
      }
    }
    return parts;
  });
}

std::string mismatch(const EpochRecord& record, const std::vector<RegisteredField>& fields,
                     const std::vector<RegisteredValue>& values) {
  if (record.fields.size() != fields.size()) {
    return "it has " + std::to_string(record.fields.size()) + " fields and this run has " +
           std::to_string(fields.size());
  }
  for (std::size_t f = 0; f < fields.size(); ++f) {
    const auto& saved = record.fields[f];
    const auto& wanted = fields[f];
    if (saved.name != wanted.name)
      return "its field '" + saved.name + "' is called '" + wanted.name + "' here";
    if (wanted.cut ? !wanted.cut->takes(saved.global) : saved.global != wanted.block.global) {
      return "its field '" + saved.name + "' has shape " + to_string(saved.global) +
             " and this run has " +
             (wanted.cut ? wanted.cut->signature() : to_string(wanted.block.global));
    }
    if (saved.type != wanted.type) {
      return "its field '" + saved.name + "' is of " + std::string(name_of(saved.type)) +
             " and this run has " + std::string(name_of(wanted.type));
    }
  }
  const auto same = [](const ValueRecord& a, const RegisteredValue& b) {
    return a.name == b.name && a.type == b.type && a.bytes.size() == size_of(b.type);
  };
  if (!std::equal(record.values.begin(), record.values.end(), values.begin(), values.end(), same)) {
    return "its small values are not the ones of this run";
  }
  return {};
}

}  // namespace cairn::ckpt
