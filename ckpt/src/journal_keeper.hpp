/// One node of the job journal, and the thread that keeps it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cairn/consensus/journal.hpp"
#include "cairn/transport/tcp_transport.hpp"
#include "job_story.hpp"

namespace cairn::ckpt {

/// Local; nothing of it waits for a disk or a network but stop(), which is bounded. The thread
/// calls nothing of MPI, and sleeps while there is nothing to do.
///
/// Entries become final in their order, one after the other. Whatever goes wrong is trouble() and
/// nobody's error.
class JournalKeeper {
 public:
  using Network = transport::TcpTransport<consensus::JournalMessage>;
  using Clock = std::chrono::steady_clock;

  /// @param network  started
  /// @throws what JournalNode throws
  JournalKeeper(std::unique_ptr<Network> network, const std::filesystem::path& directory,
                const consensus::JournalOptions& options, LaunchName name);
  JournalKeeper(const JournalKeeper&) = delete;
  JournalKeeper& operator=(const JournalKeeper&) = delete;
  ~JournalKeeper();

  /// What there is to say of this node before it has heard anybody; empty: it is whole.
  [[nodiscard]] const std::string& trouble_at_start() const noexcept { return trouble_at_start_; }
  [[nodiscard]] bool votes_at_start() const noexcept { return votes_at_start_; }

  /// Begins to serve. What the launches before have left unsaid goes behind `launch`.
  /// @param launch  of the node that says what happens; nothing on the others
  void start(std::optional<consensus::JournalEntry> launch, FormerClaim former);

  /// Queues an entry. Thread-safe.
  void append(consensus::JournalEntry entry);

  /// A sentence for people that has not been told yet, or nothing. Thread-safe.
  [[nodiscard]] std::string take_trouble();

  /// Who waits for whom at the end.
  struct Patience {
    std::chrono::milliseconds with_majority{5000};
    std::chrono::milliseconds alone{2000};  ///< nobody is there to make entries final
  };
  /// Goes on until the ending of this launch is final, here or said by another node, or patience
  /// is over. An ending that another node was faster to say is not said twice; what was not final
  /// when patience was over is trouble. Thread-safe; the first call counts.
  void stop(std::optional<consensus::JournalEntry> ending, Patience patience);

 private:
  void run();
  void say_next();
  void notice_trouble();
  [[nodiscard]] bool is_over();
  [[nodiscard]] bool is_patience_over() const;
  [[nodiscard]] bool are_peers_gone() const;
  void wait_for_messages() const;
  void tell(std::string trouble);

  std::unique_ptr<Network> network_;
  consensus::JournalNode<Network> node_;  // the thread's, once it runs
  LaunchName name_;                       // of this launch
  std::string trouble_at_start_;

  // The thread's.
  std::optional<consensus::JournalEntry> launch_;  // until what was left unsaid is said
  FormerClaim former_;
  std::optional<Clock::time_point> minority_since_;
  std::optional<Clock::time_point> ended_at_;
  bool votes_at_start_ = false;
  bool has_said_launch_ = false;
  bool is_minority_told_ = false;
  bool is_silence_told_ = false;
  bool is_ending_ = false;

  // Under the mutex.
  bool is_over_ = true;
  std::mutex mutex_;
  std::condition_variable over_;
  std::deque<consensus::JournalEntry> queue_;
  std::size_t dropped_ = 0;
  std::string trouble_;
  std::optional<Clock::time_point> stopped_at_;
  Patience patience_;

  std::thread thread_;
};

}  // namespace cairn::ckpt
