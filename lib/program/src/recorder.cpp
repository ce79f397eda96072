#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/program/report.hpp"
#include "cairn/trace/trace.hpp"

namespace cairn::program {

namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::error_code error;  // a pipe would be waited for
  if (fs::exists(path, error) && !fs::is_regular_file(path, error))
    throw Error(Errc::bad_data, path.string() + " is not a file");
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) throw_errno(errno, "read " + path.string());
  return bytes;
}

std::string read_png(const fs::path& path) {
  auto bytes = read_file(path);
  if (!bytes.starts_with("\x89PNG\r\n\x1a\n")) {
    throw Error(Errc::bad_data, path.string() + " is not a PNG file");
  }
  return bytes;
}

}  // namespace

void RunRecorder::open(const fs::path& folder) {
  folder_ = fs::absolute(folder);
  std::error_code error;
  fs::create_directories(trace_directory(), error);
  if (error) throw_errno(error.value(), "make report folder " + trace_directory().string());
  check_posix(::access(folder_.c_str(), W_OK), "write to report folder " + folder_.string());
  for (const auto& entry : fs::directory_iterator(trace_directory())) {
    if (entry.path().extension() == ".events") fs::remove(entry.path(), error);
  }
}

fs::path RunRecorder::trace_directory() const {
  return folder_.empty() ? fs::path() : folder_ / "trace";
}

void RunRecorder::finish(int exit_code, const fs::path& picture) {
  report_.exit_code = exit_code;
  trace::merge(trace_directory(), folder_ / "trace.json");
  read_trace(trace_directory(), report_);
  if (!picture.empty()) {
    report_.picture_png = read_png(picture);
  } else if (std::error_code error; fs::exists(folder_ / "picture.png", error)) {
    report_.picture_png = read_png(folder_ / "picture.png");
  }
  write_file_atomically(folder_ / "run.json", report_json(report_));
  write_file_atomically(folder_ / "report.html", report_html(report_));
}

}  // namespace cairn::program
