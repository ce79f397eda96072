#include "file_calls.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>

namespace cairn::test {

namespace {

namespace fs = std::filesystem;

enum class Action { count, fail, log, kill, forget_sync };

/// What is known of the calls, and what to do at which of them.
struct Watch {
  std::string directory;  ///< empty: nothing is watched
  Action action = Action::count;
  std::size_t at = 0;
  int error_number = 0;
  int log = -1;
  std::vector<FileCall> calls;
  std::vector<std::string> open;  ///< by descriptor: the name in the directory, empty for others
  std::recursive_mutex lock;
};

/// The C library's function of that name.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

const char* setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void begin_by_environment(Watch& watch) {
  const std::string_view rank = setting("CAIRN_CALLS_RANK");
  const std::string own_rank = setting("OMPI_COMM_WORLD_RANK");
  if (own_rank.empty() || (rank != "all" && rank != own_rank)) return;
  watch.directory = setting("CAIRN_CALLS_DIRECTORY");
  const std::string_view action = setting("CAIRN_CALLS_ACTION");
  if (action == "kill") watch.action = Action::kill;
  if (action == "forget_sync") watch.action = Action::forget_sync;
  watch.at = std::strtoull(setting("CAIRN_CALLS_AT"), nullptr, 10);
  if (action != "log") return;
  watch.action = Action::log;
  const auto path = std::string(setting("CAIRN_CALLS_LOG")) + "." + own_rank;
  watch.log = next<int(const char*, int, ...)>("open")(
      path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/// Never destroyed: other libraries still make calls at the end of the process.
Watch& watch() {
  static Watch& one = [&]() -> Watch& {
    auto* made = new Watch;
    begin_by_environment(*made);
    return *made;
  }();
  return one;
}

/// The name of `path` in the directory, "." for the directory itself; empty for what lies
/// elsewhere.
std::string name_in_directory(std::string_view path) {
  const auto& directory = watch().directory;
  if (directory.empty() || !path.starts_with(directory)) return {};
  path.remove_prefix(directory.size());
  if (path.empty()) return ".";
  return path[0] == '/' ? std::string(path.substr(1)) : std::string();
}

std::string name_of(int descriptor) {
  const auto& open = watch().open;
  const auto i = static_cast<std::size_t>(descriptor);
  return descriptor >= 0 && i < open.size() ? open[i] : std::string();
}

/// Counts a call on `name`. Returns whether it is to fail, with errno set.
bool fails(const char* function, const std::string& name) {
  if (name.empty() || name.ends_with(".beat")) return false;  // heartbeats come when they like
  auto& one = watch();
  const auto number = one.calls.size();
  one.calls.push_back({function, name});
  if (one.action == Action::log) {
    const auto line = std::string(function) + " " + name + "\n";
    static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
    (void)real(one.log, line.data(), line.size());
  }
  if (number != one.at) return false;
  if (one.action == Action::kill) ::raise(SIGKILL);
  if (one.action != Action::fail) return false;
  errno = one.error_number;
  return true;
}

using Guard = std::lock_guard<std::recursive_mutex>;

int open_file(const char* real_name, const char* path, int flags, mode_t mode) {
  const Guard guard(watch().lock);
  const auto name = name_in_directory(path);
  if (fails("open", name)) return -1;
  const int descriptor = next<int(const char*, int, ...)>(real_name)(path, flags, mode);
  if (descriptor >= 0 && !name.empty()) {
    auto& open = watch().open;
    open.resize(std::max(open.size(), static_cast<std::size_t>(descriptor) + 1));
    open[static_cast<std::size_t>(descriptor)] = name;
  }
  return descriptor;
}

/// Whether a sync is to be skipped; counts it.
enum class Sync { done, forgotten, failed };
Sync sync_of(const char* function, int descriptor) {
  const auto name = name_of(descriptor);
  if (fails(function, name)) return Sync::failed;
  return !name.empty() && watch().action == Action::forget_sync ? Sync::forgotten : Sync::done;
}

}  // namespace

FileCalls::FileCalls(const fs::path& directory) {
  const Guard guard(watch().lock);
  watch().directory = directory.string();
  disarm();
}

FileCalls::~FileCalls() {
  const Guard guard(watch().lock);
  watch().directory.clear();
  watch().open.clear();
  disarm();
}

void FileCalls::fail(std::size_t at, int error_number) {
  const Guard guard(watch().lock);
  auto& one = watch();
  one.calls.clear();
  one.at = at;
  one.error_number = error_number;
  one.action = Action::fail;
}

void FileCalls::kill(std::size_t at) {
  const Guard guard(watch().lock);
  fail(at, 0);
  watch().action = Action::kill;
}

void FileCalls::disarm() {
  const Guard guard(watch().lock);
  watch().calls.clear();
  watch().action = Action::count;
}

std::vector<FileCall> FileCalls::calls() const { return watch().calls; }

}  // namespace cairn::test

// ---------------------------------------------------------------------------------------------

using namespace cairn::test;

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const auto mode = va_arg(arguments, mode_t);  // unspecified, and unused, without O_CREAT
  va_end(arguments);
  return open_file("open", path, flags, mode);
}

int close(int descriptor) {
  const Guard guard(watch().lock);
  static auto* const real = next<int(int)>("close");
  const auto name = name_of(descriptor);
  if (!name.empty()) watch().open[static_cast<std::size_t>(descriptor)].clear();
  const bool failed = fails("close", name);
  const int error_number = errno;
  const int code = real(descriptor);  // Linux closes it whatever it says
  if (!failed) return code;
  errno = error_number;
  return -1;
}

/// What takes a file's place has no name.
int dup3(int from, int to, int flags) noexcept {
  static auto* const real = next<int(int, int, int)>("dup3");
  const Guard guard(watch().lock);
  const auto name = name_of(to);
  if (fails("dup3", name)) return -1;
  if (!name.empty()) watch().open[static_cast<std::size_t>(to)].clear();
  return real(from, to, flags);
}

ssize_t write(int descriptor, const void* data, size_t bytes) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  const Guard guard(watch().lock);
  return fails("write", name_of(descriptor)) ? -1 : real(descriptor, data, bytes);
}

