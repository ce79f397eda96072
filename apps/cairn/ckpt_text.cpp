#include "ckpt_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <ctime>
#include <iostream>

#include "cairn/core/error.hpp"

namespace cairn::tool {

namespace fs = std::filesystem;
using Clock = std::chrono::system_clock;

bool read_options(program::Options& options, int argc, const char* const* argv) {
  options.parse(argc, argv);
  if (!options.general().help && !options.general().version) return true;
  std::cout << (options.general().help ? options.help() : options.version_line());
  return false;
}

void expect_arguments(const std::vector<std::string>& arguments, std::size_t least,
                      std::size_t most, std::string_view wanted) {
  if (arguments.size() < least) {
    throw Error(Errc::usage, fmt::format("too few arguments: {} wanted", wanted));
  }
  if (arguments.size() > most) {
    throw Error(Errc::usage,
                fmt::format("unexpected argument '{}': {} wanted", arguments[most], wanted));
  }
}

std::uint64_t epoch_number(const std::string& text) {
  std::uint64_t epoch = 0;
  const auto* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, epoch);
  if (parsed.ec == std::errc{} && parsed.ptr == end) return epoch;
  throw Error(Errc::usage, fmt::format("'{}' is not the number of an epoch", one_line(text)));
}

Place place_of(const std::string& word) {
  std::error_code error;
  const auto colon = word.rfind(':');
  if (colon == std::string::npos || fs::exists(word, error)) return {word, std::nullopt};
  return {word.substr(0, colon), epoch_number(word.substr(colon + 1))};
}

void throw_no_epochs(const fs::path& directory) {
  throw Error(Errc::no_input, "no epochs in " + directory.string());
}

std::uint64_t newest_epoch(const fs::path& directory, std::string_view command) {
  const auto entries = ckpt::epochs_in(directory);
  std::string passed_over;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->verdict == ckpt::Verdict::committed) {
      if (!passed_over.empty()) {
        fmt::print(stderr, "cairn ckpt {}: warning: taking epoch {}: {}\n", command, entry->epoch,
                   passed_over);
      }
      return entry->epoch;
    }
    if (entry->verdict == ckpt::Verdict::unreadable) throw Error(entry->code, entry->why);
    if (entry->verdict != ckpt::Verdict::damaged) continue;
    passed_over += fmt::format("{}epoch {} is damaged: {}", passed_over.empty() ? "" : "; ",
                               entry->epoch, one_line(entry->why));
  }
  if (passed_over.empty()) throw_no_epochs(directory);
  throw Error(Errc::bad_data, "no good epoch in " + directory.string() + ": " + passed_over);
}

void add_key_file(program::Options& options, std::filesystem::path& key_file) {
  options.add("key-file", key_file,
              "the key of encrypted epochs: 32 bytes or 64 hexadecimal digits, mode 600; without "
              "it CAIRN_CKPT_KEY counts, if it is set");
  options.hide_default("key-file");
}

void expect_unlocked(const ckpt::EpochReader& epoch, const std::optional<ckpt::Key>& key) {
  if (key || epoch.info().key_id.empty()) return;
  throw Error(Errc::permission,
              fmt::format("epoch {} in {} is encrypted with key {}; give it by --key-file",
                          epoch.info().epoch, epoch.directory().string(), epoch.info().key_id));
}

ckpt::EpochReader open_epoch(const Place& place, std::string_view command,
                             const std::optional<ckpt::Key>& key) {
  if (place.epoch) {
    (void)ckpt::epochs_in(place.directory);  // says whether it is the directory that is not there
    return {place.directory, *place.epoch, key};
  }
  return {place.directory, newest_epoch(place.directory, command), key};
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  for (const char* unit : {"KiB", "MiB", "GiB", "TiB"}) {
    value /= 1024;
    if (value < 1023.95) return fmt::format("{:.1f} {}", value, unit);
  }
  return fmt::format("{:.1f} PiB", value / 1024);
}

std::string shape_text(const ckpt::Shape& shape) {
  return fmt::format("{}", fmt::join(shape, "×"));
}

std::string region_text(const ckpt::Box& box) {
  std::string text;
  for (std::size_t axis = 0; axis < box.count.size(); ++axis) {
    const auto first = box.offset[axis];
    text += axis == 0 ? "[" : ", ";
    text += box.count[axis] == 1 ? fmt::format("{}", first)
                                 : fmt::format("{}:{}", first, first + box.count[axis]);
  }
  return text + "]";
}

std::string index_text(const ckpt::Shape& index) {
  return fmt::format("[{}]", fmt::join(index, ", "));
}

std::string local_time_text(Clock::time_point t) {
  const auto seconds = Clock::to_time_t(t);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

std::string utc_text(Clock::time_point t) {
  const auto seconds = Clock::to_time_t(t);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string age_text(Clock::time_point t) {
  const auto seconds = std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - t).count());
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86400);
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return out;
}

void print_json(const Json& document) {
  // Names of files may hold any bytes.
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace cairn::tool
