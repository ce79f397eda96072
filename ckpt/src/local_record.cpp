#include "local_record.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "cairn/core/error.hpp"
#include "hex.hpp"

namespace cairn::ckpt {

namespace {

using nlohmann::json;

constexpr std::string_view magic = "cairn-local-record ";
constexpr std::string_view version = "1";

[[noreturn]] void damaged(const std::string& what) { throw Error(Errc::bad_data, what); }

json file_json(const FileDigest& file) {
  return {{"bytes", file.bytes}, {"crc32c", crcs_to_hex(file.piece_crcs)}};
}

FileDigest file_from(const json& entry) {
  FileDigest file{entry.at("bytes"), crcs_from_hex(entry.at("crc32c").get<std::string>())};
  if (file.piece_crcs.size() != piece_count(file.bytes, 1))
    damaged("a file has a wrong number of digests");
  return file;
}

json tier_json(const LocalRecord& record) {
  json parts = json::array();
  for (const auto& part : record.parts) {
    parts.push_back({{"host", part.host},
                     {"file", file_json(part.file)},
                     {"offsets_bytes", part.offsets_bytes}});
  }
  json sets = json::array();
  for (const auto& set : record.sets) {
    json members = json::array();
    for (const auto& member : set.members) {
      members.push_back({{"rank", member.rank},
                         {"has_part", member.has_part},
                         {"parity", file_json(member.parity)}});
    }
    sets.push_back({{"losses", set.losses}, {"members", std::move(members)}});
  }
  return {{"hosts", record.hosts}, {"parts", std::move(parts)}, {"sets", std::move(sets)}};
}

void check_set(const LocalSet& set, std::size_t ranks) {
  if (set.losses < 1 || set.losses >= static_cast<int>(set.members.size()) ||
      set.members.size() > 255)
    damaged("a redundancy set covers an impossible number of losses");
  for (const auto& member : set.members)
    if (member.rank < 0 || static_cast<std::size_t>(member.rank) >= ranks)
      damaged("a redundancy set has a rank that is none");
}

void read_tier(const json& root, LocalRecord& record) {
  record.hosts = root.at("hosts").get<std::vector<std::string>>();
  for (const auto& each : root.at("parts")) {
    record.parts.push_back({each.at("host"), file_from(each.at("file")),
                            each.at("offsets_bytes").get<std::vector<std::uint64_t>>()});
    const auto& part = record.parts.back();
    if (part.host < 0 || static_cast<std::size_t>(part.host) >= record.hosts.size())
      damaged("a part lies on a host that is none");
    if (part.offsets_bytes.size() != record.epoch.fields.size())
      damaged("a part has a wrong number of datasets");
  }
  if (record.parts.size() != static_cast<std::size_t>(record.epoch.ranks))
    damaged("it has a wrong number of parts");
  for (const auto& field : record.epoch.fields)
    if (field.parts.size() != record.parts.size())
      damaged("field '" + field.name + "' has a wrong number of parts");
  for (const auto& each : root.at("sets")) {
    LocalSet set{each.at("losses"), {}};
    for (const auto& member : each.at("members")) {
      set.members.push_back(
          {member.at("rank"), member.at("has_part"), file_from(member.at("parity"))});
    }
    check_set(set, record.parts.size());
    record.sets.push_back(std::move(set));
  }
}

}  // namespace

std::string local_record_text(const LocalRecord& record) {
  const auto tier = tier_json(record).dump(1) + "\n";
  const auto body = std::to_string(tier.size()) + "\n" + tier + record_text(record.epoch);
  return std::string(magic) + std::string(version) + " xxh3-128=" + digest_of(body) + "\n" + body;
}

LocalRecord parse_local_record(std::string_view text) {
  if (!text.starts_with(magic)) damaged("it is not a local record");
  const auto line_end = text.find('\n');
  if (line_end == std::string_view::npos) damaged("it is truncated");
  const auto head = text.substr(magic.size(), line_end - magic.size());
  auto body = text.substr(line_end + 1);
  const auto expected = " xxh3-128=" + digest_of(body);
  if (!head.ends_with(expected)) damaged("its digest does not fit its contents");
  if (const auto given = head.substr(0, head.size() - expected.size()); given != version) {
    throw Error(Errc::usage,
                "it has version " + std::string(given) +
                    " of the format, which this program does not know; use a newer program");
  }
  std::size_t tier_bytes = 0;
  const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), tier_bytes);
  body.remove_prefix(static_cast<std::size_t>(end - body.data()));
  if (error != std::errc{} || !body.starts_with('\n') || tier_bytes >= body.size())
    damaged("it is malformed");
  body.remove_prefix(1);
  LocalRecord record;
  record.epoch = parse_record(body.substr(tier_bytes));
  try {
    read_tier(json::parse(body.substr(0, tier_bytes)), record);
  } catch (const json::exception& exception) {
    damaged(std::string("it is malformed: ") + exception.what());
  }
  return record;
}

}  // namespace cairn::ckpt
