#include <fcntl.h>

#include <algorithm>
#include <memory>

#include "cairn/core/failpoint.hpp"
#include "crc.hpp"
#include "data_file.hpp"
#include "inspect.hpp"
#include "transfer.hpp"

namespace cairn::ckpt {

namespace {

Failpoint before_sync{"ckpt.rekey.sync"};
Failpoint before_rename{"ckpt.rekey.rename"};
Failpoint before_publish{"ckpt.rekey.publish"};
Failpoint before_removal{"ckpt.rekey.remove"};

/// Copies a data file, its pieces under the keys of `to.cipher`, whose digests and tags it fills.
class Reencryption {
 public:
  Reencryption(const File& source, File& target, const BytesDone& read)
      : source_(source), target_(target), read_(read), buffer_(piece_bytes) {}

  void copy_structure(const EpochRecord& record) {
    target_.resize(record.data_bytes);
    for (const auto& range : record.structure) {
      for (std::uint64_t done = 0; done < range.length_bytes;) {
        const auto bytes = std::span(buffer_).first(
            std::min<std::uint64_t>(buffer_.size(), range.length_bytes - done));
        source_.read_at(bytes, range.offset_bytes + done);
        target_.write_at(bytes, range.offset_bytes + done);
        done += bytes.size();
      }
    }
  }

  void copy_part(const FieldRecord& field, const PartRecord& part, PartRecord& to,
                 const EpochCipher& cipher) {
    PartReader reader(source_, field, part);
    const BoxInArray in_file(field.global, part.box);
    const auto size = size_of(field.type);
    for (std::size_t piece = 0; piece < reader.pieces(); ++piece) {
      const auto range = reader.range(piece);
      const auto bytes = reader.read(piece);
      if (!bytes) {
        throw Error(Errc::bad_data, source_.path().string() + " is damaged in field '" +
                                        field.name + "', near byte " +
                                        std::to_string(reader.offset_bytes(range.first)));
      }
      std::copy(bytes->begin(), bytes->end(), buffer_.begin());
      const auto sealed = std::span(buffer_).first(bytes->size());
      to.piece_tags[piece] =
          cipher.seal(sealed, {.name = field.name,
                               .type = field.type,
                               .box = &part.box,
                               .piece = piece,
                               .offset_bytes = reader.offset_bytes(range.first)});
      to.piece_crcs[piece] = crc32c(sealed);
      in_file.for_each_run(
          range.first, range.last, [&](std::size_t element, std::size_t index, std::size_t length) {
            target_.write_at(sealed.subspan((index - range.first) * size, length * size),
                             field.offset_bytes + element * size);
          });
      done_ += sealed.size();
      if (read_) read_(done_);
    }
  }

  /// Only the bytes of the file change their key: nothing is compressed anew.
  void copy_chunks(const FieldRecord& field, ChunksRecord& to, const EpochCipher& cipher) {
    ChunkReader reader(source_, field);
    to.tags.resize(to.chunks.size());
    for (std::size_t c = 0; c < to.chunks.size(); ++c) {
      const auto offset = to.chunks[c].offset_bytes;
      const auto bytes = reader.read_stored(c);
      if (!bytes) {
        throw Error(Errc::bad_data, source_.path().string() + " is damaged in field '" +
                                        field.name + "', near byte " + std::to_string(offset));
      }
      const auto box = reader.grid().box(c);
      to.tags[c] = cipher.seal(*bytes, {.name = field.name,
                                        .type = field.type,
                                        .box = &box,
                                        .piece = c,
                                        .offset_bytes = offset});
      to.chunks[c].crc = crc32c(*bytes);
      target_.write_at(*bytes, offset);
      done_ += bytes->size();
      if (read_) read_(done_);
    }
  }

