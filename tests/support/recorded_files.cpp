#include "recorded_files.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <optional>

namespace cairn::test {

namespace {

namespace fs = std::filesystem;
using Kind = FileOperation::Kind;

/// The state of the one recorder.
struct Recording {
  fs::path directory;
  std::vector<FileOperation> operations;
  std::map<std::string, int> names;  // of the directory's files
  std::map<int, int> open;           // descriptor to file; -1 for the directory itself
  int files = 0;

  /// The name of a file in the directory; nothing for others.
  [[nodiscard]] std::optional<std::string> name_of(const char* path) const {
    const fs::path full(path);
    if (full.parent_path() != directory) return std::nullopt;
    return full.filename().string();
  }
};

Recording* recording = nullptr;

void note_open(int descriptor, const char* path, int flags) {
  if (recording == nullptr || descriptor < 0) return;
  if (fs::path(path) == recording->directory) {
    recording->open[descriptor] = -1;
    return;
  }
  const auto name = recording->name_of(path);
  if (!name) return;
  const auto known = recording->names.find(*name);
  if (known == recording->names.end()) {
    if ((flags & O_CREAT) == 0) return;  // it was there before the recording
    const int file = recording->files++;
    recording->names[*name] = file;
    recording->operations.push_back({Kind::create, file, 0, *name, {}, {}});
  } else if ((flags & O_TRUNC) != 0) {
    recording->operations.push_back({Kind::resize, known->second, 0, {}, {}, {}});
  }
  recording->open[descriptor] = recording->names[*name];
}

/// The open file behind a descriptor, or nothing.
std::optional<int> file_of(int descriptor) {
  if (recording == nullptr) return std::nullopt;
  const auto found = recording->open.find(descriptor);
  if (found == recording->open.end()) return std::nullopt;
  return found->second;
}

void note_write(int descriptor, const void* data, ssize_t written, off_t offset) {
  const auto file = file_of(descriptor);
  if (!file || written <= 0) return;
  const auto* bytes = static_cast<const std::byte*>(data);
  recording->operations.push_back(
      {Kind::write, *file, static_cast<std::uint64_t>(offset), {}, {}, {bytes, bytes + written}});
}

void note_size(int descriptor, off_t size) {
  if (const auto file = file_of(descriptor))
    recording->operations.push_back(
        {Kind::resize, *file, static_cast<std::uint64_t>(size), {}, {}, {}});
}

void note_sync(int descriptor) {
  const auto file = file_of(descriptor);
  if (!file) return;
  const auto kind = *file < 0 ? Kind::sync_directory : Kind::sync_file;
  recording->operations.push_back({kind, *file, 0, {}, {}, {}});
}

void note_rename(const char* from, const char* to) {
  if (recording == nullptr) return;
  const auto source = recording->name_of(from);
  const auto target = recording->name_of(to);
  if (!source || !target) return;
  const auto node = recording->names.extract(*source);
  if (node.empty()) return;
  recording->names[*target] = node.mapped();
  recording->operations.push_back({Kind::rename, node.mapped(), 0, *source, *target, {}});
}

void note_link(const char* from, const char* to) {
  if (recording == nullptr) return;
  const auto source = recording->name_of(from);
  const auto target = recording->name_of(to);
  if (!source || !target || !recording->names.contains(*source)) return;
  const int file = recording->names[*target] = recording->names[*source];
  recording->operations.push_back({Kind::link, file, 0, *source, *target, {}});
}

void note_unlink(const char* path) {
  if (recording == nullptr) return;
  const auto name = recording->name_of(path);
  if (!name || recording->names.erase(*name) == 0) return;
  recording->operations.push_back({Kind::unlink, -1, 0, *name, {}, {}});
}

/// The C library's function of that name.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

FileRecorder::FileRecorder(fs::path directory) {
  recording = new Recording;
  recording->directory = std::move(directory);
}

FileRecorder::~FileRecorder() {
  delete recording;
  recording = nullptr;
}

void FileRecorder::mark(std::uint64_t number) {
  recording->operations.push_back({Kind::mark, -1, number, {}, {}, {}});
}

const std::vector<FileOperation>& FileRecorder::operations() const { return recording->operations; }

}  // namespace cairn::test

// ---------------------------------------------------------------------------------------------

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const auto mode = va_arg(arguments, mode_t);  // unspecified, and unused, without O_CREAT
  va_end(arguments);
  static auto* const real = cairn::test::next<int(const char*, int, ...)>("open");
  const int descriptor = real(path, flags, mode);
  cairn::test::note_open(descriptor, path, flags);
  return descriptor;
}

int close(int descriptor) {
  static auto* const real = cairn::test::next<int(int)>("close");
  if (cairn::test::recording != nullptr) cairn::test::recording->open.erase(descriptor);
  return real(descriptor);
}

int dup3(int from, int to, int flags) noexcept {
  static auto* const real = cairn::test::next<int(int, int, int)>("dup3");
  if (cairn::test::recording != nullptr) cairn::test::recording->open.erase(to);
  return real(from, to, flags);
}

ssize_t write(int descriptor, const void* data, size_t bytes) {
  static auto* const real = cairn::test::next<ssize_t(int, const void*, size_t)>("write");
  const auto offset =
      cairn::test::file_of(descriptor) ? ::lseek(descriptor, 0, SEEK_CUR) : off_t{0};
  const ssize_t written = real(descriptor, data, bytes);
  cairn::test::note_write(descriptor, data, written, offset);
  return written;
}

ssize_t pwrite(int descriptor, const void* data, size_t bytes, off_t offset) {
  static auto* const real = cairn::test::next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const ssize_t written = real(descriptor, data, bytes, offset);
  cairn::test::note_write(descriptor, data, written, offset);
  return written;
}

int ftruncate(int descriptor, off_t size) noexcept {
  static auto* const real = cairn::test::next<int(int, off_t)>("ftruncate");
  const int code = real(descriptor, size);
  if (code == 0) cairn::test::note_size(descriptor, size);
  return code;
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
  static auto* const real = cairn::test::next<int(int, int, off_t, off_t)>("fallocate");
  const int code = real(descriptor, mode, offset, length);
  // It only ever makes files longer here, and is then like a resize.
  if (code == 0 && cairn::test::file_of(descriptor))
    cairn::test::note_size(descriptor, ::lseek(descriptor, 0, SEEK_END));
  return code;
}

int fsync(int descriptor) {
  static auto* const real = cairn::test::next<int(int)>("fsync");
  const int code = real(descriptor);
  if (code == 0) cairn::test::note_sync(descriptor);
  return code;
}

int fdatasync(int descriptor) {
  static auto* const real = cairn::test::next<int(int)>("fdatasync");
  const int code = real(descriptor);
  if (code == 0) cairn::test::note_sync(descriptor);
  return code;
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = cairn::test::next<int(const char*, const char*)>("rename");
  const int code = real(from, to);
  if (code == 0) cairn::test::note_rename(from, to);
  return code;
}

int link(const char* from, const char* to) noexcept {
  static auto* const real = cairn::test::next<int(const char*, const char*)>("link");
  const int code = real(from, to);
  if (code == 0) cairn::test::note_link(from, to);
  return code;
}

int unlink(const char* path) noexcept {
  static auto* const real = cairn::test::next<int(const char*)>("unlink");
  const int code = real(path);
  if (code == 0) cairn::test::note_unlink(path);
  return code;
}

}  // extern "C"
