#include "journal_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "cairn/consensus/journal.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/private_files.hpp"

namespace cairn::consensus::journal {

namespace fs = std::filesystem;

namespace {

void create_log(const fs::path& path, const Bytes& bytes) {
  File file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, private_file);
  file.write(bytes);
  file.sync();
  file.close();
  sync_directory(path.parent_path());
}

/// What was read of a log may stand in memory alone, as in SlotFile::open(): it is written again.
void make_durable(const fs::path& log, std::string_view bytes) {
  auto file = open_regular_file(log, O_RDWR);
  file.write_at(std::as_bytes(std::span(bytes)), 0);
  file.sync();
}

/// What stood there, for people. Where no links can be made it is lost with the old name.
void keep_damaged(const fs::path& log) {
  const auto damaged = log.string() + ".damaged";
  if (!is_there(log)) return;
  ::unlink(damaged.c_str());
  [[maybe_unused]] const int linked = ::link(log.c_str(), damaged.c_str());
}

/// A log in the place of one that cannot be trusted, with what is left of it. It takes the name in
/// one step: until then the old one says what it said, and is not trusted at the next start either.
void create_copy(const fs::path& log, Head head, const LogContents& left) {
  head.is_copy = true;
  auto bytes = encode(head);
  for (const auto& [digest, text] : left.texts) append_text(bytes, text);
  for (const auto& [index, final_entry] : left.finals) append_final(bytes, final_entry);
  keep_damaged(log);
  write_file_atomically(log,
                        std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                        FileAccess::owner);
}

void check_owner(const fs::path& directory, const Head& wanted, Head found) {
  found.is_copy = false;
  if (found == wanted) return;
  throw Error(Errc::usage, directory.string() + ": this is the journal of node " +
                               std::to_string(found.node) + " of " + std::to_string(found.nodes) +
                               (found.identity == wanted.identity ? "" : " of another job"));
}

/// Two lives of a node at once would each forget what the other has promised.
File lock_directory(const fs::path& directory) {
  auto lock = open_private_directory(directory);
  while (::flock(lock.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK)
      throw Error(Errc::unavailable, "the journal in " + directory.string() +
                                         " is in use by another process, or by this one");
    // File systems without locks; NFS has none for what is open to be read.
    if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS || errno == EBADF) break;
    throw_errno(errno, "lock " + directory.string());
  }
  return lock;
}

}  // namespace

Head head_of(const JournalOptions& options) {
  if (options.nodes < 1 || options.nodes > raft_nodes_max || options.node < 0 ||
      options.node >= options.nodes)
    throw Error(Errc::usage, "journal: node " + std::to_string(options.node) + " of " +
                                 std::to_string(options.nodes) + "; there are 1 to 9");
  return {.identity = options.identity,
          .node = options.node,
          .nodes = static_cast<std::uint32_t>(options.nodes)};
}

void create_files(const fs::path& directory, const Head& head) {
  make_private_directory(directory);
  // The log first: what has no slots yet has promised nothing, and is never taken for whole.
  create_log(directory / log_name, encode(head));
  (void)SlotFile::create(directory / slots_name, slot_identity(head),
                         {.slots = 2, .payload_bytes = slot_payload_bytes});
}

consensus::Recovered<RaftDurable> raft_state(const Recovered& recovered) {
  using To = consensus::Recovered<RaftDurable>::State;
  const auto state = recovered.state == Recovered::State::unreadable ? To::unreadable
                     : recovered.state == Recovered::State::blank    ? To::blank
                                                                     : To::valid;
  return {.state = state, .durable = recovered.durable};
}

OpenFiles open_files(const fs::path& directory, const Head& head) {
  make_private_directory(directory);  // a lost one comes back
  auto lock = lock_directory(directory);
  const auto log = directory / log_name;
  LogContents contents;
  if (is_there(log)) {
    const auto bytes = read_regular_file(log);
    contents = parse_log(std::as_bytes(std::span(bytes)));
    if (contents.head) check_owner(directory, head, *contents.head);
    make_durable(log, bytes);
  }
  const bool is_copy = contents.head && contents.head->is_copy;
  auto [slots, recovered_slots] = SlotFile::open(directory / slots_name, slot_identity(head));
  auto recovered = judge(std::move(contents), recovered_slots);
  if (recovered.state == Recovered::State::unreadable) {
    slots.reset();
    // What is missing may come back, a text from the others or the record by somebody's hand: the
    // log must not look whole then.
    if (!is_copy) create_copy(log, head, recovered.log);
  }
  return {std::move(lock), std::move(recovered), std::move(slots)};
}

}  // namespace cairn::consensus::journal
