#include "cairn/core/error.hpp"

#include <cerrno>
#include <system_error>

namespace cairn {

Errc errc_from_errno(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return Errc::no_input;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::permission;
    default:
      return Errc::input_output;
  }
}

namespace {

std::string_view advice(int error_number) {
  switch (error_number) {
    case ENOSPC:
      return "; free some space or choose another directory";
    case EDQUOT:
      return "; your disk quota is used up: free some space or choose another directory";
    case EROFS:
      return "; choose a directory that can be written";
    case EMFILE:
      return "; raise the limit of open files (ulimit -n)";
    default:
      return "";
  }
}

}  // namespace

void throw_errno(int error_number, std::string_view what) {
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(error_number);
  message += advice(error_number);
  throw Error(errc_from_errno(error_number), message);
}

namespace detail {

void throw_current_errno(std::string_view what) { throw_errno(errno, what); }

void throw_precondition(const char* message, const char* file, int line) {
  throw Error(Errc::internal, std::string(file) + ":" + std::to_string(line) +
                                  ": precondition: " + std::string(message));
}

}  // namespace detail
}  // namespace cairn
