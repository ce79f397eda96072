#include "store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <map>
#include <string_view>
#include <tuple>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "directory_lock.hpp"
#include "job_file.hpp"
#include "utf8.hpp"

namespace cairn::ckpt {

namespace fs = std::filesystem;

namespace {

Failpoint before_record_write{"ckpt.record.write"};
Failpoint before_record_sync{"ckpt.record.sync"};
Failpoint before_data_rename{"ckpt.publish.data"};
Failpoint before_record_rename{"ckpt.publish.record"};
Failpoint before_publish_sync{"ckpt.publish.sync"};
Failpoint before_record_removal{"ckpt.retire.record"};
Failpoint before_removal_sync{"ckpt.retire.sync"};
Failpoint before_data_removal{"ckpt.retire.data"};

constexpr std::string_view prefix = "epoch-";
constexpr std::string_view data_suffix = ".h5";
constexpr std::string_view rekeyed_suffix = ".rekeyed.h5";
constexpr std::string_view record_suffix = ".record";
constexpr std::string_view temporary_suffix = ".tmp";

fs::path path_of(const fs::path& directory, std::uint64_t epoch, std::string_view suffix) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%010llu", static_cast<unsigned long long>(epoch));
  return directory / (std::string(prefix) + digits + std::string(suffix));
}

/// The N of a name that this store could have given; nothing for all others, which are left alone.
std::optional<std::uint64_t> epoch_of(const fs::path& path) {
  const auto name = path.filename().string();
  if (!name.starts_with(prefix)) return std::nullopt;
  std::uint64_t epoch = 0;
  const char* first = name.data() + prefix.size();
  const auto [end, error] = std::from_chars(first, name.data() + name.size(), epoch);
  if (error != std::errc{} || epoch == UINT64_MAX) return std::nullopt;
  for (const std::string_view suffix : {data_suffix, rekeyed_suffix, record_suffix}) {
    const auto plain = path_of(path.parent_path(), epoch, suffix);
    if (path == plain || path.native() == plain.native() + std::string(temporary_suffix))
      return epoch;
  }
  return std::nullopt;
}

bool has_suffix(const fs::path& path, std::string_view suffix) {
  return path.native().ends_with(suffix);
}

std::vector<fs::path> epoch_files(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (epoch_of(entry->path())) files.push_back(entry->path());
  }
  if (error) throw_errno(error.value(), "read checkpoint directory " + directory.string());
  return files;
}

/// The directory is the owner's alone; those above it are made as the umask says.
fs::path made_directory(const fs::path& path) {
  make_directory(path, private_directory, "checkpoint directory");
  return path;
}

}  // namespace

EpochStore::EpochStore(const fs::path& directory, const Access& access)
    : directory_(made_directory(directory)),
      lock_(lock_directory(directory_, access.patience_seconds)) {
  consensus::FenceOptions options{.patience_seconds = access.patience_seconds,
                                  .stale_seconds = access.stale_seconds,
                                  .heartbeat_seconds = access.heartbeat_seconds};
  const auto former = consensus::owner(directory_);
  if (!former) {
    options.above = newest_job_file(directory_);
    for (const auto& found : find()) options.above = std::max(options.above, found.incarnation);
  }
  auto claimant = consensus::this_process(access.kind);
  claimant.nodes = access.nodes;
  fence_.emplace(consensus::claim(directory_, std::move(claimant), options));
  confirmed_ = consensus::newest_confirmed(directory_);
  for (const auto& path : epoch_files(directory_))
    if (has_suffix(path, record_suffix)) at_claim_.insert(*epoch_of(path));
  const auto expected = former ? former->incarnation + 1 : options.above + 1;
  follows_in_order_ = (!former || former->is_released) && incarnation() == expected;
}

std::uint64_t EpochStore::incarnation() const noexcept {
  return fence_ ? fence_->incarnation() : 0;
}

std::string EpochStore::nonce() const {
  return fence_ ? fence_->claim().owner.nonce : std::string();
}

void EpochStore::confirm(const std::vector<consensus::LastEpoch>& elsewhere) {
  std::map<std::uint64_t, std::uint64_t> newest;  // of each incarnation
  const auto note = [&](const consensus::LastEpoch& one) {
    if (one.incarnation != 0 && !is_void(one))
      newest[one.incarnation] = std::max(newest[one.incarnation], one.epoch);
  };
  for (const auto& found : find())
    if (found.problem.empty()) note({found.incarnation, found.epoch});
  for (const auto& each : elsewhere) note(each);
  std::vector<consensus::LastEpoch> honoured;
  for (const auto& [incarnation, epoch] : newest) honoured.push_back({incarnation, epoch});
  std::sort(honoured.begin(), honoured.end(),
            [](const auto& a, const auto& b) { return a.epoch < b.epoch; });
  fence_->confirm(std::move(honoured));
  confirmed_ = fence_->claim();
}

void EpochStore::check_owner() const {
  if (fence_) fence_->check();
}

bool EpochStore::is_void(const consensus::LastEpoch& record) const {
  return confirmed_ && confirmed_->voids(record);
}

