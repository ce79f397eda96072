#include "record.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cairn/core/error.hpp"
#include "chunks.hpp"
#include "hex.hpp"

namespace cairn::ckpt {

namespace {

using nlohmann::json;

constexpr std::string_view magic = "cairn-epoch-record ";
/// The version says what a reader has to know: 1 for nothing, 2 for encryption, 3 for compression,
/// 4 for both.
struct Features {
  bool is_sealed = false;
  bool is_compressed = false;
};
constexpr std::string_view last_version = "4";

constexpr std::string_view mac_key = "blake2b-256=";
constexpr std::size_t mac_digits = 64;

[[noreturn]] void damaged(const std::string& what) { throw Error(Errc::bad_data, what); }

}  // namespace

std::string digest_of(std::string_view text) {
  const auto digest = XXH3_128bits(text.data(), text.size());
  char hex[33];
  std::snprintf(hex, sizeof hex, "%016llx%016llx", static_cast<unsigned long long>(digest.high64),
                static_cast<unsigned long long>(digest.low64));
  return hex;
}

namespace {

std::string tags_to_hex(const std::vector<Tag>& tags) {
  std::string text;
  for (const auto& tag : tags) text += array_to_hex(tag);
  return text;
}

json part_json(const PartRecord& part) {
  json entry{{"offset", part.box.offset},
             {"count", part.box.count},
             {"crc32c", crcs_to_hex(part.piece_crcs)}};
  if (part.piece_tags.empty()) return entry;
  entry["tags"] = tags_to_hex(part.piece_tags);
  return entry;
}

std::vector<Tag> tags_from(const json& entry) {
  std::vector<Tag> tags;
  const auto text = entry.value("tags", "");
  constexpr auto digits = 2 * sizeof(Tag);
  for (std::size_t i = 0; i + digits <= text.size(); i += digits) {
    tags.push_back(array_from_hex<sizeof(Tag)>(std::string_view(text).substr(i, digits)));
  }
  return tags;
}

json seal_json(const SealRecord& seal) {
  return {{"cipher", "xchacha20-poly1305-ietf"},
          {"key_id", seal.key_id},
          {"salt", array_to_hex(seal.salt)},
          {"nonce", array_to_hex(seal.nonce)},
          {"structure_mac", seal.structure_mac}};
}

SealRecord seal_from(const json& entry) {
  if (entry.at("cipher") != "xchacha20-poly1305-ietf") damaged("it has a cipher of another name");
  return {entry.at("key_id"), array_from_hex<32>(entry.at("salt").get<std::string>()),
          array_from_hex<24>(entry.at("nonce").get<std::string>()), entry.at("structure_mac")};
}

/// Numbers as hexadecimal digits one behind the other: there may be many chunks.
template <typename Number>
std::string numbers_to_hex(const std::vector<ChunkRecord>& chunks, Number ChunkRecord::*member) {
  std::string text;
  text.reserve(2 * sizeof(Number) * chunks.size());
  for (const auto& chunk : chunks) {
    for (auto shift = 8 * sizeof(Number); shift > 0;)
      text += hex_digits[static_cast<std::uint64_t>(chunk.*member) >> (shift -= 4) & 15];
  }
  return text;
}

template <typename Number>
void numbers_from_hex(std::string_view text, std::vector<ChunkRecord>& chunks,
                      Number ChunkRecord::*member) {
  constexpr auto digits = 2 * sizeof(Number);
  if (text.size() != digits * chunks.size()) damaged("a list of chunks of a wrong length");
  for (std::size_t i = 0; i < chunks.size(); ++i)
    chunks[i].*member = from_hex<Number>(text.substr(digits * i, digits));
}

json chunks_json(const ChunksRecord& chunks) {
  json entry{{"codec", name_of(chunks.compression)},
             {"chunk", chunks.chunk},
             {"offset_bytes", numbers_to_hex(chunks.chunks, &ChunkRecord::offset_bytes)},
             {"length_bytes", numbers_to_hex(chunks.chunks, &ChunkRecord::length_bytes)},
             {"crc32c", numbers_to_hex(chunks.chunks, &ChunkRecord::crc)}};
  if (!chunks.tags.empty()) entry["tags"] = tags_to_hex(chunks.tags);
  return entry;
}

json field_json(const FieldRecord& field) {
  json parts = json::array();
  for (const auto& part : field.parts) parts.push_back(part_json(part));
  json entry{{"name", field.name},
             {"type", name_of(field.type)},
             {"shape", field.global},
             {"offset_bytes", field.offset_bytes},
             {"parts", std::move(parts)}};
  if (field.chunks) entry["compression"] = chunks_json(*field.chunks);
  return entry;
}

json record_json(const EpochRecord& record) {
  json values = json::array();
  for (const auto& value : record.values) {
    json entry{{"name", value.name}, {"type", name_of(value.type)}, {"bytes", hex_of(value.bytes)}};
    if (record.seal) entry["tag"] = array_to_hex(value.tag);
    values.push_back(std::move(entry));
  }
  json structure = json::array();
  for (const auto& range : record.structure) {
    structure.push_back({{"offset_bytes", range.offset_bytes},
                         {"length_bytes", range.length_bytes},
                         {"crc32c", crcs_to_hex({range.crc})}});
  }
  json fields = json::array();
  for (const auto& field : record.fields) fields.push_back(field_json(field));
  json root{{"job", record.job},
            {"program", record.program},
            {"identity", record.identity},
            {"epoch", record.epoch},
            {"step", record.step},
            {"launch", record.launch},
            {"ranks", record.ranks},
            {"parent", record.parent ? json(*record.parent) : json()},
            {"data_file", record.data_file},
            {"data_bytes", record.data_bytes},
            {"piece_bytes", piece_bytes},
            {"structure", std::move(structure)},
            {"values", std::move(values)},
            {"fields", std::move(fields)}};
  if (record.incarnation != 0) root["incarnation"] = record.incarnation;
  if (record.seal) root["encryption"] = seal_json(*record.seal);
  return root;
}

void check_part(const FieldRecord& field, const PartRecord& part) {
  const auto axes = field.global.size();
  bool sound = part.box.offset.size() == axes && part.box.count.size() == axes;
  for (std::size_t axis = 0; sound && axis < axes; ++axis) {
    sound = part.box.offset[axis] <= field.global[axis] &&
            part.box.count[axis] <= field.global[axis] - part.box.offset[axis];
  }
  if (!sound) damaged("field '" + field.name + "' has a part outside its shape");
  const auto pieces = field.chunks ? 0 : piece_count(volume(part.box.count), size_of(field.type));
  if (part.piece_crcs.size() != pieces) {
    damaged("field '" + field.name + "' has a part with a wrong number of digests");
  }
}

Compression codec_named(const std::string& name) {
  for (const auto each :
       {Compression::shuffle_zstd, Compression::shuffle_lz4, Compression::shuffle_deflate}) {
    if (name == name_of(each)) return each;
  }
  damaged("it has a codec of another name");
}

/// The bytes of a chunk's elements. A reader takes so much memory, so it has a limit.
std::uint64_t raw_bytes_of(const FieldRecord& field, const Shape& chunk) {
  std::uint64_t bytes = size_of(field.type);
  for (const auto extent : chunk) {
    if (__builtin_mul_overflow(bytes, extent, &bytes) || bytes > piece_bytes)
      damaged("field '" + field.name + "' has chunks of more than 1 MiB");
  }
  return bytes;
}

ChunksRecord chunks_from(const FieldRecord& field, const json& entry) {
  ChunksRecord chunks;
  chunks.compression = codec_named(entry.at("codec"));
  chunks.chunk = entry.at("chunk").get<Shape>();
  if (volume(field.global) == 0 || !ChunkGrid::is_valid(field.global, chunks.chunk))
    damaged("field '" + field.name + "' has chunks of a wrong shape");
  const auto raw_bytes = raw_bytes_of(field, chunks.chunk);
  const auto offsets = entry.at("offset_bytes").get<std::string>();
  const auto number = ChunkGrid(field.global, chunks.chunk).chunks();
  if (offsets.size() / 16 != number)
    damaged("field '" + field.name + "' has a wrong number of chunks");
  chunks.chunks.resize(number);
  numbers_from_hex(offsets, chunks.chunks, &ChunkRecord::offset_bytes);
  numbers_from_hex(entry.at("length_bytes").get<std::string>(), chunks.chunks,
                   &ChunkRecord::length_bytes);
  numbers_from_hex(entry.at("crc32c").get<std::string>(), chunks.chunks, &ChunkRecord::crc);
  for (const auto& chunk : chunks.chunks) {
    if (chunk.length_bytes < 1 || chunk.length_bytes > raw_bytes)
      damaged("field '" + field.name + "' has a chunk of a wrong length");
  }
  chunks.tags = tags_from(entry);
  return chunks;
}

FieldRecord field_from(const json& entry, Features features) {
  FieldRecord field;
  field.name = entry.at("name");
  field.type = scalar_type_named(entry.at("type").get<std::string>());
  field.global = entry.at("shape").get<Shape>();
  field.offset_bytes = entry.at("offset_bytes");
  if (features.is_compressed && entry.contains("compression"))
    field.chunks = chunks_from(field, entry.at("compression"));
  for (const auto& each : entry.at("parts")) {
    field.parts.push_back({{each.at("offset").get<Shape>(), each.at("count").get<Shape>()},
                           crcs_from_hex(each.at("crc32c").get<std::string>()),
                           tags_from(each)});
    check_part(field, field.parts.back());
  }
  std::size_t covered = 0;
  for (const auto& part : field.parts) covered += volume(part.box.count);
  if (covered != volume(field.global))
    damaged("the parts of field '" + field.name + "' do not cover it");
  return field;
}

/// Whether there is a tag for each digest, and none in a plain epoch.
bool has_right_tags(const FieldRecord& field, bool is_sealed) {
  const auto is_right = [is_sealed](std::size_t tags, std::size_t digests) {
    return tags == (is_sealed ? digests : 0);
  };
  return std::all_of(field.parts.begin(), field.parts.end(),
                     [&](const PartRecord& part) {
                       return is_right(part.piece_tags.size(), part.piece_crcs.size());
                     }) &&
         (!field.chunks || is_right(field.chunks->tags.size(), field.chunks->chunks.size()));
}

EpochRecord record_from(const json& root, Features features) {
  EpochRecord record;
  const auto is_sealed = features.is_sealed;
  if (is_sealed) record.seal = seal_from(root.at("encryption"));
  record.job = root.at("job");
  record.program = root.at("program");
  record.identity = root.at("identity");
  record.epoch = root.at("epoch");
  record.step = root.at("step");
  record.incarnation = root.value("incarnation", std::uint64_t{0});
  record.launch = root.at("launch");
  record.ranks = root.at("ranks");
  if (!root.at("parent").is_null()) record.parent = root.at("parent").get<std::uint64_t>();
  record.data_file = root.at("data_file");
  if (record.data_file.find('/') != std::string::npos)
    damaged("its data file lies in another directory");
  record.data_bytes = root.at("data_bytes");
  if (root.at("piece_bytes") != piece_bytes) damaged("it has pieces of another size");
  for (const auto& each : root.at("structure")) {
    record.structure.push_back({each.at("offset_bytes"), each.at("length_bytes"),
                                from_hex<std::uint32_t>(each.at("crc32c").get<std::string>())});
  }
  for (const auto& each : root.at("values")) {
    record.values.push_back({each.at("name"), scalar_type_named(each.at("type").get<std::string>()),
                             bytes_from_hex(each.at("bytes").get<std::string>())});
    if (is_sealed) {
      record.values.back().tag = array_from_hex<sizeof(Tag)>(each.at("tag").get<std::string>());
    }
  }
  for (const auto& each : root.at("fields")) {
    record.fields.push_back(field_from(each, features));
    if (!has_right_tags(record.fields.back(), is_sealed))
      damaged("a part with a wrong number of tags");
  }
  return record;
}

}  // namespace

namespace {

int version_of(const EpochRecord& record) {
  const bool is_compressed = std::any_of(record.fields.begin(), record.fields.end(),
                                         [](const FieldRecord& field) { return !!field.chunks; });
  return 1 + (record.seal ? 1 : 0) + (is_compressed ? 2 : 0);
}

/// @throws Error{usage} for versions that do not exist yet
Features features_of(std::string_view given) {
  if (given.empty() || given.find_first_not_of("0123456789") != std::string_view::npos)
    damaged("its first line is malformed");
  if (given.size() == 1 && given >= "1" && given <= last_version) {
    const auto bits = given.front() - '1';
    return {(bits & 1) != 0, (bits & 2) != 0};
  }
  throw Error(Errc::usage,
              "it has version " + std::string(given) +
                  " of the format, which this program does not know; use a newer program");
}

}  // namespace

std::string record_text(const EpochRecord& record) {
  auto body = record_json(record).dump(1) + "\n";
  if (record.seal) body += std::string(mac_key) + record.cipher->mac(body) + "\n";
  return std::string(magic) + std::to_string(version_of(record)) + " xxh3-128=" + digest_of(body) +
         "\n" + body;
}

SealedText sealed_text(std::string_view text) {
  const auto rest = text.substr(std::min(text.find('\n'), text.size() - 1) + 1);
  constexpr auto length = mac_key.size() + mac_digits + 1;
  if (rest.size() < length) damaged("it is truncated");
  const auto body = rest.substr(0, rest.size() - length);
  const auto line = rest.substr(body.size());
  if (!body.ends_with('\n') || !line.starts_with(mac_key) || line.back() != '\n') {
    damaged("its last line is malformed");
  }
  return {body, line.substr(mac_key.size(), mac_digits)};
}

EpochRecord parse_record(std::string_view text) {
  if (!text.starts_with(magic)) damaged("it is not an epoch record");
  const auto line_end = text.find('\n');
  if (line_end == std::string_view::npos) damaged("it is truncated");
  const auto head = text.substr(magic.size(), line_end - magic.size());  // "1 xxh3-128=…"
  const auto body = text.substr(line_end + 1);
  const auto expected = " xxh3-128=" + digest_of(body);
  if (!head.ends_with(expected)) damaged("its digest does not fit its contents");
  const auto given_version = head.substr(0, head.size() - expected.size());
  const auto features = features_of(given_version);
  try {
    auto record =
        record_from(json::parse(features.is_sealed ? sealed_text(text).body : body), features);
    // The digest does not cover the version.
    if (version_of(record) != given_version.front() - '0')
      damaged("its version is not that of its contents");
    return record;
  } catch (const json::exception& error) {
    damaged(std::string("it is malformed: ") + error.what());
  }
}

}  // namespace cairn::ckpt
