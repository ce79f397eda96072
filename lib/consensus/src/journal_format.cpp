#include "journal_format.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "canonical_digest.hpp"

namespace cairn::consensus::journal {

namespace {

constexpr std::array<char, 8> magic = {'c', 'a', 'i', 'r', 'n', 'j', 'l', '1'};
constexpr std::uint32_t record_magic = 0x4345524a;  // "JREC"
constexpr std::uint64_t seal_seed = 0x636169726e6a6c31;
constexpr std::size_t record_head_bytes = 24;
constexpr std::size_t final_bytes = 64;

enum class Kind : std::uint32_t { text = 1, final_entry = 2 };

std::size_t padded(std::size_t bytes) noexcept { return (bytes + 7) / 8 * 8; }

template <typename T>
void put(Bytes& to, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    to.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
}

/// Reads numbers one behind the other; zeros behind the end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  template <typename T>
  T get() noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i, ++at_)
      if (at_ < bytes_.size()) value |= std::to_integer<std::uint64_t>(bytes_[at_]) << (8 * i);
    return static_cast<T>(value);
  }
  [[nodiscard]] bool is_at_end() const noexcept { return at_ == bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

std::uint64_t seal(std::span<const std::byte> bytes) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seal_seed);
}

RaftNodes nodes_of(std::uint64_t bits) noexcept {
  RaftNodes nodes;
  for (NodeIndex node = 0; node < 64; ++node)
    if ((bits >> node & 1) != 0) nodes.insert(node);
  return nodes;
}

void put(Bytes& to, const RaftMembership& membership) {
  put(to, membership.voters.bits());
  put(to, membership.leaving.bits());
}

void put(Bytes& to, const RaftEntry& entry) {
  put(to, entry.term);
  put(to, static_cast<std::uint64_t>(entry.kind));
  put(to, entry.membership);
  put(to, entry.command[0]);
  put(to, entry.command[1]);
}

RaftMembership get_membership(Reader& from) noexcept {
  const auto voters = from.get<std::uint64_t>();
  const auto leaving = from.get<std::uint64_t>();
  return {.voters = nodes_of(voters), .leaving = nodes_of(leaving)};
}

RaftEntry get_entry(Reader& from) noexcept {
  RaftEntry entry;
  entry.term = from.get<std::uint64_t>();
  entry.kind = static_cast<RaftEntry::Kind>(from.get<std::uint64_t>());
  entry.membership = get_membership(from);
  entry.command[0] = from.get<std::uint64_t>();
  entry.command[1] = from.get<std::uint64_t>();
  return entry;
}

void append_record(Bytes& to, Kind kind, std::span<const std::byte> payload) {
  Bytes sealed;
  put(sealed, static_cast<std::uint32_t>(kind));
  put(sealed, static_cast<std::uint32_t>(payload.size()));
  sealed.insert(sealed.end(), payload.begin(), payload.end());
  put(to, record_magic);
  put(to, std::uint32_t{0});
  put(to, seal(sealed));
  to.insert(to.end(), sealed.begin(), sealed.end());
  to.resize(padded(to.size()));
}

std::optional<Head> decode_head(std::span<const std::byte> bytes) {
  if (bytes.size() < head_bytes || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
    return {};
  Reader reader(bytes.subspan(8, 56));
  Head head;
  head.node = static_cast<NodeIndex>(reader.get<std::uint32_t>());
  head.nodes = reader.get<std::uint32_t>();
  head.is_copy = reader.get<std::uint64_t>() != 0;
  std::copy_n(bytes.begin() + 24, head.identity.size(), head.identity.begin());
  Reader last(bytes.subspan(56, 8));
  if (last.get<std::uint64_t>() != seal(bytes.first(56))) return {};
  return head;
}

/// Puts the record at the front of `bytes` into `contents`; its length, or 0 when there is none.
std::size_t take_record(std::span<const std::byte> bytes, LogContents& contents) {
  if (bytes.size() < record_head_bytes) return 0;
  Reader reader(bytes);
  if (reader.get<std::uint32_t>() != record_magic) return 0;
  (void)reader.get<std::uint32_t>();
  const auto wanted_seal = reader.get<std::uint64_t>();
  const auto kind = reader.get<std::uint32_t>();
  const std::size_t size = reader.get<std::uint32_t>();
  if (size > bytes.size() - record_head_bytes) return 0;
  if (seal(bytes.subspan(16, 8 + size)) != wanted_seal) return 0;
  const auto payload = bytes.subspan(record_head_bytes, size);
  if (kind == static_cast<std::uint32_t>(Kind::text)) {
    std::string text(reinterpret_cast<const char*>(payload.data()), payload.size());
    contents.texts.emplace(digest_of(text), std::move(text));
  } else if (kind == static_cast<std::uint32_t>(Kind::final_entry) && size == final_bytes) {
    Reader fields(payload);
    Final final_entry;
    final_entry.index = fields.get<std::uint64_t>();
    final_entry.digest = fields.get<std::uint64_t>();
    final_entry.entry = get_entry(fields);
    contents.finals.insert_or_assign(final_entry.index, final_entry);
  }  // others are of later versions
  return std::min(padded(record_head_bytes + size), bytes.size());
}

}  // namespace

TextDigest digest_of(std::string_view text) noexcept {
  const auto hash = XXH3_128bits(text.data(), text.size());
  return {hash.low64, hash.high64};
}