/// Published since this store has claimed the directory, by an older launch that had looked before.
bool EpochStore::is_late(const consensus::LastEpoch& record) const {
  return fence_ && record.incarnation != 0 && record.incarnation != incarnation() &&
         !at_claim_.contains(record.epoch);
}

std::uint64_t EpochStore::reserve(std::uint64_t from) const {
  for (auto epoch = from;; epoch = std::max(epoch + 1, next_epoch())) {
    const auto path = temporary_data_path(epoch);
    const int file =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, private_file);
    if (file < 0 && errno == EEXIST) continue;
    check_posix(file, "open " + path.string());
    ::close(file);
    try {
      check_owner();
    } catch (const Error&) {
      ::unlink(path.c_str());
      throw;
    }
    return epoch;
  }
}

fs::path EpochStore::data_path(std::uint64_t epoch) const {
  return path_of(directory_, epoch, data_suffix);
}

fs::path EpochStore::rekeyed_data_path(std::uint64_t epoch) const {
  return path_of(directory_, epoch, rekeyed_suffix);
}

fs::path EpochStore::other_data_path(const EpochRecord& record) const {
  const auto usual = data_path(record.epoch);
  return record.data_file == usual.filename() ? rekeyed_data_path(record.epoch) : usual;
}

fs::path EpochStore::temporary_data_path(std::uint64_t epoch) const {
  return path_of(directory_, epoch, std::string(data_suffix) + std::string(temporary_suffix));
}

fs::path EpochStore::record_path(std::uint64_t epoch) const {
  return path_of(directory_, epoch, record_suffix);
}

fs::path EpochStore::temporary_record_path(std::uint64_t epoch) const {
  return path_of(directory_, epoch, std::string(record_suffix) + std::string(temporary_suffix));
}

EpochStore EpochStore::reader(const fs::path& directory) {
  EpochStore store;
  store.directory_ = directory;
  store.confirmed_ = consensus::newest_confirmed(directory);
  return store;
}

bool EpochStore::is_own_name(const fs::path& path) { return epoch_of(path).has_value(); }

std::vector<EpochFile> EpochStore::files() const {
  std::vector<EpochFile> files;
  for (const auto& path : epoch_files(directory_)) {
    const auto plain =
        has_suffix(path, temporary_suffix) ? fs::path(path).replace_extension() : path;
    files.push_back(
        {path, *epoch_of(path),
         has_suffix(plain, record_suffix) ? EpochFile::Kind::record : EpochFile::Kind::data,
         plain != path});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return std::tie(a.epoch, a.path) < std::tie(b.epoch, b.path);
  });
  return files;
}

FoundEpoch EpochStore::examine(std::uint64_t epoch) const {
  FoundEpoch entry;
  entry.epoch = epoch;
  const auto path = record_path(epoch);
  try {
    // Opening a pipe would wait for its writer.
    if (std::error_code error; fs::exists(path, error) && !fs::is_regular_file(path, error)) {
      throw Error(Errc::bad_data, "it is not a file");
    }
    entry.text = read_file(path);
    const auto record = parse_record(entry.text);
    if (record.epoch != epoch) throw Error(Errc::bad_data, "it is the record of another epoch");
    if (record.data_file != data_path(epoch).filename() &&
        record.data_file != rekeyed_data_path(epoch).filename()) {
      throw Error(Errc::bad_data, "it names the data file '" + escaped(record.data_file) +
                                      "', which is not its own");
    }
    entry.incarnation = record.incarnation;
    const consensus::LastEpoch published{record.incarnation, epoch};
    entry.is_void = is_void(published) || is_late(published);
    if (entry.is_void) {
      const auto owner = is_late(published) ? incarnation() : confirmed_->incarnation;
      throw Error(Errc::bad_data, "it is void: incarnation " + std::to_string(record.incarnation) +
                                      " published it after incarnation " + std::to_string(owner) +
                                      " had taken over the directory");
    }
  } catch (const Error& error) {
    entry.text.clear();
    entry.problem = path.string() + ": " + error.what();
    entry.code = error.code();
  }
  return entry;
}

std::vector<FoundEpoch> EpochStore::find() const {
  std::vector<FoundEpoch> found;
  for (const auto& path : epoch_files(directory_)) {
    if (!has_suffix(path, record_suffix)) continue;
    auto entry = examine(*epoch_of(path));
    // Neither what may not be read nor what is too new to be understood is damage to be passed
    // over.
    if (entry.code == Errc::permission || entry.code == Errc::usage) {
      throw Error(entry.code, entry.problem);
    }
    found.push_back(std::move(entry));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.epoch > b.epoch; });
  return found;
}

std::uint64_t EpochStore::next_epoch() const {
  std::uint64_t next = 1;
  for (const auto& path : epoch_files(directory_)) next = std::max(next, *epoch_of(path) + 1);
  return next;
}

