#include "cairn/collectives/check.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

/// What travels, in a fixed size: whatever two ranks call, both exchange this first.
struct Notice {
  std::array<char, 24> call{};
  std::array<char, 48> element{};
  std::array<char, 48> operation{};
  std::array<char, 64> file{};
  std::uint64_t count = 0;
  std::int32_t root = 0;
  std::int32_t line = 0;
};

template <std::size_t n>
void put(std::array<char, n>& place, std::string_view text) {
  std::copy_n(text.begin(), std::min(n - 1, text.size()), place.begin());
}

/// The name of T in the text that the compiler makes: "… [with T = double]" or "… [T = double]".
std::string_view type_name(const char* signature) {
  if (signature == nullptr) return "";
  std::string_view text = signature;
  const auto start = text.find("T = ");
  if (start == std::string_view::npos) return text;
  text.remove_prefix(start + 4);
  return text.substr(0, text.rfind(']'));
}

/// The end of a path, which tells more than its start.
std::string_view short_path(std::string_view path, std::size_t length) {
  if (path.size() <= length) return path;
  path.remove_prefix(path.size() - length);
  return path.substr(path.find('/') + 1);
}

Notice notice_of(const Signature& signature, const Where& where) {
  Notice notice;
  put(notice.call, signature.call);
  put(notice.element, type_name(signature.element));
  put(notice.operation, type_name(signature.operation));
  put(notice.file, short_path(where.file, notice.file.size() - 1));
  notice.count = signature.count;
  notice.root = signature.root;
  notice.line = where.line;
  return notice;
}

bool same_call(const Notice& a, const Notice& b) {
  return a.call == b.call && a.element == b.element && a.operation == b.operation &&
         a.count == b.count && a.root == b.root;
}

std::string description(const Notice& notice, std::size_t rank) {
  std::string text = notice.call.data();
  if (notice.count != Signature::any_count) {
    text += " of " + std::to_string(notice.count) + " " + notice.element.data();
  } else if (notice.element[0] != '\0') {
    text += std::string(" of ") + notice.element.data();
  }
  if (notice.operation[0] != '\0') text += std::string(" with ") + notice.operation.data();
  if (notice.root != Signature::no_root) text += ", root " + std::to_string(notice.root);
  return text + " (" + notice.file.data() + ":" + std::to_string(notice.line) + ") on rank " +
         std::to_string(rank);
}

}  // namespace

void compare(const Communicator& comm, const Signature& signature, const Where& where) {
  if (signature.kind == Signature::Kind::message) return;
  const Notice mine = notice_of(signature, where);
  std::vector<Notice> all(static_cast<std::size_t>(comm.size()));
  check_mpi(MPI_Allgather(&mine, sizeof(Notice), MPI_BYTE, all.data(), sizeof(Notice), MPI_BYTE,
                          comm.internal()),
            "MPI_Allgather");
  for (std::size_t r = 1; r < all.size(); ++r) {
    if (same_call(all[0], all[r])) continue;
    throw_agreed(comm, Errc::internal,
                 "the ranks do not call the same collective: " + description(all[0], 0) + ", but " +
                     description(all[r], r));
  }
}

}  // namespace cairn::detail
