/// A Scratch folder that all ranks of an MPI test use.
#pragma once

#include <optional>

#include "cairn/collectives/collective.hpp"
#include "mpi_test.hpp"
#include "scratch.hpp"

namespace cairn::test {

/// Made and removed by rank 0; collective.
class SharedScratch {
 public:
  SharedScratch() {
    if (world().is_root()) own_.emplace();
    std::string path = own_ ? own_->path().string() : "";
    path.resize(bcast(world(), path.size()));
    bcast(world(), std::span<char>(path));
    path_ = path;
  }
  ~SharedScratch() { barrier(world()); }
  SharedScratch(const SharedScratch&) = delete;
  SharedScratch& operator=(const SharedScratch&) = delete;

  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

  /// Rank 0 writes the file; it is there for all when this returns. Collective.
  std::string file(std::string_view name, std::string_view bytes) const {
    if (own_) own_->file(name, bytes);
    barrier(world());
    return (path_ / name).string();
  }

 private:
  std::optional<Scratch> own_;
  std::filesystem::path path_;
};

}  // namespace cairn::test
