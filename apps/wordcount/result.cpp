#include "result.hpp"

#include <nlohmann/json.hpp>

namespace wordcount {

namespace {

/// The length of the well-formed character that `bytes` begins with; 0 when there is none.
/// @par Source  The Unicode Standard, version 15.0, table 3-7
std::size_t utf8_length(std::string_view bytes) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  const auto in = [](unsigned value, unsigned low, unsigned high) {
    return low <= value && value <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (in(first, 0xc2, 0xdf)) return in(byte(1), 0x80, 0xbf) ? 2 : 0;
  if (in(first, 0xe0, 0xef)) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;   // no overlong forms
    const unsigned high = first == 0xed ? 0x9f : 0xbf;  // no surrogates
    return in(byte(1), low, high) && in(byte(2), 0x80, 0xbf) ? 3 : 0;
  }
  if (in(first, 0xf0, 0xf4)) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;  // nothing above U+10FFFF
    const bool good = in(byte(1), low, high) && in(byte(2), 0x80, 0xbf) && in(byte(3), 0x80, 0xbf);
    return good ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string escape_bytes(std::string_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) {
      const auto byte = static_cast<unsigned char>(bytes[0]);
      text += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    } else if (bytes[0] == '\\') {
      text += "\\\\";
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

std::string to_json(const Result& result, const cairn::mapreduce::InputList& list) {
  nlohmann::ordered_json top = nlohmann::ordered_json::array();
  for (const TopToken& t : result.top)
    top.push_back({{"token", escape_bytes(t.token)}, {"count", t.count}});
  nlohmann::ordered_json kinds = nlohmann::ordered_json::object();
  for (const auto& [kind, files] : list.skipped) kinds[kind] = files;
  const nlohmann::ordered_json json = {{"program", "cairn-wordcount"},
                                       {"tokens", result.tokens},
                                       {"distinct", result.distinct},
                                       {"bytes", result.text_bytes},
                                       {"files",
                                        {{"plain", list.plain.size()},
                                         {"gz", list.gzip.size()},
                                         {"skipped", list.skipped_files()},
                                         {"skipped_kinds", kinds},
                                         {"symlinks", list.symlinks}}},
                                       {"ranks", result.ranks},
                                       {"threads", result.threads},
                                       {"seconds", result.seconds},
                                       {"digest", result.digest},
                                       {"top", top}};
  return json.dump(2) + "\n";
}

}  // namespace wordcount
