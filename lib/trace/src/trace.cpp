#include "cairn/trace/trace.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>

#include "cairn/core/error.hpp"

namespace cairn::trace {

namespace detail {

constinit std::atomic<bool> enabled{false};

namespace {

constexpr std::size_t buffer_limit_bytes = 64UL * 1024;
constexpr std::int64_t flush_interval_ns = 100'000'000;

/// The event file of this rank. Events are rare (steps, phases, epochs), so one lock for all
/// threads is enough.
struct EventFile {
  std::mutex mutex;
  std::string buffer;
  int descriptor = -1;
  int rank = 0;
  std::int64_t flushed_at_ns = 0;

  void write_out() noexcept {
    const char* data = buffer.data();
    std::size_t left = buffer.size();
    while (left > 0) {
      const auto written = ::write(descriptor, data, left);
      if (written <= 0) break;  // a full disk costs the trace, never the run
      data += written;
      left -= static_cast<std::size_t>(written);
    }
    const bool is_torn = left > 0;
    buffer.clear();
    if (is_torn) buffer += '\n';  // what comes next begins a line, whatever this one ends with
  }

  void append(const char* line, int length, std::int64_t at_ns) noexcept {
    if (length <= 0) return;
    const std::lock_guard lock(mutex);
    if (descriptor < 0) return;
    buffer.append(line, static_cast<std::size_t>(length));
    if (buffer.size() > buffer_limit_bytes || at_ns - flushed_at_ns > flush_interval_ns) {
      write_out();
      flushed_at_ns = at_ns;
    }
  }
};

EventFile& event_file() {
  static EventFile file;
  return file;
}

int thread_number() noexcept {
  static std::atomic<int> threads{0};
  thread_local const int number = threads++;
  return number;
}

double microseconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-3; }

/// One event, one line, one JSON object followed by a comma and a newline.
template <typename... Values>
void emit(std::int64_t at_ns, const char* format, Values... values) noexcept {
  char line[512];
  const int length = std::snprintf(line, sizeof line, format, values...);
  if (length < static_cast<int>(sizeof line)) event_file().append(line, length, at_ns);
}

}  // namespace

void write_span(const char* name, std::int64_t begin_ns, std::int64_t end_ns,
                std::int64_t argument) noexcept {
  const int rank = event_file().rank;
  if (argument == no_argument) {
    emit(end_ns, "{\"ph\":\"X\",\"name\":\"%s\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,\"tid\":%d},\n",
         name, microseconds(begin_ns), microseconds(end_ns - begin_ns), rank, thread_number());
  } else {
    emit(end_ns,
         "{\"ph\":\"X\",\"name\":\"%s\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,\"tid\":%d,"
         "\"args\":{\"n\":%lld}},\n",
         name, microseconds(begin_ns), microseconds(end_ns - begin_ns), rank, thread_number(),
         static_cast<long long>(argument));
  }
}

}  // namespace detail

using namespace detail;

std::int64_t now_ns() noexcept {
  // Wall clock at start plus monotonic time since: comparable between ranks and launches, never
  // backwards.
  using std::chrono::duration_cast, std::chrono::nanoseconds;
  static const auto steady_start = std::chrono::steady_clock::now();
  static const std::int64_t wall_start_ns =
      duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return wall_start_ns +
         duration_cast<nanoseconds>(std::chrono::steady_clock::now() - steady_start).count();
}

void start(const std::filesystem::path& directory, int rank, int launch) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const auto path = directory / ("launch-" + std::to_string(launch) + ".rank-" +
                                 std::to_string(rank) + ".events");
  const int descriptor =
      check_posix(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666),
                  "open trace " + path.string());
  {
    auto& file = event_file();
    const std::lock_guard lock(file.mutex);
    if (file.descriptor >= 0) ::close(file.descriptor);
    file.descriptor = descriptor;
    file.rank = rank;
    file.flushed_at_ns = now_ns();
  }
  enabled = true;
  instant("launch", launch);
  flush();
}

void stop() noexcept {
  if (!enabled.exchange(false)) return;
  auto& file = event_file();
  const std::lock_guard lock(file.mutex);
  file.write_out();
  ::close(file.descriptor);
  file.descriptor = -1;
}

void flush() noexcept {
  if (!is_on()) return;
  auto& file = event_file();
  const std::lock_guard lock(file.mutex);
  file.write_out();
}

void instant(const char* name, std::int64_t argument) noexcept {
  if (!is_on()) return;
  const auto at_ns = now_ns();
  const long long number = argument == no_argument ? 0 : argument;
  emit(at_ns,
       "{\"ph\":\"i\",\"s\":\"p\",\"name\":\"%s\",\"ts\":%.3f,\"pid\":%d,\"tid\":%d,\"args\":{"
       "\"n\":%lld}},\n",
       name, microseconds(at_ns), event_file().rank, thread_number(), number);
}

void counter(const char* name, double value) noexcept {
  if (!is_on()) return;
  const auto at_ns = now_ns();
  emit(at_ns, "{\"ph\":\"C\",\"name\":\"%s\",\"ts\":%.3f,\"pid\":%d,\"args\":{\"value\":%.17g}},\n",
       name, microseconds(at_ns), event_file().rank, value);
}

}  // namespace cairn::trace
