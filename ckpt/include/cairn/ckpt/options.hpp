/// What a Checkpointer is told: where, when and how epochs are saved.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cairn/ckpt/attribute.hpp"
#include "cairn/ckpt/compression.hpp"
#include "cairn/ckpt/local_tier.hpp"

namespace cairn::ckpt {

/// What a Checkpointer is to do. The defaults keep the two newest epochs and catch stop signals.
struct Options {
  /// Where the epochs lie; made if missing; on a file system that all ranks see. Empty:
  /// checkpointing is off, and restore(), due() and save() find and do nothing, but due() still
  /// watches for stop signals.
  std::filesystem::path directory = {};
  /// Steps between epochs; 0: not by steps. Without steps and seconds only when asked to stop.
  std::uint64_t every = 0;
  /// Seconds between epochs, begin to begin; 0: not by time. Rank 0's clock decides, at due().
  double interval_seconds = 0;
  /// automatic: the seconds between epochs are those that waste the least time, by what epochs cost
  /// here and by `mtbf_seconds` (Daly 2006); the first epoch comes after a minute.
  enum class Interval { fixed, automatic } interval = Interval::fixed;
  /// Mean time between failures of the whole job, for Interval::automatic.
  double mtbf_seconds = 86400;
  /// When the job will be ended. Before that due() asks for a last epoch and stop_signal() becomes
  /// SIGXCPU, early enough for the longest step, twice the longest epoch so far, and 5 seconds.
  std::optional<std::chrono::system_clock::time_point> time_limit = {};
  /// The program that writes, in UTF-8; an epoch of another program is refused.
  std::string program = {};
  /// Run parameters that a restart must share, in UTF-8, for example "size=1024 initial=sine";
  /// other ones are refused.
  std::string identity = {};
  /// Committed epochs to keep, at least 1. With 1, a damaged newest epoch leaves nothing to fall
  /// back to.
  int keep = 2;
  /// Told on rank 0 what a user should know, for example that a damaged epoch was passed over; must
  /// not throw.
  std::function<void(std::string_view)> warn = {};
  /// How long to wait for a former launch, just dying, to let go of the directory.
  double lock_patience_seconds = 10;
  /// A former launch on another machine whose heartbeat has not changed during so many seconds is
  /// gone. Waited for only where neither the kernel nor the scheduler knows, and it has not ended
  /// in order.
  double stale_seconds = 30;
  /// Between two heartbeats of this launch (a file of 42 bytes, written by a thread of rank 0).
  double heartbeat_seconds = 5;
  /// sync: an epoch is durable when save() returns. async: save() copies the fields and returns, a
  /// thread writes the copy, and a later due(), save() or wait() commits the epoch. At most one
  /// epoch is on its way.
  enum class Mode { sync, async } mode = Mode::sync;
  /// A file with the key of encrypted epochs: 32 bytes or 64 hexadecimal digits, for the owner's
  /// eyes only; every rank reads it. Empty: the environment variable CAIRN_CKPT_KEY (hexadecimal),
  /// and without that, epochs are plain.
  std::filesystem::path key_file = {};
  /// What restore() does with a plain epoch when there is a key: anybody could have written it.
  enum class PlainEpochs { refuse, accept } plain_epochs = PlainEpochs::refuse;
  /// changed: an epoch that is written over a retired one of the same launch leaves alone the
  /// pieces (1 MiB) that are the same there, which costs a second digest of each. Every epoch is
  /// whole all the same. Ignored with a key.
  enum class Pieces { all, changed } pieces = Pieces::all;
  /// posix: every rank writes its bytes itself. mpio: through MPI-IO's collective writes, for file
  /// systems that want few and large writers, and for blocks with short rows; its locks, limits and
  /// hangs are then MPI's. Not in mode async.
  enum class Driver { posix, mpio } driver = Driver::posix;
  /// Whether data are written past the page cache (O_DIRECT), which leaves the cache and the cores
  /// to the program, and on some devices takes less time. automatic: where it does; epochs that are
  /// written over older ones, of 8 MiB a rank or more, are timed one way and the other; in new
  /// files, of 64 MiB a rank or more, each rank goes by what its own writes take. For
  /// Driver::posix; without effect on a file system that has no such writes.
  enum class Direct { automatic, on, off } direct = Direct::automatic;
  /// Whether SIGTERM, SIGUSR1 and SIGINT become requests to stop (signals.hpp).
  enum class Signals { leave_alone, catch_stop } signals = Signals::catch_stop;
  /// How fields are stored that do not say it themselves; those under 4 KiB are never compressed.
  /// Not with the driver mpio. Any launch restores what another has written in another way.
  Compression compression = Compression::none;
  /// What save(), due() and wait() do when an epoch cannot be written: a full disk, a device error,
  /// a directory that may not be written any more or is gone. stop: they throw, the same Error on
  /// every rank. go_on: they warn and return, the newest epoch stays what it was, and the next save
  /// tries again; so also at a stop signal. Other errors (foreign epochs, a failed peer) are thrown
  /// whatever it says, and so is what the constructor and restore() meet.
  enum class OnError { stop, go_on } on_error = OnError::stop;
  /// Seconds that a save waits, when this rank has written its part, for ranks that have not; 0:
  /// for ever. (Twice as long where it is rank 0 that is silent.) After that the ranks agree to
  /// give the epoch up, and go on with a warning: a rank that hangs costs the epoch, not the run. A
  /// run that has given up most_given_up epochs in a row, or whose silent rank is not back after
  /// twice as long and the longest time between two due(), ends with exit code 75 (run again), from
  /// a thread if need be. Call wait() after the last save. Not with Driver::mpio; more than 1024
  /// ranks wait for ever.
  double patience_seconds = 0;
  int most_given_up = 3;
  /// Told on a rank what it alone can say: why it is about to exit with 75 while others hang, from
  /// a thread, or why it was late with an epoch that was given up, or that its journal is kept no
  /// more. Must not throw.
  std::function<void(std::string_view)> last_words = {};
  /// More frequent epochs in the nodes' own memory or disks; off unless it names a directory. A
  /// restart takes the newest epoch of both tiers; one of the nodes is first written to
  /// `directory`.
  LocalTier local = {};
  /// A folder on each host, made if missing, for its copy of the job journal: launches, epochs,
  /// faults and endings, which `cairn journal` shows (cairn/consensus/journal.hpp). Local to the
  /// host; `%h` in it becomes the host's name, as of LocalTier, and is the only placeholder. One
  /// folder is for one job: that of another job, or one for several hosts when the journal is made,
  /// is refused (Errc::usage). A thread of one rank on each of up to 9 hosts keeps it, and listens
  /// on the addresses of the host, or on 127.0.0.1 when there is one machine. What else goes wrong
  /// with it is a warning, and never stops the run; but the end waits some seconds for entries that
  /// are not final, and a disk that hangs delays it for as long. Empty: none.
  std::filesystem::path journal_directory = {};
};

/// What else can be said of a field. A list of attributes will do for it.
struct FieldOptions {
  FieldOptions() = default;
  FieldOptions(std::vector<Attribute> units_and_the_like)
      : attributes(std::move(units_and_the_like)) {}
  FieldOptions(std::initializer_list<Attribute> units_and_the_like)
      : attributes(units_and_the_like) {}
  FieldOptions(Compression how, std::vector<Attribute> units_and_the_like = {})
      : attributes(std::move(units_and_the_like)), compression(how) {}

  std::vector<Attribute> attributes = {};       ///< written to the dataset for its readers
  std::optional<Compression> compression = {};  ///< none: that of the Options
};

/// The mode of a command line: "sync" or "async". Local.
/// @throws Error{Errc::usage} for other words; marked as agreed, since all ranks have one command
/// line
[[nodiscard]] Options::Mode mode_of(std::string_view word);

/// The driver of a command line: "posix" or "mpio". Local. @throws as mode_of()
[[nodiscard]] Options::Driver driver_of(std::string_view word);

/// What a command line says of direct writes: "auto", "on" or "off". Local. @throws as mode_of()
[[nodiscard]] Options::Direct direct_of(std::string_view word);

/// What a command line says of failed epochs: "stop" or "continue". Local.
/// @throws as mode_of()
[[nodiscard]] Options::OnError on_error_of(std::string_view word);

}  // namespace cairn::ckpt
