/// What the two halves of the library for LD_PRELOAD under valgrind share: defined_sends.cpp and
/// tracked_requests.cpp.
#pragma once

#include <dlfcn.h>
#include <mpi.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace cairn::test {

/// Memory that no operator new of the program counts.
template <typename T>
struct Malloc {
  using value_type = T;  // NOLINT(readability-identifier-naming): the standard's name
  Malloc() = default;
  template <typename U>
  explicit(false) Malloc(const Malloc<U>&) {}
  T* allocate(std::size_t n) {
    if (auto* const memory = static_cast<T*>(std::malloc(n * sizeof(T)))) return memory;
    throw std::bad_alloc();
  }
  void deallocate(T* memory, std::size_t) noexcept { std::free(memory); }
  bool operator==(const Malloc&) const = default;
};

/// The call of this name that comes after this library.
template <typename Function>
Function* next(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

/// Has memcheck complain of undefined bytes among those that travel.
void expect_defined(const void* data, int count, MPI_Datatype type, MPI_Comm comm);

bool is_rank(MPI_Comm comm, int root);

}  // namespace cairn::test