/// A data file that no record names. A rekeying that was cut short leaves an epoch two; of a record
/// that is damaged nobody knows which it was, and both stay.
bool EpochStore::is_orphan(const fs::path& data, std::uint64_t epoch) const {
  if (!is_there(record_path(epoch))) return true;
  if (!is_there(data_path(epoch)) || !is_there(rekeyed_data_path(epoch))) return false;
  const auto found = examine(epoch);
  return found.problem.empty() && parse_record(found.text).data_file != data.filename();
}

void EpochStore::remove_strays(std::uint64_t below) const {
  for (const auto& path : epoch_files(directory_)) {
    if (*epoch_of(path) >= below) continue;
    const bool is_temporary = has_suffix(path, temporary_suffix);
    if (is_temporary || (has_suffix(path, data_suffix) && is_orphan(path, *epoch_of(path)))) {
      remove_file(path);
    }
  }
}

void EpochStore::write_temporary_record(const EpochRecord& record) const {
  const auto text = record_text(record);
  const auto temporary = temporary_record_path(record.epoch);
  File file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, private_file);
  before_record_write.check("write " + temporary.string());
  file.write(std::as_bytes(std::span(text)));
  before_record_sync.check("fdatasync " + temporary.string());
  file.sync();
  file.close();
}

void EpochStore::replace_record(const EpochRecord& record) const {
  write_temporary_record(record);
  check_owner();
  before_record_rename.check("rename " + temporary_record_path(record.epoch).string());
  rename_file(temporary_record_path(record.epoch), record_path(record.epoch));
  before_publish_sync.check("fsync " + directory_.string());
  sync_directory(directory_);
}

void EpochStore::publish(const EpochRecord& record) const {
  const auto path = record_path(record.epoch);
  const auto temporary = temporary_record_path(record.epoch);
  write_temporary_record(record);
  check_owner();
  before_data_rename.check("rename " + temporary_data_path(record.epoch).string());
  rename_file(temporary_data_path(record.epoch), data_path(record.epoch));
  before_record_rename.check("rename " + temporary.string());
  rename_file(temporary, path);
  before_publish_sync.check("fsync " + directory_.string());
  sync_directory(directory_);
  // Who has taken over since the last look may not have seen it: no older epoch may go for it.
  check_owner();
}

std::string EpochStore::data_problem(const EpochRecord& record) const {
  const auto path = directory_ / record.data_file;
  std::error_code error;
  if (!fs::exists(path, error)) return path.string() + " does not exist";
  if (!fs::is_regular_file(path, error)) return path.string() + " is not a file";
  const auto size_bytes = fs::file_size(path, error);
  if (error) return path.string() + ": " + error.message();
  if (size_bytes == record.data_bytes) return {};
  return path.string() + " has " + std::to_string(size_bytes) + " bytes instead of " +
         std::to_string(record.data_bytes);
}

std::vector<std::uint64_t> EpochStore::retirable(int keep,
                                                 const std::set<std::uint64_t>& damaged) const {
  std::uint64_t oldest_kept = 0;
  for (const auto& entry : find()) {
    const bool is_good = entry.problem.empty() && !damaged.contains(entry.epoch) &&
                         data_problem(parse_record(entry.text)).empty();
    if (is_good && --keep == 0) oldest_kept = entry.epoch;
  }
  std::set<std::uint64_t> retired;
  for (const auto& path : epoch_files(directory_)) {
    if (const auto epoch = *epoch_of(path); epoch < oldest_kept) retired.insert(epoch);
  }
  return {retired.begin(), retired.end()};
}

void EpochStore::retire(int keep, const std::set<std::uint64_t>& damaged, Spare* spare) const {
  // A data file without its record is an orphan that nobody trusts; a record without its data would
  // be a lie. So the records go first, durably.
  const auto retired = retirable(keep, damaged);
  if (retired.empty()) return;
  check_owner();
  std::set<std::uint64_t> reusable;
  for (const auto epoch : retired) {
    // Only what was an epoch has been closed by all its writers; and what has been found damaged
    // may lie on bad blocks.
    if (is_there(record_path(epoch)) && !damaged.contains(epoch)) reusable.insert(epoch);
    before_record_removal.check("remove " + record_path(epoch).string());
    remove_file(record_path(epoch));
  }
  before_removal_sync.check("fsync " + directory_.string());
  sync_directory(directory_);
  for (const auto epoch : retired) {
    before_data_removal.check("remove " + data_path(epoch).string());
    const auto is_usual = is_there(data_path(epoch)) && !is_there(rekeyed_data_path(epoch));
    if (spare != nullptr && reusable.contains(epoch) && is_usual)
      spare->keep(data_path(epoch), epoch);
    remove_file(data_path(epoch));
    remove_file(rekeyed_data_path(epoch));
    remove_file(temporary_data_path(epoch));
    remove_file(temporary_record_path(epoch));
  }
}

void EpochStore::discard(std::uint64_t epoch) const noexcept {
  ::unlink(temporary_record_path(epoch).c_str());
  ::unlink(temporary_data_path(epoch).c_str());
  if (::access(record_path(epoch).c_str(), F_OK) != 0) ::unlink(data_path(epoch).c_str());
}

}  // namespace cairn::ckpt
