#include "cairn/collectives/agree.hpp"

#include <functional>
#include <string>

#include "cairn/collectives/collective.hpp"

namespace cairn {

bool agree(const Communicator& comm, bool ok) {
  return all_reduce(comm, static_cast<int>(ok), Minimum{}) != 0;
}

void agree(const Communicator& comm, const std::optional<Error>& error) {
  const int speaker = all_reduce(comm, error ? comm.rank() : comm.size(), Minimum{});
  if (speaker == comm.size()) return;

  int head[2] = {0, 0};  // code, length of the text
  std::string text;
  if (comm.rank() == speaker) {
    text = error->agreed() || comm.size() == 1
               ? error->what()
               : "rank " + std::to_string(speaker) + ": " + error->what();
    head[0] = error->exit_code();
    head[1] = static_cast<int>(text.size());
  }
  bcast(comm, std::span<int>(head), speaker);
  text.resize(static_cast<std::size_t>(head[1]));
  bcast(comm, std::span<char>(text), speaker);
  Error agreed(static_cast<Errc>(head[0]), text);
  agreed.mark_agreed();
  throw agreed;
}

}  // namespace cairn
