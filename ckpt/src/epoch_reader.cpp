#include <algorithm>

#include "data_file.hpp"
#include "inspect.hpp"
#include "transfer.hpp"

namespace cairn::ckpt {

namespace {

EpochRecord record_of(const EpochStore& store, std::uint64_t epoch, const std::optional<Key>& key) {
  const auto found = store.examine(epoch);
  if (found.code == Errc::no_input) {
    throw Error(Errc::no_input,
                store.directory().string() + " has no epoch " + std::to_string(epoch));
  }
  if (!found.problem.empty()) throw Error(found.code, found.problem);
  auto record = parse_record(found.text);
  if (key) {
    try {
      unlock(record, found.text, &*key);
    } catch (const Error& error) {
      throw Error(error.code(), "epoch " + std::to_string(epoch) + ": " + error.what());
    }
  }
  auto problem = store.data_problem(record);
  if (problem.empty()) problem = coverage_problem(record);
  if (problem.empty()) return record;
  throw Error(Errc::bad_data, "epoch " + std::to_string(epoch) + " is damaged: " + problem);
}

/// Calls visit(chunk) for boxes of consecutive elements that make up `box` in row-major order, at
/// most `limit` elements each.
template <typename Visit>
void for_each_chunk(const Box& box, std::size_t limit, Visit&& visit) {
  if (volume(box.count) == 0) return;
  // Chunks are cut along `axis`: whole below it, one index above it.
  std::size_t axis = box.count.size() - 1;
  std::size_t row = 1;
  while (axis > 0 && row * box.count[axis] <= limit) row *= box.count[axis--];
  const auto length = std::clamp<std::size_t>(limit / row, 1, box.count[axis]);

  Box chunk = box;
  std::fill_n(chunk.count.begin(), axis, 1);
  while (true) {
    for (std::size_t first = 0; first < box.count[axis]; first += length) {
      chunk.offset[axis] = box.offset[axis] + first;
      chunk.count[axis] = std::min(length, box.count[axis] - first);
      visit(chunk);
    }
    auto above = axis;
    while (above > 0 && ++chunk.offset[above - 1] == box.offset[above - 1] + box.count[above - 1]) {
      --above;
      chunk.offset[above] = box.offset[above];
    }
    if (above == 0) return;
  }
}

}  // namespace

struct EpochReader::Implementation {
  Implementation(const std::filesystem::path& directory, std::uint64_t epoch,
                 const std::optional<Key>& key)
      : store(EpochStore::reader(directory)),
        record(record_of(store, epoch, key)),
        info(info_of(record)),
        file(open_data_file(directory / record.data_file)) {}

  EpochStore store;
  EpochRecord record;
  EpochInfo info;
  File file;
};

EpochReader::EpochReader(const std::filesystem::path& directory, std::uint64_t epoch,
                         const std::optional<Key>& key)
    : implementation_(std::make_unique<Implementation>(directory, epoch, key)) {}
EpochReader::EpochReader(EpochReader&&) noexcept = default;
EpochReader::~EpochReader() = default;

const EpochInfo& EpochReader::info() const noexcept { return implementation_->info; }

const std::filesystem::path& EpochReader::directory() const noexcept {
  return implementation_->store.directory();
}

void EpochReader::read(std::size_t field, const Box& box, std::span<std::byte> bytes) const {
  if (implementation_->record.seal && !implementation_->record.cipher) {
    throw Error(Errc::permission, "epoch " + std::to_string(info().epoch) +
                                      " is encrypted with key " + info().key_id +
                                      ", and no key was given");
  }
  const auto& record = implementation_->record.fields.at(field);
  const auto axes = record.global.size();
  expects(box.offset.size() == axes && box.count.size() == axes, "a box with the field's axes");
  for (std::size_t axis = 0; axis < axes; ++axis) {
    expects(box.offset[axis] <= record.global[axis] &&
                box.count[axis] <= record.global[axis] - box.offset[axis],
            "a box inside the field");
  }
  expects(bytes.size() == volume(box.count) * size_of(record.type), "room for the box");
  const Block block{record.global, box.offset, box.count, 0};
  const BlockInMemory target{bytes.data(), size_of(record.type), &block};
  read_block(implementation_->file, record, target);
}

void EpochReader::stream(std::size_t field, const Box& box, const ChunkConsumer& consume,
                         std::size_t chunk_bytes) const {
  const auto element = size_of(info().fields.at(field).type);
  std::vector<std::byte> buffer;
  for_each_chunk(box, chunk_bytes / element, [&](const Box& chunk) {
    buffer.resize(volume(chunk.count) * element);
    read(field, chunk, buffer);
    consume(chunk, buffer);
  });
}

std::vector<Attribute> EpochReader::attributes(std::size_t field) const {
  verify_structure(implementation_->file, implementation_->record);
  return read_attributes(implementation_->file.path(), info().fields.at(field).name);
}

}  // namespace cairn::ckpt
