#include "cairn/consensus/fence.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <span>
#include <thread>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "cairn/core/private_files.hpp"
#include "fence_files.hpp"
#include "heartbeat.hpp"
#include "held_claims.hpp"
#include "owner_watch.hpp"

namespace cairn::consensus {

namespace fs = std::filesystem;

namespace {

// In the order in which a claim passes them.
Failpoint before_write{"fence.claim.write"};
Failpoint before_sync{"fence.claim.sync"};
Failpoint before_link{"fence.claim.link"};
Failpoint after_link{"fence.claim.linked"};
Failpoint before_directory_sync{"fence.claim.directory"};
Failpoint before_beat{"fence.claim.beat"};
Failpoint before_confirm_write{"fence.confirm.write"};
Failpoint before_confirm_sync{"fence.confirm.sync"};
Failpoint before_confirm_rename{"fence.confirm.rename"};
Failpoint before_confirm_directory{"fence.confirm.directory"};
Failpoint before_prune{"fence.prune"};

constexpr int most_attempts = 100;

/// A temporary file with these bytes, durable.
void write_temporary(const fs::path& path, const Claim& claim, Failpoint& before_bytes,
                     Failpoint& before_fdatasync) {
  const auto text = claim_text(claim);
  File file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, private_file);
  before_bytes.check("write " + path.string());
  file.write(std::as_bytes(std::span(text)));
  before_fdatasync.check("fdatasync " + path.string());
  file.sync();
  file.close();
}

/// Removes a temporary file at the end of a scope, whatever happens there.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { ::unlink(path_.c_str()); }
  [[nodiscard]] const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

bool has_no_links(int error) {
  return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EMLINK ||
         error == EXDEV;
}

/// For file systems without hard links: exclusive creation decides as well, but a kill may leave a
/// torn claim, whose number is then taken by nobody.
bool create_exclusively(const fs::path& path, const Claim& claim) {
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, private_file);
  if (descriptor < 0 && errno == EEXIST) return false;
  check_posix(descriptor, "create " + path.string());
  ::close(descriptor);
  const auto text = claim_text(claim);
  File file(path, O_WRONLY | O_NOFOLLOW);
  file.write(std::as_bytes(std::span(text)));
  file.sync();
  file.close();
  return true;
}

/// Whether `path` is this claim, however its attributes are cached.
bool holds_nonce(const fs::path& directory, const Claim& claim) {
  const auto found = find_claim(directory, claim.incarnation);
  return found.claim && found.claim->owner.nonce == claim.owner.nonce;
}

/// The compare-and-swap: true when `inc.K` is now this claim, false when it is somebody else's.
bool link_claim(const fs::path& directory, const fs::path& temporary, const Claim& claim) {
  const auto path = claim_path(directory, claim.incarnation);
  before_link.check("link " + path.string());
  const int result = ::link(temporary.c_str(), path.c_str());
  const int error = result == 0 ? 0 : errno;
  after_link.check("link " + path.string());
  // On NFS the answer of link(2) is that of a repetition when the first answer was lost: EEXIST, or
  // any failure, although the link was made. The count of the temporary file tells.
  struct stat status = {};
  const bool is_known = ::stat(temporary.c_str(), &status) == 0;
  if (is_known && status.st_nlink == 2) return true;
  if (holds_nonce(directory, claim)) return true;
  if (error == 0 || error == EEXIST || error == ENOENT) return false;  // ENOENT: it was swept away
  if (has_no_links(error)) return create_exclusively(path, claim);
  throw_errno(error, "link " + path.string());
}

std::uint64_t newest_number(const fs::path& directory) {
  const auto all = claimed(directory);
  return all.empty() ? 0 : all.back();
}

