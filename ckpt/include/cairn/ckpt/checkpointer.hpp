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

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cairn/ckpt/attribute.hpp"
#include "cairn/ckpt/block.hpp"
#include "cairn/ckpt/options.hpp"
#include "cairn/ckpt/scalar_type.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/signals.hpp"

namespace cairn::ckpt {

struct RegisteredField;

/// A byte string that means nothing to the Checkpointer.
using Blob = std::vector<std::byte>;

/// Eigen's matrices and vectors with memory of their own.
template <typename M>
concept EigenMatrix = Storable<typename M::Scalar> && requires(M& m) {
  requires std::same_as<M, typename M::PlainObject>;
  { m.data() } -> std::same_as<typename M::Scalar*>;
  { M::IsRowMajor } -> std::convertible_to<bool>;
  { M::IsVectorAtCompileTime } -> std::convertible_to<bool>;
};

/// Collective over its communicator, of which it keeps a duplicate; no global state, several may
/// live side by side.
///
/// Every rank registers the same fields and values, in the same order, before the first restore()
/// or save(). Errors are agreed(): every rank throws the same one. Thread level:
/// MPI_THREAD_FUNNELED, called from the main thread.
class Checkpointer {
 public:
  /// Collective. Claims the directory for this launch until destruction; from then on no older
  /// launch of the job can commit (cairn/consensus/fence.hpp). Waits while a former owner may be
  /// alive: Options::lock_patience_seconds, stale_seconds.
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
  /// @param options  units and the like, and how it is stored
  template <Storable T>
  void field(std::string name, std::vector<T>& storage, Block block, FieldOptions options = {});

  /// The same for memory that is not a vector and stays in place.
  template <Storable T>
  void field(std::string name, std::span<T> storage, Block block, FieldOptions options = {});

  /// Registers an Eigen matrix or vector that holds consecutive rows of a global one. Local.
  ///
  /// The dataset has shape [global_rows × columns], or [global_rows] for a vector. A column-major
  /// matrix stands there transposed, [columns × global_rows], as HDF5 shows Fortran's arrays.
  ///
  /// @param matrix     of all columns and this rank's rows; its size stays; it may be swapped
  /// @param first_row  of the global matrix
  template <EigenMatrix M>
  void field(std::string name, M& matrix, std::size_t global_rows, std::size_t first_row,
             FieldOptions options = {});

  /// Registers a set of elements in no order that may move between ranks, such as particles. Local.
  ///
  /// Each rank holds any number of them, another one at every save. A restore resizes `storage` and
  /// deals them out evenly, in the order in which the ranks held them; sets of equal size, the
  /// members of particles in several vectors, are dealt alike.
  ///
  /// @param storage  shape [elements of this rank × width]
  /// @param width    numbers of an element; the dataset has shape [elements × width], or [elements]
  /// if 1
  template <Storable T>
  void elements(std::string name, std::vector<T>& storage, std::size_t width = 1,
                FieldOptions options = {});

  /// Registers a global array whose rows the ranks hold in any order, as after a partitioning of a
  /// graph. Local.
  ///
  /// The dataset has shape [rows.global × rows.width] (or [rows.global] if the width is 1) in the
  /// order of the row numbers. Save and restore exchange rows through MPI, which takes three copies
  /// of this rank's rows in memory. A restart may hold other rows.
  ///
  /// @param storage  shape [rows.mine.size() × rows.width]
  /// @throws Error{Errc::internal} from save() and restore(), on every rank, when a row is on no
  /// rank or on two
  template <Storable T>
  void rows(std::string name, std::vector<T>& storage, Rows rows, FieldOptions options = {});

  /// Registers opaque byte strings, any number on each rank, for example one with the state of its
  /// random numbers. Local.
  ///
  /// A restore replaces them: the ranks of before are dealt out evenly and in order, so that on the
  /// same number of ranks with one string each, each rank gets its own. In the file: `name/sizes`
  /// and `name/bytes`.
  void blobs(const std::string& name, std::vector<Blob>& blobs);

  /// Registers a small value that is equal on all ranks: rank 0's is saved, and restored
  /// everywhere. Local.
  template <Storable T>
  void value(std::string name, T& value);

  /// Restores the newest epoch that all ranks together have, of both tiers, and whose bytes all
  /// verify, fields and values; ghosts are left alone. Collective. When it throws, the fields hold
  /// anything.
  ///
  /// What each rank has is selected from in two reductions (README.md, "Which epoch"). Newer epochs
  /// that are damaged, or of which too much is lost, are passed over with a warning each; a failure
  /// that one rank alone sees is one of all.
  /// @return the step that was passed to save(); nothing if no epoch was ever committed
  /// @throws Error{Errc::bad_data} when epochs exist but none is usable, or when they are of
  /// another program,
  ///         identity or shape; Error{permission} when the newest one is encrypted with another
  ///         key, or is plain and there is a key
  std::optional<std::uint64_t> restore();

  /// Whether an epoch should be saved now: `step` is a multiple of options.every or of
  /// options.local.every, or the interval is over, or some rank was asked to stop, or the time
  /// limit is near, and this step is not saved yet. Equal on all ranks. Collective: one all_reduce
  /// of an int, and one more while an epoch is on its way, which is committed here once all ranks
  /// have written theirs.
  /// @throws what wait() throws
  [[nodiscard]] bool due(std::uint64_t step);

  /// Whether this rank has a reason to end a long step now, so that due() can be asked: it was told
  /// to stop, or, on rank 0, the interval is over, the time limit near, or an epoch written in the
  /// background is to be committed. For programs that can end
  /// a step at any moment and call this often: what a step takes, for the time limit, is then the
  /// time between two calls. Local, cheap.
  [[nodiscard]] bool is_wanted() noexcept;