ssize_t pwrite(int descriptor, const void* data, size_t bytes, off_t offset) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const Guard guard(watch().lock);
  return fails("pwrite", name_of(descriptor)) ? -1 : real(descriptor, data, bytes, offset);
}

ssize_t pread(int descriptor, void* data, size_t bytes, off_t offset) {
  static auto* const real = next<ssize_t(int, void*, size_t, off_t)>("pread");
  const Guard guard(watch().lock);
  return fails("pread", name_of(descriptor)) ? -1 : real(descriptor, data, bytes, offset);
}

int ftruncate(int descriptor, off_t size) noexcept {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  const Guard guard(watch().lock);
  return fails("ftruncate", name_of(descriptor)) ? -1 : real(descriptor, size);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
  static auto* const real = next<int(int, int, off_t, off_t)>("fallocate");
  const Guard guard(watch().lock);
  return fails("fallocate", name_of(descriptor)) ? -1 : real(descriptor, mode, offset, length);
}

int fsync(int descriptor) {
  static auto* const real = next<int(int)>("fsync");
  const Guard guard(watch().lock);
  const auto what = sync_of("fsync", descriptor);
  return what == Sync::done ? real(descriptor) : what == Sync::failed ? -1 : 0;
}

int fdatasync(int descriptor) {
  static auto* const real = next<int(int)>("fdatasync");
  const Guard guard(watch().lock);
  const auto what = sync_of("fdatasync", descriptor);
  return what == Sync::done ? real(descriptor) : what == Sync::failed ? -1 : 0;
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  const Guard guard(watch().lock);
  const auto name = name_in_directory(from);
  if (fails("rename", name.empty() ? name : name + " " + name_in_directory(to))) return -1;
  return real(from, to);
}

int link(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("link");
  const Guard guard(watch().lock);
  const auto name = name_in_directory(from);
  if (fails("link", name.empty() ? name : name + " " + name_in_directory(to))) return -1;
  return real(from, to);
}

int unlink(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("unlink");
  const Guard guard(watch().lock);
  return fails("unlink", name_in_directory(path)) ? -1 : real(path);
}

}  // extern "C"
