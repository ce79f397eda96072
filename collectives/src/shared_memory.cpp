#include "shared_memory.hpp"

#include <fcntl.h>
#include <mpi.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

/// A file descriptor, closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const noexcept { return number_; }
  [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }

 private:
  int number_;
};

/// Where the other ranks find rank 0's file, and how they know that it is this one: in another
/// process namespace the same path may lead to a stranger's file.
struct Address {
  std::int64_t process = 0;
  std::int64_t descriptor = -1;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

/// The bytes that this machine could still hand out, swap included, as Linux estimates them.
std::optional<std::uint64_t> available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::optional<std::uint64_t> memory_kibibytes;
  std::uint64_t swap_kibibytes = 0;
  for (std::string line; std::getline(file, line);) {
    std::string key;
    std::uint64_t kibibytes = 0;
    if (!(std::istringstream(line) >> key >> kibibytes)) continue;
    if (key == "MemAvailable:") memory_kibibytes = kibibytes;
    if (key == "SwapFree:") swap_kibibytes = kibibytes;
  }
  if (!memory_kibibytes) return std::nullopt;
  return 1024 * (*memory_kibibytes + swap_kibibytes);
}

/// Whether the memory is there; the file and its mapping alone reserve none, and a page that is
/// missing when it is written ends a process.
bool is_available(std::size_t bytes) {
  const auto available = available_bytes();
  return !available || bytes <= *available;
}

int create(std::size_t bytes) {
  if (!is_available(bytes)) return -1;
  const int number = ::memfd_create("cairn.node_engine", MFD_CLOEXEC);
  if (number >= 0 && ::ftruncate(number, static_cast<off_t>(bytes)) != 0) {
    ::close(number);
    return -1;
  }
  return number;
}

Address address_of(const Descriptor& file) {
  struct stat status {};
  if (!file.is_open() || ::fstat(file.number(), &status) != 0) return {};
  return {::getpid(), file.number(), status.st_dev, status.st_ino};
}

int open_at(const Address& address) {
  if (address.descriptor < 0) return -1;
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/%lld/fd/%lld",
                static_cast<long long>(address.process),
                static_cast<long long>(address.descriptor));
  // A stranger's pipe would make open() wait without O_NONBLOCK.
  const int number = ::open(path.data(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (number >= 0 && (::fstat(number, &status) != 0 || status.st_dev != address.device ||
                      status.st_ino != address.inode)) {
    ::close(number);
    return -1;
  }
  return number;
}

/// The mapping, or an empty span.
std::span<std::byte> map(const Descriptor& file, std::size_t bytes) {
  if (!file.is_open()) return {};
  void* const start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
  if (start == MAP_FAILED) return {};
  return {static_cast<std::byte*>(start), bytes};
}

}  // namespace

std::optional<SharedMemory> SharedMemory::allocate(const Communicator& node, std::size_t bytes) {
  const Descriptor created(node.is_root() ? create(bytes) : -1);
  Address address = address_of(created);
  check_mpi(MPI_Bcast(&address, sizeof address, MPI_BYTE, 0, node.native()), "MPI_Bcast");
  const Descriptor opened(node.is_root() ? -1 : open_at(address));
  SharedMemory memory(map(node.is_root() ? created : opened, bytes));
  // The agreement is also what keeps rank 0's descriptor open until all have mapped it.
  if (!agree(node, !memory.bytes_.empty())) return std::nullopt;
  return memory;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  if (this != &other) {
    release();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

SharedMemory::~SharedMemory() { release(); }

void SharedMemory::release() noexcept {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  bytes_ = {};
}

}  // namespace cairn::detail
