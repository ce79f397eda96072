/// Memory whose size a user has chosen: where there is not so much, the user hears which option is
/// too large.
#pragma once

#include <exception>
#include <string>

#include "cairn/collectives/agree.hpp"

namespace cairn::program {

namespace detail {
[[noreturn]] void refuse_memory(const std::string& what, double bytes);
}  // namespace detail

/// Calls `allocate`, which takes about `bytes` on this rank. Collective, blocking.
/// @param what      what asks for them, for the message: "--size 4096"
/// @param allocate  allocates, and fails in no other way
/// @throws Error{usage}, agreed, when the system refuses the memory on any rank
template <typename Allocate>
void take_memory(const Communicator& comm, const std::string& what, double bytes,
                 Allocate&& allocate) {
  together(comm, [&] {
    try {
      allocate();
    } catch (const std::exception&) {  // bad_alloc or length_error
      detail::refuse_memory(what, bytes);
    }
  });
}

}  // namespace cairn::program