Bytes encode(const Head& head) {
  Bytes bytes(magic.size());
  std::memcpy(bytes.data(), magic.data(), magic.size());
  put(bytes, static_cast<std::uint32_t>(head.node));
  put(bytes, head.nodes);
  put(bytes, std::uint64_t{head.is_copy ? 1U : 0U});
  bytes.insert(bytes.end(), head.identity.begin(), head.identity.end());
  bytes.resize(56);
  put(bytes, seal(bytes));
  return bytes;
}

void append_text(Bytes& to, std::string_view text) {
  append_record(to, Kind::text, std::as_bytes(std::span(text)));
}

void append_final(Bytes& to, const Final& final_entry) {
  Bytes payload;
  put(payload, final_entry.index);
  put(payload, final_entry.digest);
  put(payload, final_entry.entry);
  append_record(to, Kind::final_entry, payload);
}

LogContents parse_log(std::span<const std::byte> file) {
  LogContents contents;
  contents.head = decode_head(file);
  // Records begin at multiples of 8: behind damage the next whole one is found.
  std::size_t at = head_bytes;
  while (at < file.size()) {
    const auto length = take_record(file.subspan(at), contents);
    if (length == 0) contents.damaged_bytes += std::min<std::size_t>(8, file.size() - at);
    at += length == 0 ? 8 : length;
  }
  return contents;
}

Bytes encode(const RaftDurable& durable) {
  Bytes bytes;
  const auto& log = durable.log;
  put(bytes, durable.term);
  put(bytes, static_cast<std::int64_t>(durable.vote.value_or(-1)));
  put(bytes, log.snapshot().index);
  put(bytes, log.snapshot().term);
  put(bytes, log.snapshot().membership);
  put(bytes, log.snapshot().digest);
  put(bytes, static_cast<std::uint64_t>(log.size()));
  for (auto index = log.first(); index <= log.last(); ++index) put(bytes, log.at(index));
  return bytes;
}

std::optional<RaftDurable> decode_durable(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  RaftDurable durable;
  durable.term = reader.get<std::uint64_t>();
  const auto vote = reader.get<std::int64_t>();
  if (vote >= raft_nodes_max) return {};
  if (vote >= 0) durable.vote = static_cast<NodeIndex>(vote);
  RaftSnapshot snapshot;
  snapshot.index = reader.get<std::uint64_t>();
  snapshot.term = reader.get<std::uint64_t>();
  snapshot.membership = get_membership(reader);
  snapshot.digest = reader.get<std::uint64_t>();
  durable.log.restart(snapshot);
  const auto count = reader.get<std::uint64_t>();
  if (count > raft_log_capacity) return {};
  for (std::uint64_t i = 0; i < count; ++i) durable.log.push(get_entry(reader));
  if (!reader.is_at_end()) return {};
  return durable;
}

SlotIdentity slot_identity(const Head& head) {
  return canonical_digest(
      encode({.identity = head.identity, .node = head.node, .nodes = head.nodes}));
}

std::vector<Final> chained(const std::map<std::uint64_t, Final>& finals) {
  std::vector<Final> chain;
  for (const auto& [index, final_entry] : finals) {
    const auto before = chain.empty() ? 0 : chain.back().digest;
    if (index != chain.size() + 1 || raft_digest(before, final_entry.entry) != final_entry.digest)
      break;
    chain.push_back(final_entry);
  }
  return chain;
}

namespace {

/// Why a record does not stand on its texts and final entries, or nothing.
std::string missing_below(const RaftDurable& durable, const LogContents& log) {
  const auto& raft_log = durable.log;
  const auto chain = chained(log.finals);
  const auto base = raft_log.snapshot();
  if (chain.size() < base.index)
    return "final entry " + std::to_string(chain.size() + 1) + " is lost";
  if (base.index > 0 && chain[base.index - 1].digest != base.digest)
    return "its final entries are of another history";
  const auto has_text = [&](const RaftEntry& entry) {
    return entry.kind != RaftEntry::Kind::command || log.texts.contains(entry.command);
  };
  for (const auto& final_entry : chain)
    if (!has_text(final_entry.entry))
      return "the text of entry " + std::to_string(final_entry.index) + " is lost";
  for (auto index = raft_log.first(); index <= raft_log.last(); ++index)
    if (!has_text(raft_log.at(index)))
      return "the text of entry " + std::to_string(index) + " is lost";
  return {};
}

}  // namespace

Recovered judge(LogContents log, const RecoveredSlots& slots) {
  Recovered recovered{.log = std::move(log)};
  if (!recovered.log.head) {
    recovered.why = "its log is missing or has no head";
  } else if (recovered.log.head->is_copy) {
    recovered.why = "it was lost before, and what is there now is a copy";
  } else if (slots.state == RecoveredSlots::State::unreadable) {
    recovered.why = slots.why;
  } else if (slots.state == RecoveredSlots::State::blank) {
    recovered.state = Recovered::State::blank;
  } else {
    const auto durable = decode_durable(slots.payload);
    recovered.why = durable ? missing_below(*durable, recovered.log) : "its record makes no sense";
    if (durable) recovered.durable = *durable;
    if (recovered.why.empty()) recovered.state = Recovered::State::valid;
  }
  return recovered;
}

}  // namespace cairn::consensus::journal
