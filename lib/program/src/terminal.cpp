#include "terminal.hpp"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace cairn::program {

namespace {

bool stderr_is_pipe() noexcept {
  struct stat status = {};
  return ::fstat(STDERR_FILENO, &status) == 0 && S_ISFIFO(status.st_mode);
}

}  // namespace

bool stderr_is_terminal() noexcept {
  if (::isatty(STDERR_FILENO) == 1) return true;
  return std::getenv("CAIRN_TERMINAL") != nullptr && stderr_is_pipe();
}

bool stderr_wants_colour() noexcept {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return stderr_is_terminal() && (no_colour == nullptr || *no_colour == '\0') &&
         terminal != nullptr && std::string_view(terminal) != "dumb";
}

namespace {

/// Waits up to 20 ms until the reader of a pipe has caught up so far that `bytes` more fit into one
/// of its reads. mpirun reads 4096 bytes at a time from each rank and prints what it has, so that a
/// line across two reads could be torn by another rank's.
void wait_for_reader(std::size_t bytes) noexcept {
  constexpr std::size_t one_read_bytes = 4096;
  if (!stderr_is_pipe()) return;
  for (int attempt = 0; attempt < 200; ++attempt) {
    int unread = 0;
    if (::ioctl(STDERR_FILENO, FIONREAD, &unread) != 0) return;
    if (unread == 0 || static_cast<std::size_t>(unread) + bytes <= one_read_bytes) return;
    ::usleep(100);
  }
}

}  // namespace

void write_stderr(std::string_view text) noexcept {
  wait_for_reader(text.size());
  while (!text.empty()) {
    const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody listens
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace cairn::program
