/// The debug level CAIRN_CHECK=collectives: all ranks compare what they are about to call.
///
/// Before each collective call the ranks of its communicator exchange a hash of its name, way
/// (blocking, async, plan), element type, count, root, operation and, where every rank has them,
/// the counts of all ranks. Where two differ, every rank throws the same Error{Errc::internal} that
/// names both sides and the callers' source lines, instead of a hang or of wrong data. So it does
/// for a call that one rank cannot make, since its buffers have a wrong size or its root is no
/// rank: that rank says so in place of its call, and the others hear of it in their next one. It
/// costs an all_gather of 16 bytes a call and makes non-blocking calls wait for each other; off, a
/// branch.
///
/// Not compared: the counts of gather_v and scatter_v, which the root alone has, and of
/// all_to_all_v, all_to_all_w and neighbourhoods, which no two ranks share; messages; what a
/// Future or Plan is told after its call; a Communicator made of an MPI_Comm. The library's own
/// agree(), together() and the like appear with lines of the library.
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

/// Its members one by one, in the branch that needs them: else every call writes its Signature to
/// memory first, which at 8 B is some per cent of it.
[[gnu::always_inline]] inline Signature copy_of(const Signature& s) {
  return {s.call, s.element, s.count, s.root, s.operation, s.counts, s.wide_counts, s.kind};
}

/// The three ways of a call (call.hpp), which do not match each other, as in MPI.
enum class Manner : unsigned char { blocking, async, planned };

/// Collective over `comm`: throws the agreed Error of a mismatch. Nothing for a message.
void compare(const Communicator& comm, const Signature& signature, Where where,
             Manner manner = Manner::blocking);

/// The same, if the debug level is on.
[[gnu::always_inline]] inline void compare_if_checked(const Communicator& comm,
                                                      const Signature& signature,
                                                      const Where& where,
                                                      Manner manner = Manner::blocking) {
  if (comm.is_checked()) [[unlikely]] {
    compare(comm, copy_of(signature), where, manner);
  }
}

/// Throws for a call that this rank cannot make, as its arguments are wrong: at the debug level,
/// where the others hear of it in their next compare(), an agreed Error; else one of this rank.
[[noreturn]] void refuse(const Communicator& comm, const Signature& signature, Where where,
                         Manner manner, const char* wanted);

/// expects() for the arguments of a call that other ranks are about to make.
class Require {
 public:
  Require(const Communicator& comm, const Signature& signature, const Where& where,
          Manner manner = Manner::blocking)
      : comm_(comm), signature_(signature), where_(where), manner_(manner) {}

  [[gnu::always_inline]] void operator()(bool holds, const char* wanted) const {
    if (!holds) [[unlikely]] {
      refuse(comm_, copy_of(signature_), where_, manner_, wanted);
    }
  }
  /// Rank -1 is MPI_PROC_NULL and -2 MPI_ANY_SOURCE: a wrong index would go through silently.
  [[gnu::always_inline]] void rank(int rank) const {
    (*this)(rank >= 0 && rank < comm_.size(), "a rank of the communicator");
  }

 private:
  const Communicator& comm_;
  const Signature& signature_;
  const Where& where_;
  Manner manner_;
};

}  // namespace detail

}  // namespace cairn
