#include "allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> calls{0};
std::atomic<std::size_t> largest{0};
std::atomic<long> until_failure{0};  // the allocation that fails counts it down to 0

void* allocate(std::size_t size, std::size_t alignment) {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (size > largest.load(std::memory_order_relaxed))
    largest.store(size, std::memory_order_relaxed);
  const bool fails = until_failure.load() > 0 && until_failure.fetch_sub(1) == 1;
  void* memory = nullptr;
  if (alignment < sizeof(void*)) alignment = sizeof(void*);
  if (fails || posix_memalign(&memory, alignment, size == 0 ? 1 : size) != 0)
    throw std::bad_alloc();
  return memory;
}

}  // namespace

// Those of arrays too, since a sanitizer's own would not call these. The nothrow forms are left.
void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace cairn::test {

std::size_t allocations() { return calls.load(); }

std::size_t largest_allocation() { return largest.exchange(0); }

void fail_allocation(long n) { until_failure = n; }

}  // namespace cairn::test
