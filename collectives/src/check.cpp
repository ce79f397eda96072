#include "cairn/collectives/check.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

/// FNV-1a, 64 bits (Fowler, Noll, Vo). Whatever two ranks call, both exchange this first; the texts
/// travel only when it differs, and whole.
class Hash {
 public:
  void add(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < bytes; ++i) {
      value_ = (value_ ^ at[i]) * std::uint64_t{0x100000001b3};
    }
  }
  void add(std::uint64_t number) { add(&number, sizeof number); }
  void add(std::string_view text) {
    add(text.size());  // so that texts one behind the other stay apart
    add(text.data(), text.size());
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

/// The name of T in the text that the compiler makes: "… [with T = double]" or "… [T = double]".
std::string_view name_of(const TypeName* type) {
  if (type == nullptr) return "";
  std::string_view text = type->text;
  const auto start = text.find("T = ");
  if (start == std::string_view::npos) return text;
  text.remove_prefix(start + 4);
  return text.substr(0, text.rfind(']'));
}

/// What no other type of the program has.
std::string_view identity_of(const TypeName* type) {
  return type != nullptr && type->type != nullptr ? type->type->name() : name_of(type);
}

/// What a rank is about to call, and where.
struct Call {
  const Signature& signature;
  const Where& where;
  Manner manner;
};

/// Calls with each count of a call that has one for each of `ranks`.
template <typename Take>
void for_each_count(const Signature& signature, int ranks, const Take& take) {
  for (int r = 0; r < ranks; ++r) {
    if (signature.counts != nullptr) take(static_cast<std::uint64_t>(signature.counts[r]));
    if (signature.wide_counts != nullptr) take(std::uint64_t{signature.wide_counts[r]});
  }
}

std::uint64_t hash_of(const Call& call, int ranks) {
  const Signature& signature = call.signature;
  Hash hash;
  hash.add(static_cast<std::uint64_t>(call.manner));
  hash.add(std::string_view(signature.call));
  hash.add(identity_of(signature.element));
  hash.add(identity_of(signature.operation));
  hash.add(signature.count);
  hash.add(static_cast<std::uint64_t>(signature.root));
  for_each_count(signature, ranks, [&](std::uint64_t count) { hash.add(count); });
  return hash.value();
}

const char* prefix_of(Manner manner) {
  switch (manner) {
    case Manner::async:
      return "async ";
    case Manner::planned:
      return "planned ";
    default:
      return "";
  }
}

/// Of so many counts the description tells the values.
constexpr int most_counts = 32;

std::string counts_of(const Signature& signature, int ranks) {
  std::string text;
  for_each_count(signature, std::min(ranks, most_counts),
                 [&](std::uint64_t count) { (text += ' ') += std::to_string(count); });
  if (text.empty()) return text;
  return ", counts" + text + (ranks > most_counts ? " …" : "");
}

std::string description(const Call& call, int ranks) {
  const Signature& signature = call.signature;
  std::string text = prefix_of(call.manner);
  text += signature.call;
  const std::string_view element = name_of(signature.element);
  if (signature.count != Signature::any_count) text += " of " + std::to_string(signature.count);
  if (!element.empty()) {
    text += signature.count == Signature::any_count ? " of " : " ";
    text += element;
  }
  if (signature.operation != nullptr) (text += " with ") += name_of(signature.operation);
  if (signature.root != Signature::no_root) text += ", root " + std::to_string(signature.root);
  return text + counts_of(signature, ranks);
}

/// The text of rank `root`, on every rank. Not bcast(), which would be compared.
std::string text_of(const Communicator& comm, std::string text, int root) {
  int length = static_cast<int>(text.size());
  check_mpi(MPI_Bcast(&length, 1, MPI_INT, root, comm.internal()), "MPI_Bcast");
  text.resize(static_cast<std::size_t>(length));
  check_mpi(MPI_Bcast(text.data(), length, MPI_CHAR, root, comm.internal()), "MPI_Bcast");
  return text;
}

/// What one rank calls, and where; known to all.
struct Side {
  Side(const Communicator& comm, const Call& mine, int rank)
      : call(text_of(comm, description(mine, comm.size()), rank)),
        place(text_of(comm, mine.where.file + (":" + std::to_string(mine.where.line)), rank)),
        text(call + " (" + place + ") on rank " + std::to_string(rank)) {}

  std::string call;
  std::string place;
  std::string text;
};

/// What every rank tells the others before it calls.
struct Notice {
  std::uint64_t hash = 0;
  std::uint64_t is_refused = 0;
};
static_assert(sizeof(Notice) == 2 * sizeof(std::uint64_t));

[[noreturn]] void throw_mismatch(const Communicator& comm, const Call& mine, int other_rank) {
  const Side first(comm, mine, 0);
  const Side other(comm, mine, other_rank);
  std::string message =
      "the ranks do not call the same collective: " + first.text + ", but " + other.text;
  if (first.call == other.call) {
    message +=
        "; they read alike, but are of two types or operations (two lambdas?), or further counts "
        "differ";
  }
  throw_agreed(comm, Errc::internal, message);
}

/// @param wanted  on rank `refusing`
[[noreturn]] void throw_refusal(const Communicator& comm, const Call& mine, const char* wanted,
                                int refusing) {
  const Side side(comm, mine, refusing);
  const std::string text = text_of(comm, wanted != nullptr ? wanted : "", refusing);
  std::string message = "rank " + std::to_string(refusing) +
                        " cannot make its call: precondition: " + text + ", in " + side.text;
  if (comm.size() > 1) message += ", beside " + Side(comm, mine, refusing == 0 ? 1 : 0).text;
  throw_agreed(comm, Errc::internal, message);
}

/// @param wanted  what this rank misses in its arguments; null for nothing
void compare(const Communicator& comm, const Call& mine, const char* wanted) {
  const Notice notice{hash_of(mine, comm.size()), wanted != nullptr ? 1U : 0U};
  std::vector<Notice> all(static_cast<std::size_t>(comm.size()));
  check_mpi(MPI_Allgather(&notice, 2, MPI_UINT64_T, all.data(), 2, MPI_UINT64_T, comm.internal()),
            "MPI_Allgather");
  for (int r = 0; r < comm.size(); ++r) {
    if (all[static_cast<std::size_t>(r)].is_refused != 0) throw_refusal(comm, mine, wanted, r);
  }
  for (int r = 1; r < comm.size(); ++r) {
    if (all[static_cast<std::size_t>(r)].hash != all[0].hash) throw_mismatch(comm, mine, r);
  }
}

}  // namespace

void compare(const Communicator& comm, const Signature& signature, Where where, Manner manner) {
  if (signature.kind == Signature::Kind::message) return;
  compare(comm, {signature, where, manner}, nullptr);
}

void refuse(const Communicator& comm, const Signature& signature, Where where, Manner manner,
            const char* wanted) {
  if (comm.is_checked()) {
    Signature known = signature;
    known.counts = nullptr;  // as many as there are ranks? that may be what is wrong
    known.wide_counts = nullptr;
    compare(comm, {known, where, manner}, wanted);
  }
  throw_precondition(wanted, where.file, where.line);
}

}  // namespace cairn::detail
