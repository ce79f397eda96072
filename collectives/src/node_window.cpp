// Vectors that lie in the shared memory of a node.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/mpi_error.hpp"
#include "node_engine_impl.hpp"

namespace cairn {

namespace {

constexpr std::size_t page_bytes = 4096;

}  // namespace

void NodeWindow::Impl::AlignedDelete::operator()(std::byte* memory) const noexcept {
  ::operator delete (memory, std::align_val_t{64});
}

namespace {

/// The bytes of `ranks` windows of `bytes` bytes, each in whole pages; none if no integer holds
/// them.
std::optional<std::size_t> bytes_of_all(std::size_t bytes, std::size_t ranks) {
  const std::size_t most = static_cast<std::size_t>(PTRDIFF_MAX) / ranks;
  if (bytes > most - page_bytes) return std::nullopt;
  return (std::max<std::size_t>(bytes, 1) + page_bytes - 1) / page_bytes * page_bytes * ranks;
}

}  // namespace

NodeWindow::Impl::Impl(const NodeEngine::Impl& engine, std::size_t bytes)
    : engine_(engine.number()) {
  const auto& comm = engine.comm();
  const auto* const node = engine.node();
  if (node == nullptr) {
    together(comm, [&] {
      if (bytes > PTRDIFF_MAX) throw std::bad_alloc();
      private_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64})));
      std::memset(private_.get(), 0, bytes);
    });
    mine_ = private_.get();
    return;
  }
  const auto ranks = static_cast<std::size_t>(node->size());
  const auto all = bytes_of_all(bytes, ranks);
  if (all) shared_ = detail::SharedMemory::allocate(*node, *all);
  if (!agree(comm, shared_.has_value())) {
    Error error(Errc::unavailable,
                "no shared memory for a window of " + std::to_string(bytes) + " bytes a rank");
    error.mark_agreed();
    throw error;
  }
  const std::size_t each = *all / ranks;
  for (std::size_t r = 0; r < ranks; ++r) vectors_.push_back(shared_->bytes().data() + r * each);
  mine_ = vectors_[static_cast<std::size_t>(node->rank())];
  std::memset(mine_, 0, each);  // places the pages near this rank
  check_mpi(MPI_Barrier(node->native()), "MPI_Barrier");
}

NodeWindow::NodeWindow(NodeEngine& engine, std::size_t bytes)
    : impl_(std::make_unique<Impl>(*engine.impl_, bytes)), data_(impl_->mine()), bytes_(bytes) {}

NodeWindow::NodeWindow(NodeWindow&& other) noexcept
    : impl_(std::move(other.impl_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

NodeWindow& NodeWindow::operator=(NodeWindow&& other) noexcept {
  impl_ = std::move(other.impl_);
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

NodeWindow::~NodeWindow() = default;

}  // namespace cairn
