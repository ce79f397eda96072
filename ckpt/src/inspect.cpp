#include "inspect.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>

namespace cairn::ckpt {

namespace fs = std::filesystem;
using Clock = std::chrono::system_clock;

std::string_view name_of(Verdict verdict) noexcept {
  constexpr std::array<std::string_view, 6> names{"committed",  "damaged",     "fenced",
                                                  "unreadable", "uncommitted", "stray"};
  return names[static_cast<std::size_t>(verdict)];
}

EpochInfo info_of(const EpochRecord& record) {
  EpochInfo info;
  info.epoch = record.epoch;
  info.step = record.step;
  info.incarnation = record.incarnation;
  info.launch = record.launch;
  info.ranks = record.ranks;
  info.parent = record.parent;
  info.job = record.job;
  info.program = record.program;
  info.identity = record.identity;
  info.data_file = record.data_file;
  info.data_bytes = record.data_bytes;
  if (record.seal) info.key_id = record.seal->key_id;
  const bool is_locked = record.seal && !record.cipher;
  for (const auto& value : record.values) {
    info.values.push_back(
        {value.name, value.type, is_locked ? std::vector<std::byte>{} : value.bytes});
  }
  for (const auto& field : record.fields) {
    auto& added = info.fields.emplace_back(
        FieldInfo{.name = field.name, .type = field.type, .shape = field.global});
    for (const auto& part : field.parts) added.parts.push_back(part.box);
    added.stored_bytes = added.size_bytes();
    if (!field.chunks) continue;
    added.compression = field.chunks->compression;
    added.stored_bytes = 0;
    for (const auto& chunk : field.chunks->chunks) added.stored_bytes += chunk.length_bytes;
  }
  return info;
}

namespace {

void judge_record(const EpochStore& store, EpochEntry& entry) {
  const auto found = store.examine(entry.epoch);
  entry.verdict = Verdict::damaged;
  entry.why = found.problem;
  if (!found.problem.empty()) {
    entry.code = found.code;
    if (found.is_void) entry.verdict = Verdict::fenced;
    // Neither is damage; both are passed over by nobody.
    if (found.code == Errc::usage || found.code == Errc::permission) {
      entry.verdict = Verdict::unreadable;
    }
    return;
  }
  const auto record = parse_record(found.text);
  entry.info = info_of(record);
  entry.why = store.data_problem(record);
  if (entry.why.empty()) entry.why = coverage_problem(record);
  if (entry.why.empty()) entry.verdict = Verdict::committed;
}

void judge_leftovers(const std::vector<EpochFile>& files, EpochEntry& entry) {
  entry.code = Errc::no_input;
  const bool is_unfinished = std::any_of(files.begin(), files.end(),
                                         [](const EpochFile& file) { return file.is_temporary; });
  entry.verdict = is_unfinished ? Verdict::uncommitted : Verdict::stray;
  entry.why = is_unfinished ? "it was being written, or still is"
                            : "data without a record: a commit or a retirement was cut short";
}

/// Size and time of the files that are still there.
void measure(const std::vector<EpochFile>& files, EpochEntry& entry) {
  std::optional<Clock::time_point> of_record;
  for (const auto& file : files) {
    struct stat status = {};
    if (::stat(file.path.c_str(), &status) != 0) continue;
    entry.files.push_back(file.path.filename().string());
    entry.size_bytes += static_cast<std::uint64_t>(status.st_size);
    const auto time = Clock::from_time_t(status.st_mtim.tv_sec);
    entry.written = std::max(entry.written, time);
    if (file.kind == EpochFile::Kind::record && !file.is_temporary) of_record = time;
  }
  if (of_record) entry.written = *of_record;
}

}  // namespace

std::vector<EpochEntry> epochs_in(const fs::path& directory) {
  const auto store = EpochStore::reader(directory);
  std::map<std::uint64_t, std::vector<EpochFile>> by_epoch;
  for (auto& file : store.files()) by_epoch[file.epoch].push_back(std::move(file));

  std::vector<EpochEntry> entries;
  for (const auto& [epoch, files] : by_epoch) {
    EpochEntry entry;
    entry.epoch = epoch;
    const bool has_record = std::any_of(files.begin(), files.end(), [](const EpochFile& file) {
      return file.kind == EpochFile::Kind::record && !file.is_temporary;
    });
    if (has_record) {
      judge_record(store, entry);
    } else {
      judge_leftovers(files, entry);
    }
    measure(files, entry);
    // A running job may have retired it, or committed it, since its files were listed.
    std::error_code error;
    if (entry.files.empty()) continue;
    if (has_record && !fs::exists(fs::symlink_status(store.record_path(epoch), error))) continue;
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace cairn::ckpt
