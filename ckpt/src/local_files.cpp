#include "local_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "crc.hpp"
#include "data_file.hpp"
#include "store.hpp"

namespace cairn::ckpt {

namespace fs = std::filesystem;

namespace {

Failpoint before_retire_record{"ckpt.local.retire.record"};
Failpoint before_retire_data{"ckpt.local.retire.data"};

constexpr std::string_view prefix = "epoch-";

std::string name_of(const LocalEpochId& epoch, const std::string& rest) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%010llu", static_cast<unsigned long long>(epoch.epoch));
  return std::string(prefix) + digits + ".inc-" + std::to_string(epoch.incarnation) + "." + rest;
}

bool is_record(const fs::path& path) { return path.extension() == ".record"; }
bool is_temporary(const fs::path& path) { return path.extension() == ".tmp"; }

/// "epoch-N.inc-K.…", with an ending of this tier's.
std::optional<LocalEpochId> id_of(const fs::path& path) {
  const auto name = path.filename().string();
  const auto extension = path.extension();
  if (extension != ".h5" && extension != ".record" && extension != ".parity" && extension != ".tmp")
    return std::nullopt;
  std::string_view rest = name;
  const auto take = [&](std::string_view word, std::uint64_t& number) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc{} || number == UINT64_MAX || *end != '.') return false;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return true;
  };
  LocalEpochId id;
  if (!take(prefix, id.epoch) || !take(".inc-", id.incarnation)) return std::nullopt;
  return id;
}

/// The files of this tier; none when there is no directory.
std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (id_of(entry->path())) files.push_back(entry->path());
  }
  if (error && error.value() != ENOENT)
    throw_errno(error.value(), "read local checkpoint directory " + directory.string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

fs::path LocalFiles::part_path(const LocalEpochId& epoch, int rank) const {
  return directory_ / name_of(epoch, "rank-" + std::to_string(rank) + ".h5");
}

fs::path LocalFiles::parity_path(const LocalEpochId& epoch, int set, int member) const {
  return directory_ / name_of(epoch, "set-" + std::to_string(set) + ".member-" +
                                         std::to_string(member) + ".parity");
}

fs::path LocalFiles::record_path(const LocalEpochId& epoch, int host) const {
  return directory_ / name_of(epoch, "host-" + std::to_string(host) + ".record");
}

fs::path LocalFiles::temporary(fs::path path) { return path += ".tmp"; }

void LocalFiles::make_directory() const { cairn::make_directory(directory_, private_directory); }

std::uint64_t LocalFiles::newest() const {
  std::uint64_t newest = 0;
  for (const auto& path : files_in(directory_)) newest = std::max(newest, id_of(path)->epoch);
  return newest;
}

std::vector<fs::path> LocalFiles::records() const {
  auto files = files_in(directory_);
  std::erase_if(files, [](const auto& path) { return !is_record(path); });
  return files;
}

void LocalFiles::remove_temporary(std::uint64_t incarnation) const {
  for (const auto& path : files_in(directory_))
    if (is_temporary(path) && id_of(path)->incarnation <= incarnation) remove_file(path);
}

void LocalFiles::retire(std::uint64_t oldest_kept) const {
  auto old = files_in(directory_);
  std::erase_if(old, [&](const auto& path) { return id_of(path)->epoch >= oldest_kept; });
  if (old.empty()) return;
  for (const auto& path : old) {
    if (!is_record(path)) continue;
    before_retire_record.check("remove " + path.string());
    remove_file(path);
  }
  sync_directory(directory_);
  for (const auto& path : old) {
    before_retire_data.check("remove " + path.string());
    remove_file(path);
  }
}

void LocalFiles::discard(const LocalEpochId& epoch) const noexcept {
  try {
    for (const auto& path : files_in(directory_))
      if (id_of(path) == epoch) ::unlink(path.c_str());
  } catch (const std::exception&) {  // nobody trusts them, and a later save removes them
  }
}

FileDigest digest_of_file(const fs::path& path) {
  const File file(path, O_RDONLY);
  FileDigest digest{file.size_bytes(), {}};
  for (std::uint64_t first = 0; first < digest.bytes; first += piece_bytes) {
    digest.piece_crcs.push_back(
        crc32c_of(file, first, std::min<std::uint64_t>(piece_bytes, digest.bytes - first)));
  }
  return digest;
}

FileState look_at_file(const fs::path& path, const FileDigest& digest) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return FileState::missing;
  const auto bytes = fs::file_size(path, error);
  return !error && bytes == digest.bytes ? FileState::good : FileState::damaged;
}

FileState check_file(const fs::path& path, const FileDigest& digest) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return FileState::missing;
  try {
    const auto found = digest_of_file(path);
    const bool is_good = found.bytes == digest.bytes && found.piece_crcs == digest.piece_crcs;
    return is_good ? FileState::good : FileState::damaged;
  } catch (const Error&) {  // to have to rebuild what cannot be read is no disaster
    return FileState::damaged;
  }
}

}  // namespace cairn::ckpt
