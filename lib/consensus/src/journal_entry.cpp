#include "cairn/consensus/journal_entry.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "cairn/core/error.hpp"
#include "canonical_digest.hpp"

namespace cairn::consensus {

namespace {

using nlohmann::json;

constexpr std::array kinds = {
    std::pair{JournalEntry::Kind::launch, "launch"},
    std::pair{JournalEntry::Kind::restart, "restart"},
    std::pair{JournalEntry::Kind::epoch, "epoch"},
    std::pair{JournalEntry::Kind::ranks, "ranks"},
    std::pair{JournalEntry::Kind::fault, "fault"},
    std::pair{JournalEntry::Kind::operation, "operation"},
    std::pair{JournalEntry::Kind::ending, "ending"},
};

std::string dump(const JournalEntry& entry, std::string_view mark, const std::string& text) {
  json object = {{"kind", name_of(entry.kind)}, {"seconds", entry.seconds}, {"mark", mark}};
  if (entry.node >= 0) object["node"] = entry.node;
  if (entry.incarnation != 0) object["incarnation"] = entry.incarnation;
  if (entry.epoch != 0) object["epoch"] = entry.epoch;
  if (entry.ranks != 0) object["ranks"] = entry.ranks;
  if (!text.empty()) object["text"] = text;
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <typename T>
void read(const json& object, const char* key, T& value) {
  const auto item = object.find(key);
  if (item != object.end() && item->is_number_integer()) value = item->get<T>();
}

}  // namespace

JournalIdentity journal_identity(std::string_view name) {
  return canonical_digest(std::as_bytes(std::span(name)));
}

const char* name_of(JournalEntry::Kind kind) noexcept {
  for (const auto& [value, name] : kinds)
    if (value == kind) return name;
  return "unknown";
}

std::string encode_entry(const JournalEntry& entry, std::string_view mark) {
  auto text = entry.text;
  for (;;) {
    auto line = dump(entry, mark, text);
    if (line.size() <= journal_text_max) return line;
    expects(!text.empty(), "encode_entry: a mark that leaves room for an entry");
    // Escapes make it longer by an unknown factor; a character cut in half is replaced.
    text.resize(text.size() - std::min(text.size(), 1 + text.size() / 8));
  }
}

JournalEntry decode_entry(std::string_view text) {
  JournalEntry entry;
  const auto object = json::parse(text.begin(), text.end(), nullptr, false);
  if (!object.is_object()) {
    entry.text = text;
    return entry;
  }
  const auto kind = object.find("kind");
  for (const auto& [value, name] : kinds)
    if (kind != object.end() && *kind == name) entry.kind = value;
  read(object, "incarnation", entry.incarnation);
  read(object, "epoch", entry.epoch);
  read(object, "ranks", entry.ranks);
  read(object, "seconds", entry.seconds);
  read(object, "node", entry.node);
  const auto words = object.find("text");
  if (words != object.end() && words->is_string()) entry.text = words->get<std::string>();
  return entry;
}

}  // namespace cairn::consensus
