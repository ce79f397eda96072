/// The file that ties the nodes' folders to a checkpoint directory: which job's local epochs belong
/// to it. Each launch writes its own, `job.K` of incarnation K, and the newest counts: what a
/// launch that has lost the directory still writes is an older one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace cairn::ckpt {

/// Whoever moves the checkpoint directory away to begin from the start takes this file along, and
/// the local epochs are not found again.
struct JobFile {
  enum class State {
    begun,     ///< there may be local epochs
    committed  ///< there was one, so that a restart which finds none has lost it
  };
  std::uint64_t incarnation = 0;
  std::string job;
  State state = State::begun;

  bool operator==(const JobFile&) const = default;
};

/// Whether a file of this name is one.
[[nodiscard]] bool is_job_file(const std::filesystem::path& path);

/// The incarnation of the newest; 0 for none. Local.
[[nodiscard]] std::uint64_t newest_job_file(const std::filesystem::path& directory);

/// The newest. Local. @throws Error{bad_data} when the file is no job file
[[nodiscard]] std::optional<JobFile> read_job_file(const std::filesystem::path& directory);

/// Atomic and durable; removes older ones. Local.
void write_job_file(const std::filesystem::path& directory, const JobFile& file);

/// 32 hexadecimal digits that no other job has.
[[nodiscard]] std::string random_job_id();

}  // namespace cairn::ckpt
