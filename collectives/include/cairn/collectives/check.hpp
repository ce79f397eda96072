/// The debug level CAIRN_CHECK=collectives: all ranks compare what they are about to call.
///
/// Before each collective call the ranks of its communicator exchange a hash of its name, way
/// (blocking, async, plan), element type, count, root and operation. Where two differ, every rank
/// throws the same Error{Errc::internal} that names both sides and the callers' source lines,
/// instead of a hang or of wrong data. It costs an all_gather of 8 bytes a call and makes
/// non-blocking calls wait for each other; off, a branch.
#pragma once

#include <cstddef>
#include <typeinfo>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/where.hpp"

namespace cairn {

namespace detail {

/// A type of elements or of an operation.
struct TypeName {
  const char* text;            ///< that holds the name, or is it
  const std::type_info* type;  ///< tells two lambdas of one function apart, whose names are equal;
                               ///< null without RTTI
};

template <typename T>
constexpr const char* text_with_name_of() {
  return __PRETTY_FUNCTION__;  // names T
}

#ifdef __cpp_rtti
template <typename T>
inline constexpr TypeName type_name{text_with_name_of<T>(), &typeid(T)};
#else
template <typename T>
inline constexpr TypeName type_name{text_with_name_of<T>(), nullptr};
#endif

template <typename T>
constexpr const TypeName* signature_of() {
  return &type_name<T>;
}

/// What has to be equal on all ranks.
struct Signature {
  static constexpr std::size_t any_count = static_cast<std::size_t>(-1);
  static constexpr int no_root = -1;

  const char* call;
  const TypeName* element = nullptr;  ///< signature_of<T>(); null where types may differ
  std::size_t count = any_count;
  int root = no_root;
  const TypeName* operation = nullptr;  ///< signature_of<Op>(); null for none
  const int* counts = nullptr;          ///< one per rank, where all ranks know all; or …
  const std::size_t* wide_counts = nullptr;
  enum class Kind { collective, message } kind = Kind::collective;
};

/// The three ways of a call (call.hpp), which do not match each other, as in MPI.
enum class Manner : unsigned char { blocking, async, planned };

/// Collective over `comm`: throws the agreed Error of a mismatch. Nothing for a message.
void compare(const Communicator& comm, const Signature& signature, const Where& where,
             Manner manner = Manner::blocking);

/// The same for a blocking call, if the debug level is on.
inline void compare_if_checked(const Communicator& comm, const Signature& signature,
                               const Where& where) {
  if (comm.is_checked()) [[unlikely]] {
    compare(comm, signature, where);
  }
}

}  // namespace detail

}  // namespace cairn
