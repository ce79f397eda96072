/// A failure that one rank sees becomes a decision of all, before anybody acts on it.
///
/// The rule of the library: work that may fail on one rank alone stands inside together() (or is
/// followed by agree()) before the next collective, so that no rank waits in a collective that
/// another has abandoned.
#pragma once

#include <exception>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "cairn/collectives/communicator.hpp"
#include "cairn/core/error.hpp"

namespace cairn {

/// True on every rank if `ok` is true on every rank. Collective, blocking: one all_reduce of an
/// int.
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
[[nodiscard]] bool agree(const Communicator& comm, bool ok);

/// Throws on every rank if any rank passes an error: the error of the lowest such rank, named in
/// the text, and marked agreed() by the ranks of `comm`, whoever agreed on it before. Returns if
/// nobody passes one. Collective, blocking: one all_reduce of an int when all is well.
void agree(const Communicator& comm, const std::optional<Error>& error);

/// Throws an Error that every rank of `comm` throws alike, because all have come to it from the
/// same values: agreed() without a message. Collective, but nobody waits.
[[noreturn]] void throw_agreed(const Communicator& comm, Errc code, const std::string& message);

/// Runs `work`, which is local and may throw, on every rank; then either returns its result on all
/// of them or throws the same agreed Error on all. Collective, blocking. Exceptions that are no
/// Error count as internal, also those that are none of std.
template <typename Work>
std::invoke_result_t<Work> together(const Communicator& comm, Work&& work);

// ---------------------------------------------------------------------------------------------

namespace detail {

/// Calls `work` and returns what it threw.
template <typename Work>
std::optional<Error> error_of(Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(Errc::unavailable, "out of memory");
  } catch (const std::exception& error) {
    return Error(Errc::internal, error.what());
  } catch (...) {
    return Error(Errc::internal, "an exception of an unknown kind");
  }
  return std::nullopt;
}

}  // namespace detail

template <typename Work>
std::invoke_result_t<Work> together(const Communicator& comm, Work&& work) {
  using Result = std::invoke_result_t<Work>;
  if constexpr (std::is_void_v<Result>) {
    agree(comm, detail::error_of(std::forward<Work>(work)));
  } else {
    std::optional<Result> result;
    agree(comm, detail::error_of([&] { result.emplace(std::forward<Work>(work)()); }));
    return *std::move(result);
  }
}

}  // namespace cairn
