#include "leftovers.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

namespace cairn::tool {

namespace {

namespace fs = std::filesystem;

/// A file as a process's map shows it: device and inode would be safer, but a removed and recreated
/// name counts as mapped here, which errs on the safe side.
std::set<std::string> mapped_files(const std::string& folder) {
  std::set<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    std::ifstream maps(entry->path() / "maps");
    for (std::string line; std::getline(maps, line);) {
      if (const auto at = line.find(folder + "/"); at != std::string::npos) {
        files.insert(line.substr(at));
      }
    }
  }
  return files;
}

bool is_ours(const fs::path& path, mode_t type) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid() &&
         (status.st_mode & S_IFMT) == type;
}

std::set<std::string> unmapped_segments(const std::string& folder) {
  std::set<std::string> segments;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto name = entry->path().filename().string();
    for (const char* prefix : {"vader_segment.", "sm_segment.", "osc_rdma_"}) {
      if (name.starts_with(prefix) && is_ours(entry->path(), S_IFREG)) {
        segments.insert(entry->path().string());
      }
    }
  }
  if (segments.empty()) return segments;
  for (const auto& file : mapped_files(folder)) segments.erase(file);
  return segments;
}

}  // namespace

std::size_t remove_unmapped_segments(const std::string& folder) {
  const auto before = unmapped_segments(folder);
  if (before.empty()) return 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::size_t removed = 0;
  for (const auto& segment : unmapped_segments(folder)) {
    std::error_code error;
    if (before.contains(segment) && fs::remove(segment, error)) ++removed;
  }
  return removed;
}

void remove_session(pid_t mpirun) {
  const char* folder = std::getenv("TMPDIR");
  const auto user = "." + std::to_string(::geteuid());
  std::error_code error;
  for (fs::directory_iterator entry(folder == nullptr ? "/tmp" : folder, error), end;
       !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (!name.starts_with("ompi.") || !name.ends_with(user) || !is_ours(entry->path(), S_IFDIR))
      continue;
    const auto session = entry->path() / ("pid." + std::to_string(mpirun));
    std::error_code ignored;
    if (is_ours(session, S_IFDIR)) fs::remove_all(session, ignored);
  }
}

}  // namespace cairn::tool
