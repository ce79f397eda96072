#include "cairn/program/places.hpp"

#include <unistd.h>

#include <cerrno>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/error.hpp"

namespace cairn::program {

void check_places(const Communicator& comm, std::initializer_list<std::filesystem::path> files) {
  together(comm, [&] {
    if (!comm.is_root()) return;
    for (const auto& file : files) {
      if (file.empty()) continue;
      const auto folder = file.has_parent_path() ? file.parent_path() : ".";
      if (::access(folder.c_str(), W_OK) != 0)
        throw_errno(errno, "write to folder " + folder.string());
      if (std::filesystem::is_directory(file)) {
        throw Error(Errc::usage, file.string() + " is a folder; name a file in it");
      }
    }
  });
}

}  // namespace cairn::program
