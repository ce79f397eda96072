#include "job_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <random>
#include <vector>

#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/private_files.hpp"

namespace cairn::ckpt {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view magic = "cairn-job 1 ";
constexpr std::size_t job_digits = 32;

std::string_view word_for(JobFile::State state) {
  return state == JobFile::State::committed ? " committed\n" : " begun\n";
}

constexpr std::string_view prefix = "job.";
constexpr int most_attempts = 3;

/// The K of `job.K`, 0 for the `job` of former builds; nothing for other names.
std::optional<std::uint64_t> incarnation_of(const fs::path& path) {
  const auto name = path.filename().string();
  if (name == "job") return 0;
  if (!name.starts_with(prefix)) return std::nullopt;
  std::uint64_t incarnation = 0;
  const char* const last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), last, incarnation);
  if (error != std::errc{} || end != last) return std::nullopt;
  return incarnation;
}

fs::path path_of(const fs::path& directory, std::uint64_t incarnation) {
  return directory / (incarnation == 0 ? "job" : std::string(prefix) + std::to_string(incarnation));
}

/// Ascending.
std::vector<std::uint64_t> incarnations_in(const fs::path& directory) {
  std::vector<std::uint64_t> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error))
    if (const auto incarnation = incarnation_of(entry->path())) found.push_back(*incarnation);
  if (error && error.value() != ENOENT)
    throw_errno(error.value(), "read checkpoint directory " + directory.string());
  std::sort(found.begin(), found.end());
  return found;
}

JobFile parsed(const std::string& text, std::uint64_t incarnation, const fs::path& path) {
  const std::string_view view(text);
  if (view.starts_with(magic) && view.size() > magic.size() + job_digits) {
    const auto job = view.substr(magic.size(), job_digits);
    const bool is_name = job.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    for (const auto state : {JobFile::State::begun, JobFile::State::committed}) {
      if (is_name && view.substr(magic.size() + job_digits) == word_for(state))
        return {incarnation, std::string(job), state};
    }
  }
  throw Error(Errc::bad_data, path.string() + " does not say whose local epochs to look for; " +
                                  "remove it to go on without them");
}

}  // namespace

bool is_job_file(const fs::path& path) { return incarnation_of(path).has_value(); }

std::uint64_t newest_job_file(const fs::path& directory) {
  const auto incarnations = incarnations_in(directory);
  return incarnations.empty() ? 0 : incarnations.back();
}

std::optional<JobFile> read_job_file(const fs::path& directory) {
  // Between the list and the look a newer one may take the place of the newest.
  for (int attempt = 1;; ++attempt) {
    const auto incarnations = incarnations_in(directory);
    if (incarnations.empty()) return std::nullopt;
    const auto path = path_of(directory, incarnations.back());
    std::string text;
    try {
      text = read_regular_file(path);
    } catch (const Error& error) {
      if (error.code() != Errc::no_input || attempt == most_attempts) throw;
      continue;
    }
    return parsed(text, incarnations.back(), path);
  }
}

void write_job_file(const fs::path& directory, const JobFile& file) {
  write_file_atomically(path_of(directory, file.incarnation),
                        std::string(magic) + file.job + std::string(word_for(file.state)),
                        FileAccess::owner);
  for (const auto incarnation : incarnations_in(directory))
    if (incarnation < file.incarnation) ::unlink(path_of(directory, incarnation).c_str());
}

std::string random_job_id() {
  std::random_device device;
  char hex[job_digits + 1];
  std::snprintf(hex, sizeof hex, "%08x%08x%08x%08x", device(), device(), device(), device());
  return hex;
}

}  // namespace cairn::ckpt
