/// The debug level CAIRN_CHECK=collectives: all ranks compare what they are about to call.
///
/// Before each collective call the ranks of its communicator exchange its name, element type,
/// count, root and operation, and the caller's source line. Where two differ, every rank throws the
/// same Error{Errc::internal} that names both sides, instead of a hang or of wrong data. It costs
/// an all_gather a call and makes non-blocking calls wait for each other; off, a branch.
#pragma once

#include <cstddef>

namespace cairn {

class Communicator;

/// The caller's place in the source; the last parameter of every collective.
struct Where {
  const char* file;
  int line;

  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

namespace detail {

template <typename T>
constexpr const char* signature_of() {
  return __PRETTY_FUNCTION__;  // names T
}

/// What has to be equal on all ranks.
struct Signature {
  static constexpr std::size_t any_count = static_cast<std::size_t>(-1);
  static constexpr int no_root = -1;

  const char* call;
  const char* element = nullptr;  ///< signature_of<T>(); null where types may differ
  std::size_t count = any_count;
  int root = no_root;
  const char* operation = nullptr;  ///< signature_of<Op>(); null for none
  enum class Kind { collective, message } kind = Kind::collective;
};

/// Collective over `comm`: throws the agreed Error of a mismatch. Nothing for a message.
void compare(const Communicator& comm, const Signature& signature, const Where& where);

}  // namespace detail

}  // namespace cairn
