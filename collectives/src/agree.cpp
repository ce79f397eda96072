#include "cairn/collectives/agree.hpp"

#include <functional>
#include <string>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"

namespace cairn {

bool agree(const Communicator& comm, bool ok) {
  return all_reduce(comm, static_cast<int>(ok), Minimum{}) != 0;
}

void agree(const Communicator& comm, const std::optional<Error>& error) {
  const int speaker = all_reduce(comm, error ? comm.rank() : comm.size(), Minimum{});
  if (speaker == comm.size()) return;

  int code = 0;
  std::string text;
  if (comm.rank() == speaker) {
    code = error->exit_code();
    text = error->agreed() || comm.size() == 1
               ? error->what()
               : "rank " + std::to_string(speaker) + ": " + error->what();
  }
  code = bcast(comm, code, speaker);
  bcast(comm, into(text), speaker);
  throw_agreed(comm, static_cast<Errc>(code), text);
}

void throw_agreed(const Communicator& comm, Errc code, const std::string& message) {
  Error error(code, message);
  error.mark_agreed(comm.size(), comm.rank());
  throw error;
}

}  // namespace cairn
