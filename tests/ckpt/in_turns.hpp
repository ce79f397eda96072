/// A launch of a job as a process that runs in turns with others: the real store and its fence,
/// with a stop before each look at the directory and each change to it.
#pragma once

#include <semaphore.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "other_process.hpp"
#include "record.hpp"
#include "store.hpp"

namespace cairn::test {

/// Mistakes, each of which must be seen.
enum class Mutant {
  none,
  restores_when_fenced,
  no_confirm,
  retires_when_fenced,
  believes_itself,
  link_replaces,
  honours_void
};

/// What a launch does in its life.
struct Plan {
  int saves = 1;
  int keep = 2;
  bool takes_over = false;  ///< an operator, or a scheduler, says that the former one is gone
};

constexpr std::size_t most_text = 512;

/// What a launch and the one who runs them share.
struct Desk {
  sem_t go;
  sem_t stopped;
  Mutant mutant;
  bool has_ended;
  bool has_restored;
  std::uint64_t incarnation;  ///< 0 until it has claimed
  char restored[most_text];   ///< the history that it goes on from
  char committed[most_text];  ///< the last one that it was told is committed
  char next_call[most_text];  ///< before which it stands
  std::uint64_t listings;     ///< of the directory, so far
  char error[most_text];      ///< what has ended it; empty: nothing
};

/// "1.1 1.2 3.5": who has published which epoch, from the first one on.
using History = std::string;

/// All that counts in the directory, the newest first.
std::vector<ckpt::EpochRecord> good_ones(const ckpt::EpochStore& store, Mutant mutant);

/// A process that lives when it is told to.
class Launch {
 public:
  Launch(const std::filesystem::path& directory, const Plan& plan, Mutant mutant);
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
  ~Launch();

  /// To its next step, or its end.
  void go_on();
  void kill();
  [[nodiscard]] bool is_alive() const { return is_alive_; }
  [[nodiscard]] bool is_about_to_publish() const;
  [[nodiscard]] const Desk& desk() const { return *desk_; }

 private:
  Desk* desk_;
  std::optional<OtherProcess> process_;
  bool is_alive_ = true;
};

}  // namespace cairn::test
