#include "fence_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "cairn/consensus/fence.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "cairn/core/private_files.hpp"

namespace cairn::consensus {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "inc.";
constexpr std::string_view beat_suffix = ".beat";
constexpr std::string_view temporary_suffix = ".tmp";

/// The K of `inc.K` and nothing else.
std::optional<std::uint64_t> number_of(std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto digits = name.substr(prefix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool is_number = error == std::errc{} && end == digits.data() + digits.size();
  if (!is_number || number == 0 || number == UINT64_MAX || digits.front() == '0')
    return std::nullopt;
  return number;
}

}  // namespace

fs::path claim_path(const fs::path& directory, std::uint64_t incarnation) {
  return directory / (std::string(prefix) + std::to_string(incarnation));
}

fs::path beat_path(const fs::path& directory, std::uint64_t incarnation) {
  return directory / (std::string(prefix) + std::to_string(incarnation) + std::string(beat_suffix));
}

fs::path temporary_claim_path(const fs::path& directory, const std::string& nonce) {
  return directory / (std::string(prefix) + nonce + std::string(temporary_suffix));
}

bool is_fence_file(const fs::path& path) {
  const auto name = path.filename().string();
  std::string_view stem = name;
  if (stem.ends_with(temporary_suffix)) return stem.starts_with(prefix);
  if (stem.ends_with(beat_suffix)) stem.remove_suffix(beat_suffix.size());
  return number_of(stem).has_value();
}

std::vector<std::uint64_t> claimed(const fs::path& directory) {
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (const auto number = number_of(entry->path().filename().native()))
      numbers.push_back(*number);
  }
  if (error) throw_errno(error.value(), "read checkpoint directory " + directory.string());
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::optional<std::string> text_of(const fs::path& path) {
  std::optional<File> opened;
  try {
    opened.emplace(open_regular_file(path, O_RDONLY));
  } catch (const Error& error) {
    if (error.code() == Errc::no_input) return std::nullopt;
    throw;
  }
  const File& file = *opened;
  constexpr std::uint64_t largest = std::uint64_t{64} << 20;
  std::string text(std::min(file.size_bytes(), largest), '\0');
  file.read_at(std::as_writable_bytes(std::span(text)), 0);
  return text;
}

FoundClaim find_claim(const fs::path& directory, std::uint64_t incarnation) {
  FoundClaim found;
  const auto path = claim_path(directory, incarnation);
  try {
    const auto text = text_of(path);
    if (!text) return found;
    found.exists = true;
    auto claim = parse_claim(*text);
    if (claim.incarnation != incarnation)
      throw Error(Errc::bad_data, "it is the claim of another incarnation");
    found.claim = std::move(claim);
  } catch (const Error& error) {
    if (error.code() != Errc::bad_data && error.code() != Errc::input_output)
      throw Error(error.code(), path.string() + ": " + error.what());
    found.exists = true;
    found.problem = path.string() + ": " + error.what();
  }
  return found;
}

}  // namespace cairn::consensus
