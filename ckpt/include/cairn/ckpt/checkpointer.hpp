/// Checkpointer: saves distributed fields as epochs, and restores the newest good one on any number
/// of ranks.
///
///     cairn::ckpt::Checkpointer ckpt(MPI_COMM_WORLD, {.directory = "ckpt", .every = 100});
///     ckpt.field("u", u, {.global = {n, n}, .offset = {first, 0}, .count = {rows, n}});
///     std::uint64_t step = ckpt.restore().value_or(0);
///     while (step < steps) {
///       advance(u);
///       ++step;
///       if (ckpt.due(step)) ckpt.save(step);
///       if (ckpt.stop_signal() != 0) return cairn::stop_exit_code(ckpt.stop_signal());
///     }
///
/// An epoch is one ordinary HDF5 file with global arrays, and a record beside it (FORMAT.md). It
/// counts only once the record is durable; whatever is killed before that leaves the older epochs
/// as they were.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/ckpt/attribute.hpp"
#include "cairn/ckpt/block.hpp"
#include "cairn/ckpt/scalar_type.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/signals.hpp"

namespace cairn::ckpt {

/// What a Checkpointer is to do. The defaults keep the two newest epochs and catch stop signals.
struct Options {
  /// Where the epochs lie; made if missing; on a file system that all ranks see. Empty:
  /// checkpointing is off, and restore(), due() and save() find and do nothing, but due() still
  /// watches for stop signals.
  std::filesystem::path directory = {};
  /// Steps between epochs; 0: only when asked to stop.
  std::uint64_t every = 0;
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
  /// sync: an epoch is durable when save() returns. async: save() copies the fields and returns, a
  /// thread writes the copy, and a later due(), save() or wait() commits the epoch. At most one
  /// epoch is on its way.
  enum class Mode { sync, async } mode = Mode::sync;
  /// Whether SIGTERM, SIGUSR1 and SIGINT become requests to stop (signals.hpp).
  enum class Signals { leave_alone, catch_stop } signals = Signals::catch_stop;
  /// What save(), due() and wait() do when an epoch cannot be written: a full disk, a device error,
  /// a directory that may not be written any more or is gone. stop: they throw, the same Error on
  /// every rank. go_on: they warn and return, the newest epoch stays what it was, and the next save
  /// tries again; so also at a stop signal. Other errors (foreign epochs, a failed peer) are thrown
  /// whatever it says, and so is what the constructor and restore() meet.
  enum class OnError { stop, go_on } on_error = OnError::stop;
};

/// The mode of a command line: "sync" or "async". Local.
/// @throws Error{Errc::usage} for other words; marked as agreed, since all ranks have one command
/// line
[[nodiscard]] Options::Mode mode_of(std::string_view word);

/// What a command line says of failed epochs: "stop" or "continue". Local.
/// @throws as mode_of()
[[nodiscard]] Options::OnError on_error_of(std::string_view word);

/// Collective over its communicator, of which it keeps a duplicate; no global state, several may
/// live side by side.
///
/// Every rank registers the same fields and values, in the same order, before the first restore()
/// or save(). Errors are agreed(): every rank throws the same one. Thread level:
/// MPI_THREAD_FUNNELED, called from the main thread.
class Checkpointer {
 public:
  /// Collective. Locks the directory against other running jobs until destruction.
  /// @throws Error{input_output, permission, …} when the directory cannot be made or used,
  /// Error{unavailable} when
  ///         another running job uses it, Error{usage} when options.program or options.identity is
  ///         not UTF-8
  Checkpointer(MPI_Comm comm, Options options);
  Checkpointer(const Communicator& comm, Options options);
  Checkpointer(Checkpointer&&) noexcept;
  ~Checkpointer();

  /// Registers a distributed array. Local.
  ///
  /// @param name     of the HDF5 dataset, in UTF-8; "group/name" makes groups
  /// @param storage  the caller's, shape block.count plus ghosts on both sides, row-major; it is
  /// looked up again at
  ///                 every save and restore, so swapping or reassigning it is fine; outlives the
  ///                 Checkpointer
  /// @param block    this rank's part; the blocks of all ranks tile the global array: no gap, no
  /// overlap
  /// @param attributes  units and the like, written to the dataset for its readers
  template <Storable T>
  void field(std::string name, std::vector<T>& storage, Block block,
             std::vector<Attribute> attributes = {});

