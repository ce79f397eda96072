#include "job_file.hpp"

#include <cstdio>
#include <random>

#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"

namespace cairn::ckpt {

namespace {

constexpr std::string_view magic = "cairn-job 1 ";
constexpr std::size_t job_digits = 32;

std::string_view word_for(JobFile::State state) {
  return state == JobFile::State::committed ? " committed\n" : " begun\n";
}

}  // namespace

std::optional<JobFile> read_job_file(const std::filesystem::path& directory) {
  const auto path = directory / JobFile::file_name;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::nullopt;
  const auto text = read_file(path);
  const std::string_view view(text);
  if (view.starts_with(magic) && view.size() > magic.size() + job_digits) {
    const auto job = view.substr(magic.size(), job_digits);
    const bool is_name = job.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    for (const auto state : {JobFile::State::begun, JobFile::State::committed}) {
      if (is_name && view.substr(magic.size() + job_digits) == word_for(state))
        return JobFile{std::string(job), state};
    }
  }
  throw Error(Errc::bad_data, path.string() + " does not say whose local epochs to look for; " +
                                  "remove it to go on without them");
}

void write_job_file(const std::filesystem::path& directory, const JobFile& file) {
  write_file_atomically(directory / JobFile::file_name,
                        std::string(magic) + file.job + std::string(word_for(file.state)),
                        FileAccess::owner);
}

std::string random_job_id() {
  std::random_device device;
  char hex[job_digits + 1];
  std::snprintf(hex, sizeof hex, "%08x%08x%08x%08x", device(), device(), device(), device());
  return hex;
}

}  // namespace cairn::ckpt
