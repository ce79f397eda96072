/// Memory that the ranks of one machine share, mapped into each of them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "cairn/collectives/communicator.hpp"

namespace cairn::detail {

/// One anonymous file in memory, mapped by every rank; RAII for a rank's mapping.
///
/// It has no name in /dev/shm or anywhere else: it is gone when the last rank has unmapped it or
/// has died, and the size of /dev/shm does not limit it. It is no MPI window, since MPI_Win_free
/// waits for all ranks: here the destructor is local, so that an exception on one rank unwinds to
/// the abort of the job, and it needs no MPI, so that it may also run after MPI_Finalize.
class SharedMemory {
 public:
  /// Collective over `node`, whose ranks run on one machine; `bytes` is equal on all. The memory
  /// is zero; a page stands on the NUMA node of the rank that writes it first.
  ///
  /// @return nothing, on every rank, when any rank cannot map it: another kernel, user or process
  /// namespace, or less memory on the machine than `bytes`. What others take meanwhile, and the
  /// limit of a control group, are not seen: there the kernel ends a process that writes the memory
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  [[nodiscard]] static std::optional<SharedMemory> allocate(const Communicator& node,
                                                            std::size_t bytes);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  /// Shape [bytes], begins at a page.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  explicit SharedMemory(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}
  void release() noexcept;

  std::span<std::byte> bytes_;
};

}  // namespace cairn::detail