/// Whether the number was in vain: one that was free because its claim was removed as too old,
/// while this launch slept between its look and its link. A higher one was there before that
/// removal.
bool is_outdated(const fs::path& directory, const Claim& claim) {
  if (newest_number(directory) <= claim.incarnation) return false;
  if (holds_nonce(directory, claim)) ::unlink(claim_path(directory, claim.incarnation).c_str());
  return true;
}

/// Claims exactly this number; false when another has it, or a higher one.
bool try_claim(const fs::path& directory, const Claim& claim) {
  const Temporary temporary(temporary_claim_path(directory, claim.owner.nonce));
  ::unlink(temporary.path().c_str());  // of a former attempt of this process
  write_temporary(temporary.path(), claim, before_write, before_sync);
  if (!link_claim(directory, temporary.path(), claim)) return false;
  before_directory_sync.check("fsync " + directory.string());
  sync_directory(directory);
  return !is_outdated(directory, claim);
}

/// Returns when the owner of `incarnation`, the newest one, is gone; false when that is the newest
/// no more.
bool wait_until_gone(const fs::path& directory, std::uint64_t incarnation,
                     const FenceOptions& options) {
  OwnerWatch watch(directory, incarnation, options);
  for (;;) {
    const auto verdict = watch.look();
    if (verdict == OwnerWatch::Verdict::gone) return true;
    if (newest_number(directory) != incarnation) return false;
    // Without a sign of life the watch ends by itself when the heartbeat counts as stale.
    if (verdict == OwnerWatch::Verdict::alive &&
        watch.watched_seconds() >= options.patience_seconds) {
      throw Error(Errc::unavailable, watch.refusal());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

// --- looking ---------------------------------------------------------------------------------

std::optional<Ownership> owner(const fs::path& directory) {
  // Newest first; it may be replaced between the list and the look.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto newest = newest_number(directory);
    if (newest == 0) return std::nullopt;
    auto found = find_claim(directory, newest);
    if (!found.exists) continue;
    Ownership ownership{.incarnation = newest,
                        .claim = std::move(found.claim),
                        .problem = std::move(found.problem)};
    if (!ownership.claim) return ownership;
    const auto beat = text_of(beat_path(directory, newest));
    ownership.is_released = beat == released_text(ownership.claim->owner.nonce);
    return ownership;
  }
  return std::nullopt;
}

bool is_owner_gone(const fs::path& directory, const FenceOptions& options) {
  const auto newest = newest_number(directory);
  if (newest == 0) return true;
  auto at_once = options;
  at_once.stale_seconds = 1e9;
  return OwnerWatch(directory, newest, at_once).look() == OwnerWatch::Verdict::gone;
}

std::optional<Claim> newest_confirmed(const fs::path& directory) {
  const auto all = claimed(directory);
  for (auto number = all.rbegin(); number != all.rend(); ++number) {
    auto found = find_claim(directory, *number);
    if (found.claim && found.claim->honoured) return std::move(found.claim);
  }
  return std::nullopt;
}

bool is_fenced(const fs::path& directory, std::uint64_t incarnation) {
  // Claims are removed oldest first, so whoever finds no successor finds its own claim gone; unless
  // it is that of a launch that slept while its number became free again.
  if (is_there(claim_path(directory, incarnation + 1))) return true;
  if (is_there(claim_path(directory, incarnation))) return newest_number(directory) > incarnation;
  if (!is_there(directory)) throw_errno(ENOENT, "look for " + directory.string());
  return true;
}

// --- a held claim ----------------------------------------------------------------------------

struct Fence::Implementation {
  Implementation(fs::path where, Claim what, double heartbeat_seconds)
      : directory(std::move(where)),
        claim(std::move(what)),
        heartbeat(beat_path(directory, claim.incarnation), claim.owner.nonce, heartbeat_seconds) {
    hold_here(claim.owner.nonce);
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() {
    heartbeat.release();
    let_go_here(claim.owner.nonce);
  }

  void remove_older(const std::vector<std::uint64_t>& numbers) const;

  fs::path directory;
  Claim claim;
  Heartbeat heartbeat;
};

Fence::Fence(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}
Fence::Fence(Fence&&) noexcept = default;
Fence::~Fence() = default;

std::uint64_t Fence::incarnation() const noexcept { return implementation_->claim.incarnation; }
const Claim& Fence::claim() const noexcept { return implementation_->claim; }

/// All but this one, its predecessor, and the newest that was confirmed before; the oldest first.
void Fence::Implementation::remove_older(const std::vector<std::uint64_t>& numbers) const {
  std::uint64_t first_kept = claim.incarnation;
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    if (*number >= claim.incarnation) continue;
    first_kept = *number;
    const auto found = find_claim(directory, *number);
    if (found.claim && found.claim->honoured) break;
  }
  for (const auto number : numbers) {
    if (number >= first_kept) break;
    before_prune.check("remove " + claim_path(directory, number).string());
    ::unlink(claim_path(directory, number).c_str());
    ::unlink(beat_path(directory, number).c_str());
  }
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    // Whoever is just claiming claims again.
    if (is_fence_file(entry->path()) && entry->path().extension() == ".tmp")
      ::unlink(entry->path().c_str());
  }
}

void Fence::confirm(std::vector<LastEpoch> honoured) {
  auto& own = *implementation_;
  if (own.claim.honoured == honoured) return own.remove_older(claimed(own.directory));
  auto confirmed = own.claim;
  confirmed.honoured = std::move(honoured);
  const auto path = claim_path(own.directory, own.claim.incarnation);
  const Temporary temporary(temporary_claim_path(own.directory, own.claim.owner.nonce));
  // A former owner that wakes up while it tidies takes the temporary file away; each does so once.
  for (int attempt = 1;; ++attempt) {
    ::unlink(temporary.path().c_str());
    write_temporary(temporary.path(), confirmed, before_confirm_write, before_confirm_sync);
    check();
    before_confirm_rename.check("rename " + temporary.path().string());
    if (::rename(temporary.path().c_str(), path.c_str()) == 0) break;
    if (errno != ENOENT || attempt == most_attempts)
      throw_errno(errno, "rename " + temporary.path().string() + " to " + path.string());
  }
  before_confirm_directory.check("fsync " + own.directory.string());
  sync_directory(own.directory);
  own.claim = std::move(confirmed);
  own.remove_older(claimed(own.directory));
}

void Fence::check() const {
  const auto& own = *implementation_;
  if (!is_fenced(own.directory, own.claim.incarnation)) return;
  auto text = "this launch (incarnation " + std::to_string(own.claim.incarnation) +
              ") does not own the checkpoints in " + own.directory.string() + " any more: ";
  const auto now = owner(own.directory);
  if (!now || now->incarnation <= own.claim.incarnation) {
    text += "its claim is gone";
  } else {
    text += "incarnation " + std::to_string(now->incarnation) + " has taken over";
    if (now->claim) text += " (" + describe(now->claim->owner) + ")";
  }
  throw Error(Errc::unavailable, text + "; what this launch saves does not count, so it ends here");
}

Fence claim(const fs::path& directory, Claimant claimant, const FenceOptions& options) {
  for (;;) {
    const auto newest = newest_number(directory);
    const bool respects = options.take_over == FenceOptions::TakeOver::respect;
    if (respects && newest != 0 && !wait_until_gone(directory, newest, options)) continue;
    Claim wanted{.incarnation = std::max(newest, options.above) + 1, .owner = claimant};
    // Of a first claim nothing is older, so there is nothing to find out.
    if (wanted.incarnation == 1) wanted.honoured.emplace();
    if (!try_claim(directory, wanted)) continue;
    before_beat.check("write " + beat_path(directory, wanted.incarnation).string());
    return Fence(std::make_unique<Fence::Implementation>(directory, std::move(wanted),
                                                         options.heartbeat_seconds));
  }
}

}  // namespace cairn::consensus
