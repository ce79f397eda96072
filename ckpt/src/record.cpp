#include "record.hpp"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

namespace {

using nlohmann::json;

constexpr std::string_view magic = "cairn-epoch-record ";
constexpr std::string_view version = "1";
constexpr std::string_view sealed_version = "2";  // of encrypted epochs only
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

// --- hexadecimal strings of bytes and of CRCs -----------------------------------------------

constexpr char hex_digits[] = "0123456789abcdef";

std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    text += hex_digits[std::to_integer<unsigned>(byte) >> 4];
    text += hex_digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

template <typename Number>
Number from_hex(std::string_view digits) {
  Number number{};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    damaged("'" + std::string(digits) + "' is not hexadecimal");
  }
  return number;
}

std::vector<std::byte> bytes_from_hex(std::string_view text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(from_hex<unsigned char>(text.substr(i, 2))));
  }
  return bytes;
}

}  // namespace

std::string crcs_to_hex(const std::vector<std::uint32_t>& crcs) {
  std::string text;
  text.reserve(8 * crcs.size());
  for (const auto crc : crcs) {
    char hex[9];
    std::snprintf(hex, sizeof hex, "%08x", crc);
    text += hex;
  }
  return text;
}

std::vector<std::uint32_t> crcs_from_hex(std::string_view text) {
  std::vector<std::uint32_t> crcs;
  for (std::size_t i = 0; i + 7 < text.size(); i += 8) {
    crcs.push_back(from_hex<std::uint32_t>(text.substr(i, 8)));
  }
  return crcs;
}

namespace {

// --- JSON ------------------------------------------------------------------------------------

template <std::size_t Size>
std::string array_to_hex(const std::array<unsigned char, Size>& bytes) {
  return to_hex(std::as_bytes(std::span(bytes)));
}

template <std::size_t Size>
std::array<unsigned char, Size> array_from_hex(std::string_view text) {
  const auto bytes = bytes_from_hex(text);
  std::array<unsigned char, Size> array{};
  if (text.size() != 2 * Size) damaged("a hexadecimal string of a wrong length");
  std::memcpy(array.data(), bytes.data(), Size);
  return array;
}

json part_json(const PartRecord& part) {
  json entry{{"offset", part.box.offset},
             {"count", part.box.count},
             {"crc32c", crcs_to_hex(part.piece_crcs)}};
  if (part.piece_tags.empty()) return entry;
  std::string tags;
  for (const auto& tag : part.piece_tags) tags += array_to_hex(tag);
  entry["tags"] = std::move(tags);
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

json field_json(const FieldRecord& field) {
  json parts = json::array();
  for (const auto& part : field.parts) parts.push_back(part_json(part));
  return {{"name", field.name},
          {"type", name_of(field.type)},
          {"shape", field.global},
          {"offset_bytes", field.offset_bytes},
          {"parts", std::move(parts)}};
}

json record_json(const EpochRecord& record) {
  json values = json::array();
  for (const auto& value : record.values) {
    json entry{{"name", value.name}, {"type", name_of(value.type)}, {"bytes", to_hex(value.bytes)}};
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
  if (part.piece_crcs.size() != piece_count(volume(part.box.count), size_of(field.type))) {
    damaged("field '" + field.name + "' has a part with a wrong number of digests");
  }
}

FieldRecord field_from(const json& entry) {
  FieldRecord field;
  field.name = entry.at("name");
  field.type = scalar_type_named(entry.at("type").get<std::string>());
  field.global = entry.at("shape").get<Shape>();
  field.offset_bytes = entry.at("offset_bytes");
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

EpochRecord record_from(const json& root, bool is_sealed) {
  EpochRecord record;
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
    record.fields.push_back(field_from(each));
    for (const auto& part : record.fields.back().parts) {
      if (part.piece_tags.size() != (is_sealed ? part.piece_crcs.size() : 0)) {
        damaged("a part with a wrong number of tags");
      }
    }
  }
  return record;
}

}  // namespace

std::string record_text(const EpochRecord& record) {
  auto body = record_json(record).dump(1) + "\n";
  if (record.seal) body += std::string(mac_key) + record.cipher->mac(body) + "\n";
  return std::string(magic) + std::string(record.seal ? sealed_version : version) +
         " xxh3-128=" + digest_of(body) + "\n" + body;
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
  const bool is_sealed = given_version == sealed_version;
  if (given_version != version && !is_sealed) {
    if (given_version.empty() ||
        given_version.find_first_not_of("0123456789") != std::string_view::npos) {
      damaged("its first line is malformed");
    }
    throw Error(Errc::usage,
                "it has version " + std::string(given_version) +
                    " of the format, which this program does not know; use a newer program");
  }
  try {
    return record_from(json::parse(is_sealed ? sealed_text(text).body : body), is_sealed);
  } catch (const json::exception& error) {
    damaged(std::string("it is malformed: ") + error.what());
  }
}

}  // namespace cairn::ckpt