  /// Saves all fields and values as one epoch, and retires epochs beyond options.keep. Collective.
  ///
  /// The epoch goes to the local tier when `step` is a multiple of options.local.every, not of
  /// options.every, and nobody is asked to stop; it is then always durable when it returns.
  /// In mode sync, and when due() has reported a stop signal, the epoch is durable when it returns;
  /// memory: 1 MiB and the digests. In mode async it waits for the epoch that is on its way,
  /// copies, and returns; memory: one copy of the fields, 1 MiB and the digests. With compressed
  /// fields in either mode: also 8 MiB, and all compressed bytes of this rank.
  /// @throws Error{input_output, permission, no_input, …} on every rank; the older epochs are then
  /// as they were (options.on_error: or no epoch, and a warning); Error{unavailable} when another
  /// launch has taken over the directory, whatever options.on_error says
  void save(std::uint64_t step);

  /// Waits until the epoch that is on its way, if any, is committed. Collective, blocking. Call it
  /// after the last save of a run with mode async, since the destructor gives up what is not
  /// committed, or with a patience, since a rank that was given up on is watched for until all
  /// meet.
  /// @throws what save() throws
  void wait();

  /// The stop signal that due() last agreed on, SIGXCPU for the time limit, 0 for none; leave with
  /// stop_exit_code(). Local.
  [[nodiscard]] int stop_signal() const noexcept;

  /// The number of the epoch that was last restored or committed by this object; nothing before.
  /// Local.
  [[nodiscard]] std::optional<std::uint64_t> epoch() const noexcept;
  /// The step that was last restored or saved; nothing before, and when writing it failed (with
  /// mode async: as far as is known). A save that could not begin leaves it. Local.
  [[nodiscard]] std::optional<std::uint64_t> saved_step() const noexcept;

 private:
  struct Bytes {
    std::byte* data;
    std::size_t size;
  };
  template <Storable T>
  static std::function<Bytes()> bytes_of(std::vector<T>& storage) {
    return [&storage] {
      return Bytes{reinterpret_cast<std::byte*>(storage.data()), storage.size() * sizeof(T)};
    };
  }
  static RegisteredField registered(std::string name, ScalarType type,
                                    std::function<Bytes()> storage, FieldOptions options);
  void add_field(std::string name, ScalarType type, std::function<Bytes()> storage, Block block,
                 FieldOptions options);
  void add_elements(std::string name, ScalarType type, std::function<Bytes()> storage,
                    std::size_t width, std::function<void(std::size_t)> resize,
                    FieldOptions options);
  void add_rows(std::string name, ScalarType type, std::function<Bytes()> storage, Rows rows,
                FieldOptions options);
  void add_value(std::string name, ScalarType type, std::byte* data);

  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Writes one distributed array as a plain HDF5 file with the contiguous dataset `name`, for other
/// programs to read. Collective. Atomic: under its name stands the old file or the whole new one.
/// Links are followed.
/// @throws Error (agreed) when the file cannot be written; usage when something is there that is no
/// file
void export_hdf5(const Communicator& comm, const std::filesystem::path& path,
                 const std::string& name, std::span<const double> storage, const Block& block,
                 const std::vector<Attribute>& attributes = {});

// ---------------------------------------------------------------------------------------------

template <Storable T>
void Checkpointer::field(std::string name, std::vector<T>& storage, Block block,
                         FieldOptions options) {
  add_field(std::move(name), scalar_type_of<T>(), bytes_of(storage), std::move(block),
            std::move(options));
}

template <Storable T>
void Checkpointer::field(std::string name, std::span<T> storage, Block block,
                         FieldOptions options) {
  add_field(
      std::move(name), scalar_type_of<T>(),
      [storage] {
        return Bytes{reinterpret_cast<std::byte*>(storage.data()), storage.size_bytes()};
      },
      std::move(block), std::move(options));
}

template <EigenMatrix M>
void Checkpointer::field(std::string name, M& matrix, std::size_t global_rows,
                         std::size_t first_row, FieldOptions options) {
  using T = typename M::Scalar;
  const auto rows = static_cast<std::size_t>(matrix.rows());
  const auto columns = static_cast<std::size_t>(matrix.cols());
  Block block{{global_rows, columns}, {first_row, 0}, {rows, columns}};
  if (M::IsVectorAtCompileTime) {
    block = {{global_rows}, {first_row}, {rows * columns}};
  } else if (!M::IsRowMajor) {
    block = {{columns, global_rows}, {0, first_row}, {columns, rows}};
  }
  add_field(
      std::move(name), scalar_type_of<T>(),
      [&matrix] {
        return Bytes{reinterpret_cast<std::byte*>(matrix.data()),
                     static_cast<std::size_t>(matrix.size()) * sizeof(T)};
      },
      std::move(block), std::move(options));
}

template <Storable T>
void Checkpointer::elements(std::string name, std::vector<T>& storage, std::size_t width,
                            FieldOptions options) {
  add_elements(
      std::move(name), scalar_type_of<T>(), bytes_of(storage), width,
      [&storage](std::size_t n) { storage.resize(n); }, std::move(options));
}

template <Storable T>
void Checkpointer::rows(std::string name, std::vector<T>& storage, Rows rows,
                        FieldOptions options) {
  add_rows(std::move(name), scalar_type_of<T>(), bytes_of(storage), std::move(rows),
           std::move(options));
}

template <Storable T>
void Checkpointer::value(std::string name, T& value) {
  add_value(std::move(name), scalar_type_of<T>(), reinterpret_cast<std::byte*>(&value));
}

}  // namespace cairn::ckpt
