#include <algorithm>

#include "crc.hpp"
#include "data_file.hpp"
#include "inspect.hpp"
#include "transfer.hpp"

namespace cairn::ckpt {

namespace {

/// [first, last) of the data file.
struct Extent {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

/// The bytes of a field; nothing when they are more than there are numbers.
std::optional<std::uint64_t> size_bytes_of(const FieldRecord& field) {
  std::uint64_t bytes = size_of(field.type);
  for (const auto extent : field.global) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

std::string range_text(std::uint64_t first, std::uint64_t last) {
  return "bytes " + std::to_string(first) + " to " + std::to_string(last - 1);
}

class DataVerifier {
 public:
  DataVerifier(const File& file, const EpochRecord& record, const BytesDone& progress,
               Verification& result)
      : file_(file), record_(record), progress_(progress), result_(result) {}

  void check_structure() {
    for (const auto& range : record_.structure) {
      const auto problem = problem_of(
          [&] { return crc32c_of(file_, range.offset_bytes, range.length_bytes) == range.crc; });
      if (!problem.empty()) {
        result_.bad.push_back({record_.data_file,
                               range.offset_bytes,
                               range.length_bytes,
                               range.length_bytes,
                               {},
                               {},
                               problem});
      }
      add_progress(range.length_bytes);
    }
    check_structure_mac();
  }

  void check_part(const FieldRecord& field, const PartRecord& part) {
    PartReader reader(file_, field, part);
    std::optional<PieceRange> bad;
    std::string reason;
    const auto report = [&] {
      if (!bad) return;
      const auto element = size_of(field.type);
      const auto begin = reader.offset_bytes(bad->first);
      const auto end = reader.offset_bytes(bad->last - 1) + element;
      result_.bad.push_back({record_.data_file, begin, end - begin,
                             (bad->last - bad->first) * element, field.name,
                             bounding_box(part.box, bad->first, bad->last), reason});
      bad.reset();
    };
    for (std::size_t piece = 0; piece < reader.pieces(); ++piece) {
      const auto range = reader.range(piece);
      const auto problem = problem_of([&] { return reader.read(piece).has_value(); });
      add_progress((range.last - range.first) * size_of(field.type));
      if (problem != reason) report();
      reason = problem;
      if (problem.empty()) continue;
      bad = PieceRange{bad ? bad->first : range.first, range.last};
    }
    report();
  }

  /// Chunks are as far as they can be read: without the key of an encrypted epoch up to the digest.
  void check_chunks(const FieldRecord& field) {
    ChunkReader reader(file_, field);
    const bool is_locked = record_.seal && !record_.cipher;
    for (std::size_t c = 0; c < reader.grid().chunks(); ++c) {
      const auto& chunk = field.chunks->chunks[c];
      bool is_packed_well = true;
      auto problem = problem_of([&] {
        const auto stored = reader.read_stored(c);
        is_packed_well = !stored || is_locked || reader.unpack(*stored).has_value();
        return stored.has_value();
      });
      if (!is_packed_well) problem = "it cannot be unpacked, though its digest fits";
      add_progress(chunk.length_bytes);
      if (problem.empty()) continue;
      result_.bad.push_back({record_.data_file, chunk.offset_bytes, chunk.length_bytes,
                             chunk.length_bytes, field.name, reader.grid().box(c), problem});
    }
  }

 private:
  /// Of an unlocked epoch whose digests fit.
  void check_structure_mac() {
    if (!record_.cipher || !result_.bad.empty()) return;
    if (record_.cipher->structure_mac(file_, record_) == record_.seal->structure_mac) return;
    result_.bad.push_back({record_.data_file,
                           0,
                           record_.data_bytes,
                           record_.data_bytes,
                           {},
                           {},
                           "its HDF5 structure has been tampered with"});
  }

  /// What is wrong with bytes that `is_good` reads; empty for nothing.
  template <typename IsGood>
  std::string problem_of(IsGood&& is_good) {
    try {
      return is_good() ? "" : "the digest does not fit";
    } catch (const Error& error) {
      return error.code() == Errc::bad_data ? "the file ends before" : error.what();
    }
  }

  void add_progress(std::uint64_t bytes) {
    result_.bytes_read += bytes;
    if (progress_) progress_(result_.bytes_read);
  }

  const File& file_;
  const EpochRecord& record_;
  const BytesDone& progress_;
  Verification& result_;
};

void check_size(const File& file, const EpochRecord& record, Verification& result) {
  const auto size = file.size_bytes();
  if (size == record.data_bytes) return;
  const auto [first, last] = std::minmax(size, record.data_bytes);
  result.bad.push_back({record.data_file,
                        first,
                        last - first,
                        last - first,
                        {},
                        {},
                        "the file has " + std::to_string(size) + " bytes instead of " +
                            std::to_string(record.data_bytes)});
}

}  // namespace

std::string coverage_problem(const EpochRecord& record) {
  std::vector<Extent> extents;
  for (const auto& range : record.structure) {
    if (range.offset_bytes > record.data_bytes ||
        range.length_bytes > record.data_bytes - range.offset_bytes) {
      return "the record has a range of structure outside the data file";
    }
    extents.push_back({range.offset_bytes, range.offset_bytes + range.length_bytes});
  }
  for (const auto& field : record.fields) {
    const auto bytes = size_bytes_of(field);
    if (bytes == std::uint64_t{0}) continue;
    if (bytes && field.chunks) {
      for (const auto& chunk : field.chunks->chunks) {
        if (chunk.offset_bytes > record.data_bytes ||
            chunk.length_bytes > record.data_bytes - chunk.offset_bytes) {
          return "the record has a chunk of field '" + field.name + "' outside the data file";
        }
        extents.push_back({chunk.offset_bytes, chunk.offset_bytes + chunk.length_bytes});
      }
      continue;
    }
    if (field.global.empty() || !bytes || field.offset_bytes > record.data_bytes ||
        *bytes > record.data_bytes - field.offset_bytes) {
      return "the record has field '" + field.name + "' outside the data file";
    }
    extents.push_back({field.offset_bytes, field.offset_bytes + *bytes});
  }
  extents.push_back({record.data_bytes, record.data_bytes});
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.first < b.first; });
  std::uint64_t covered = 0;
  for (const auto& [first, last] : extents) {
    if (first > covered) return "the record has no digest of " + range_text(covered, first);
    if (first < covered) return "the record has two digests of " + range_text(first, covered);
    covered = last;
  }
  return {};
}

void verify_data(const EpochStore& store, const EpochRecord& record, const BytesDone& progress,
                 Verification& result) {
  const auto whole = [&](const std::string& file, std::uint64_t bytes, const std::string& reason) {
    result.bad.push_back({file, 0, bytes, bytes, {}, {}, reason});
  };
  const auto path = store.directory() / record.data_file;
  if (const auto problem = coverage_problem(record); !problem.empty()) {
    std::error_code error;
    const auto record_path = store.record_path(record.epoch);
    return whole(record_path.filename().string(), std::filesystem::file_size(record_path, error),
                 problem);
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return whole(record.data_file, record.data_bytes,
                 std::filesystem::exists(path, error) ? "it is not a file" : "it does not exist");
  }
  const auto file = open_data_file(path);
  check_size(file, record, result);
  DataVerifier verifier(file, record, progress, result);
  verifier.check_structure();
  for (const auto& field : record.fields) {
    if (field.chunks) {
      verifier.check_chunks(field);
      continue;
    }
    for (const auto& part : field.parts) verifier.check_part(field, part);
  }
}

Verification verify(const std::filesystem::path& directory, std::uint64_t epoch,
                    const BytesDone& progress, const std::optional<Key>& key) {
  const auto store = EpochStore::reader(directory);
  auto found = store.examine(epoch);
  if (found.code == Errc::usage || found.code == Errc::permission) {
    throw Error(found.code, found.problem);
  }
  if (found.code == Errc::no_input) {
    throw Error(Errc::no_input, directory.string() + " has no epoch " + std::to_string(epoch));
  }
  Verification result;
  const auto path = store.record_path(epoch);
  if (found.problem.empty()) {
    auto record = parse_record(found.text);
    try {
      if (key) unlock(record, found.text, &*key);
      verify_data(store, record, progress, result);
      return result;
    } catch (const Error& error) {
      if (error.code() != Errc::bad_data) {
        throw Error(error.code(), "epoch " + std::to_string(epoch) + ": " + error.what());
      }
      found.problem = path.string() + ": " + error.what();
    }
  }
  std::error_code error;
  const auto size =
      std::filesystem::is_regular_file(path, error) ? std::filesystem::file_size(path, error) : 0;
  // The digest covers the record as a whole, so nothing tells which byte of it is wrong.
  result.bad.push_back({path.filename().string(),
                        0,
                        size,
                        size,
                        {},
                        {},
                        found.problem.substr(path.string().size() + 2)});
  return result;
}

}  // namespace cairn::ckpt