  /// The same for memory that is not a vector and stays in place.
  template <Storable T>
  void field(std::string name, std::span<T> storage, Block block,
             std::vector<Attribute> attributes = {});

  /// Registers a small value that is equal on all ranks: rank 0's is saved, and restored
  /// everywhere. Local.
  template <Storable T>
  void value(std::string name, T& value);

  /// Restores the newest epoch whose bytes all verify, fields and values; ghosts are left alone.
  /// Collective.
  ///
  /// Damaged epochs are passed over with a warning, and the next older one is taken.
  /// @return the step that was passed to save(); nothing if no epoch was ever committed
  /// @throws Error{Errc::bad_data} when epochs exist but none is usable, or when they are of
  /// another program,
  ///         identity or shape
  std::optional<std::uint64_t> restore();

  /// Whether an epoch should be saved now: `step` is a multiple of options.every, or some rank was
  /// asked to stop, and this step is not saved yet. Equal on all ranks. Collective: one all_reduce
  /// of an int, and one more while an epoch is on its way, which is committed here once all ranks
  /// have written theirs.
  /// @throws what wait() throws
  [[nodiscard]] bool due(std::uint64_t step);

  /// Saves all fields and values as one epoch, and retires epochs beyond options.keep. Collective.
  ///
  /// In mode sync, and when due() has reported a stop signal, the epoch is durable when it returns;
  /// memory: 1 MiB and the digests. In mode async it waits for the epoch that is on its way,
  /// copies, and returns; memory: one copy of the fields, 1 MiB and the digests.
  /// @throws Error{input_output, permission, no_input, …} on every rank; the older epochs are then
  /// as they were (options.on_error: or no epoch, and a warning)
  void save(std::uint64_t step);

  /// Waits until the epoch that is on its way, if any, is committed. Collective, blocking. Call it
  /// at the end of a run with mode async: the destructor gives up what is not committed.
  /// @throws what save() throws
  void wait();

  /// The stop signal that due() last agreed on, 0 for none; leave with stop_exit_code(). Local.
  [[nodiscard]] int stop_signal() const noexcept;

  /// The number of the epoch that was last restored or committed by this object; nothing before.
  /// Local.
  [[nodiscard]] std::optional<std::uint64_t> epoch() const noexcept;

 private:
  struct Bytes {
    std::byte* data;
    std::size_t size;
  };
  void add_field(std::string name, ScalarType type, std::function<Bytes()> storage, Block block,
                 std::vector<Attribute> attributes);
  void add_value(std::string name, ScalarType type, std::byte* data);

  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Writes one distributed array as a plain HDF5 file with the contiguous dataset `name`, for other
/// programs to read. Collective. Atomic: under its name stands the old file or the whole new one.
/// @throws Error (agreed) when the file cannot be written
void export_hdf5(const Communicator& comm, const std::filesystem::path& path,
                 const std::string& name, std::span<const double> storage, const Block& block,
                 const std::vector<Attribute>& attributes = {});

// ---------------------------------------------------------------------------------------------

template <Storable T>
void Checkpointer::field(std::string name, std::vector<T>& storage, Block block,
                         std::vector<Attribute> attributes) {
  add_field(
      std::move(name), scalar_type_of<T>(),
      [&storage] {
        return Bytes{reinterpret_cast<std::byte*>(storage.data()), storage.size() * sizeof(T)};
      },
      std::move(block), std::move(attributes));
}

template <Storable T>
void Checkpointer::field(std::string name, std::span<T> storage, Block block,
                         std::vector<Attribute> attributes) {
  add_field(
      std::move(name), scalar_type_of<T>(),
      [storage] {
        return Bytes{reinterpret_cast<std::byte*>(storage.data()), storage.size_bytes()};
      },
      std::move(block), std::move(attributes));
}

template <Storable T>
void Checkpointer::value(std::string name, T& value) {
  add_value(std::move(name), scalar_type_of<T>(), reinterpret_cast<std::byte*>(&value));
}

}  // namespace cairn::ckpt
