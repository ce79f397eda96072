#include "journal_keeper.hpp"

#include <poll.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <span>
#include <system_error>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/signals_blocked.hpp"

namespace cairn::ckpt {

using consensus::JournalEntry;
using Kind = JournalEntry::Kind;
using std::chrono::milliseconds;

namespace {

/// Entries that wait for a majority; later ones are counted.
constexpr std::size_t queue_max = 1000;
/// So long a majority may be away before that is told.
constexpr milliseconds minority_patience{5000};
/// So long the leader stays for others to hear what is final: some heartbeats.
constexpr milliseconds farewell{150};
/// So long a launch that is just dying may have the directory.
constexpr milliseconds lock_patience{2000};

using Node = consensus::JournalNode<JournalKeeper::Network>;

Node open_node(JournalKeeper::Network& network, const std::filesystem::path& directory,
               const consensus::JournalOptions& options) {
  const auto deadline = JournalKeeper::Clock::now() + lock_patience;
  for (;;) {
    try {
      return Node(network, directory, options);
    } catch (const Error& error) {
      if (error.code() != Errc::unavailable || JournalKeeper::Clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
}

}  // namespace

JournalKeeper::JournalKeeper(std::unique_ptr<Network> network,
                             const std::filesystem::path& directory,
                             const consensus::JournalOptions& options, LaunchName name)
    : network_(std::move(network)),
      node_(open_node(*network_, directory, options)),
      name_(std::move(name)) {
  const auto status = node_.status();
  votes_at_start_ = status.votes;
  if (!status.votes) trouble_at_start_ = status.trouble.substr(0, status.trouble.find("; no "));
}

JournalKeeper::~JournalKeeper() {
  if (!thread_.joinable()) return;
  stop(std::nullopt, {milliseconds(0), milliseconds(0)});
  thread_.join();
}

void JournalKeeper::start(std::optional<JournalEntry> launch, FormerClaim former) {
  launch_ = std::move(launch);
  former_ = std::move(former);
  const SignalsBlocked for_the_thread;  // they are the main thread's
  is_over_ = false;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    is_over_ = true;
    tell(std::string("nobody keeps the job journal here: ") + error.what());
  }
}

void JournalKeeper::append(JournalEntry entry) {
  entry.seconds = std::time(nullptr);
  const std::lock_guard lock(mutex_);
  if (stopped_at_) return;
  if (queue_.size() < queue_max) {
    queue_.push_back(std::move(entry));
  } else {
    ++dropped_;
  }
}

std::string JournalKeeper::take_trouble() {
  const std::lock_guard lock(mutex_);
  return std::exchange(trouble_, {});
}

void JournalKeeper::tell(std::string trouble) {
  const std::lock_guard lock(mutex_);
  trouble_ = std::move(trouble);
}

void JournalKeeper::stop(std::optional<JournalEntry> ending, Patience patience) {
  std::unique_lock lock(mutex_);
  if (!stopped_at_) {
    if (ending) {
      ending->seconds = std::time(nullptr);
      queue_.push_back(*std::move(ending));
    }
    stopped_at_ = Clock::now();
    patience_ = patience;
  }
  over_.wait(lock, [this] { return is_over_; });
}

/// The thread.
void JournalKeeper::run() {
  try {
    do {
      node_.poll();
      say_next();
      notice_trouble();
      wait_for_messages();
    } while (!is_over());
  } catch (const std::exception& error) {
    tell(std::string("the job journal is kept no more here: ") + error.what());
  }
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  over_.notify_all();
}

/// One entry at a time, since the order of those that wait is not promised.
void JournalKeeper::say_next() {
  if (node_.status().waiting > 0) return;
  if (launch_ && !has_said_launch_) {
    has_said_launch_ = node_.append(*launch_);
    return;
  }
  const std::lock_guard lock(mutex_);
  if (launch_) {  // it is final, and so all that was said before it is known here
    std::span<const consensus::JournalRecord> before(node_.entries());
    while (!before.empty() && before.back().entry.kind != Kind::launch)
      before = before.first(before.size() - 1);
    if (!before.empty()) before = before.first(before.size() - 1);
    auto entries = left_unsaid(before, former_, *launch_);
    queue_.insert(queue_.begin(), entries.begin(), entries.end());
    launch_.reset();
  }
  if (queue_.empty()) return;
  if (dropped_ > 0 && queue_.size() < queue_max) {
    queue_.push_back({.kind = Kind::fault,
                      .incarnation = name_.incarnation,
                      .seconds = std::time(nullptr),
                      .text = std::to_string(std::exchange(dropped_, 0)) +
                              " entries are missing here, since too many were waiting"});
  }
  const bool is_said = queue_.front().kind == Kind::ending && has_ended(node_.entries(), name_);
  if (is_said || node_.append(queue_.front())) queue_.pop_front();
}

void JournalKeeper::notice_trouble() {
  const auto status = node_.status();
  if (votes_at_start_ && !status.votes && !is_silence_told_) {
    is_silence_told_ = true;
    tell(status.trouble);
  }
  const auto now = Clock::now();
  if (status.has_majority) minority_since_.reset();
  if (!status.has_majority && !minority_since_) minority_since_ = now;
  if (is_minority_told_ || !minority_since_ || now - *minority_since_ < minority_patience) return;
  is_minority_told_ = true;
  if (has_said_launch_) tell("the job journal waits: " + status.trouble);
}

bool JournalKeeper::are_peers_gone() const {
  const auto& mesh = network_->mesh();
  for (transport::NodeIndex node = 0; node < mesh.nodes(); ++node)
    if (node != mesh.self() && mesh.is_connected_from(node)) return false;
  return true;
}

/// Once it is stopped; under the mutex.
bool JournalKeeper::is_patience_over() const {
  const auto now = Clock::now();
  if (now - *stopped_at_ >= patience_.with_majority) return true;
  if (!minority_since_) return false;
  return is_minority_told_ || now - std::max(*minority_since_, *stopped_at_) >= patience_.alone;
}

bool JournalKeeper::is_over() {
  const std::lock_guard lock(mutex_);
  if (!stopped_at_) return false;
  is_ending_ = true;
  const auto now = Clock::now();
  const auto status = node_.status();
  const auto unsaid = queue_.size() + status.waiting + (launch_ && !has_said_launch_ ? 1 : 0);
  if (is_patience_over()) {
    if (unsaid > 0)
      trouble_ = "the last entries of this launch, " + std::to_string(unsaid) +
                 ", are perhaps not in the job journal: at its end no majority of the nodes took "
                 "them in time";
    return true;
  }
  if (unsaid > 0 || !has_ended(node_.entries(), name_)) return false;
  if (status.role != consensus::Raft::Role::leader || are_peers_gone()) return true;
  // The others are to hear that it is final; who has heard it leaves.
  if (!ended_at_) ended_at_ = now;
  return now - *ended_at_ >= farewell;
}

/// Wakes up for messages; what the disk has done, and new entries, are looked for in between: more
/// often when somebody waits for them.
void JournalKeeper::wait_for_messages() const {
  constexpr int busy_milliseconds = 2;
  constexpr int idle_milliseconds = 10;
  const bool is_busy = node_.status().waiting > 0 || is_ending_;
  pollfd socket{.fd = network_->mesh().descriptor(), .events = POLLIN, .revents = 0};
  (void)::poll(&socket, 1, is_busy ? busy_milliseconds : idle_milliseconds);
}

}  // namespace cairn::ckpt