 private:
  const File& source_;
  File& target_;
  const BytesDone& read_;
  std::vector<std::byte> buffer_;
  std::uint64_t done_ = 0;
};

/// The epoch in a file of its other name, and a record that says so. The rename of the record is
/// what changes the key; before it the new file is a stray, after it the old one is.
std::uint64_t rewrite(const EpochStore& store, const EpochRecord& old, const Key& key,
                      const BytesDone& read) {
  const auto source = open_data_file(store.directory() / old.data_file);
  verify_structure(source, old);
  auto fresh = old;
  fresh.seal = new_seal(key);
  const auto cipher = std::make_shared<EpochCipher>(key, *fresh.seal, fresh.job, fresh.epoch);
  const auto place = store.other_data_path(old);
  auto temporary = place;
  temporary += ".tmp";
  {
    File target(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, private_file);
    target.reserve(old.data_bytes);
    Reencryption copy(source, target, read);
    copy.copy_structure(old);
    for (std::size_t f = 0; f < old.fields.size(); ++f) {
      if (old.fields[f].chunks) {
        copy.copy_chunks(old.fields[f], *fresh.fields[f].chunks, *cipher);
        continue;
      }
      for (std::size_t p = 0; p < old.fields[f].parts.size(); ++p) {
        auto& part = fresh.fields[f].parts[p];
        part.piece_tags.resize(part.piece_crcs.size());
        copy.copy_part(old.fields[f], old.fields[f].parts[p], part, *cipher);
      }
    }
    before_sync.check("fdatasync " + temporary.string());
    target.sync();
    target.close();
  }
  before_rename.check("rename " + temporary.string());
  rename_file(temporary, place);
  sync_directory(store.directory());
  fresh.data_file = place.filename().string();
  fresh.seal->structure_mac = cipher->structure_mac(source, fresh);
  seal_values(fresh, cipher);
  before_publish.check("replace " + store.record_path(old.epoch).string());
  store.replace_record(fresh);
  before_removal.check("remove " + source.path().string());
  remove_file(source.path());
  sync_directory(store.directory());
  return old.data_bytes;
}

}  // namespace

Rekeyed rekey(const std::filesystem::path& directory, const std::optional<Key>& old_key,
              const Key& new_key, const BytesDone& progress) {
  std::error_code code;
  if (!std::filesystem::exists(directory / "lock", code)) {
    (void)EpochStore::reader(directory).files();  // says what is wrong with the directory
  }
  const EpochStore store(directory, Access{});
  auto all = store.find();
  if (all.empty()) throw Error(Errc::no_input, "no epochs in " + directory.string());
  std::reverse(all.begin(), all.end());
  Rekeyed result;
  std::vector<EpochRecord> records;
  // A wrong key shows before anything is changed.
  for (const auto& found : all) {
    try {
      if (!found.problem.empty()) throw Error(found.code, found.problem);
      auto record = parse_record(found.text);
      if (record.seal && record.seal->key_id == new_key.id()) {
        result.already.push_back(record.epoch);
        continue;
      }
      if (old_key && !record.seal) {
        throw Error(Errc::permission,
                    "it is not encrypted, so anybody could have written it; if it is yours encrypt "
                    "it first: with the old key as the new one, and none as the old one "
                    "(nor in CAIRN_CKPT_KEY)");
      }
      unlock(record, found.text, old_key ? &*old_key : nullptr);
      records.push_back(std::move(record));
    } catch (const Error& error) {
      if (error.code() != Errc::bad_data) {
        throw Error(error.code(), "epoch " + std::to_string(found.epoch) + ": " + error.what());
      }
      result.damaged.emplace_back(found.epoch, error.what());
    }
  }
  store.remove_strays(store.next_epoch());
  Spare(directory).remove();  // of a former key, or of none
  std::uint64_t before = 0;
  for (const auto& record : records) {
    try {
      before += rewrite(store, record, new_key, [&](std::uint64_t done) {
        if (progress) progress(before + done);
      });
      result.rewritten.push_back(record.epoch);
    } catch (const Error& error) {
      if (error.code() != Errc::bad_data && error.code() != Errc::no_input) throw;
      result.damaged.emplace_back(record.epoch, error.what());
    }
  }
  store.remove_strays(store.next_epoch());
  return result;
}

}  // namespace cairn::ckpt
