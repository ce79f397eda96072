/// A checkpoint directory seen from outside a job: which epochs are there, whether their bytes are
/// good, and what is in them.
///
///     for (const auto& entry : cairn::ckpt::epochs_in("ckpt")) …   // oldest first
///     const cairn::ckpt::EpochReader epoch("ckpt", 7);
///     epoch.read(0, {{10, 0}, {1, 64}}, row);                      // row 10 of the first field
///
/// Serial: needs neither MPI_Init nor mpirun. Nothing but prune() takes the directory's lock or
/// changes anything in it, so a job may be working there meanwhile. Nothing here says how epochs
/// lie on disk; that is FORMAT.md's. All functions are local and throw Error.
#pragma once

#include <chrono>
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
#include "cairn/ckpt/box.hpp"
#include "cairn/ckpt/compression.hpp"
#include "cairn/ckpt/key.hpp"
#include "cairn/ckpt/scalar_type.hpp"
#include "cairn/core/error.hpp"

namespace cairn::ckpt {

/// What can be said of an epoch without reading its data.
enum class Verdict : std::uint8_t {
  committed,    ///< the record is good and the data file has its size; verify() reads the bytes
  damaged,      ///< the record is no good, or its data is missing or of another size
  fenced,       ///< void: another launch had taken over before it was published
  unreadable,   ///< of a later format, or it may not be read
  uncommitted,  ///< it was being written, or still is
  stray,        ///< data without a record: a retirement or a commit was cut short
};

/// "committed" and the like.
[[nodiscard]] std::string_view name_of(Verdict verdict) noexcept;

struct ValueInfo {
  std::string name;
  ScalarType type = ScalarType::float64;
  std::vector<std::byte> bytes;  ///< one element, little-endian; none of what is locked
};

struct FieldInfo {
  std::string name = {};
  ScalarType type = ScalarType::float64;
  Shape shape = {};
  std::vector<Box> parts = {};  ///< what each rank had
  Compression compression = Compression::none;
  std::uint64_t stored_bytes = 0;  ///< in the data file; size_bytes() unless it is compressed

  [[nodiscard]] std::size_t size_bytes() const noexcept { return volume(shape) * size_of(type); }
};

/// What the record of an epoch says.
struct EpochInfo {
  std::uint64_t epoch = 0;
  std::uint64_t step = 0;
  std::uint64_t incarnation = 0;  ///< that published it; 0: a program without incarnations
  int launch = 0;
  int ranks = 0;
  std::optional<std::uint64_t> parent;  ///< the epoch before it in its line
  std::string job;                      ///< the same in all epochs of one first launch
  std::string program;
  std::string identity;
  std::string data_file;  ///< its name, without the directory
  std::uint64_t data_bytes = 0;
  std::string key_id;  ///< of an encrypted epoch, else empty
  std::vector<ValueInfo> values;
  std::vector<FieldInfo> fields;
};

struct EpochEntry {
  std::uint64_t epoch = 0;
  Verdict verdict = Verdict::committed;
  std::string why;                 ///< of every verdict but committed
  Errc code = Errc::bad_data;      ///< that an attempt to use it would end with, unless committed
  std::vector<std::string> files;  ///< the names of its files
  std::uint64_t size_bytes = 0;    ///< of all of them
  std::chrono::system_clock::time_point written;  ///< of the record, else of the newest file
  std::optional<EpochInfo> info;                  ///< if the record is good
};

/// All epochs of the directory and what is left of such, oldest first. Files of other names are
/// passed over.
/// @throws Error{Errc::no_input} when the directory does not exist, {permission} …
[[nodiscard]] std::vector<EpochEntry> epochs_in(const std::filesystem::path& directory);

/// What take_over() has done.
struct TakenOver {
  /// Of whoever owned the directory, for people; empty when nobody did: it was never claimed, or
  /// the owner had ended in order, and then nothing was done.
  std::string former_owner;
  std::uint64_t former = 0;           ///< that owner's incarnation
  std::uint64_t incarnation = 0;      ///< the one that has taken its place, and ended at once
  bool is_former_alive_here = false;  ///< its process still exists on this machine
};

/// For an operator who knows that the launch which owns the directory is gone, or wants it to be:
/// claims the next incarnation whatever that owner does, so that it can commit nothing any more,
/// and the next launch begins without waiting. Removes the lock, which a dead machine may hold.
/// @throws Error{Errc::no_input} when there is neither an epoch nor a claim
[[nodiscard]] TakenOver take_over(const std::filesystem::path& directory);

/// Told how many bytes have been read so far.
using BytesDone = std::function<void(std::uint64_t)>;

/// Bytes that are not what was written, or not there.
struct BadRange {
  std::string file;  ///< its name, without the directory
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;  ///< from the first to the last byte
  /// Those of them that the failed digests cover: fewer than length_bytes where other ranks' rows
  /// lie between.
  std::uint64_t covered_bytes = 0;
  std::string field;  ///< empty: not in a field, but in the record or in HDF5's structure
  Box region;         ///< the smallest box of the field that holds them
  std::string reason;
};

struct Verification {
  std::uint64_t bytes_read = 0;
  std::vector<BadRange> bad;  ///< by offset inside each field; empty when every byte is good
};

/// Reads every byte of an epoch and checks every digest; a damaged piece is a bad range, never
/// thrown. A range is as fine as the digests: pieces of 1 MiB of one rank's part; bad pieces that
/// follow each other are one range.
/// @throws Error{Errc::no_input} when the directory has no record of that number, {usage} for a
/// record of a later format, {permission} also for an epoch that is encrypted with another key, or
/// with none where there is a `key`
/// @param key  checks the tags of an encrypted epoch too; without it only digests, which find
/// accidents and no forgery
/// @par Cost  one pass over the data; 1 MiB of memory, and the record
[[nodiscard]] Verification verify(const std::filesystem::path& directory, std::uint64_t epoch,
                                  const BytesDone& progress = {},
                                  const std::optional<Key>& key = {});

/// Takes consecutive elements in row-major order: the box that they fill, and their bytes.
using ChunkConsumer = std::function<void(const Box& chunk, std::span<const std::byte> bytes)>;

/// One committed epoch, open for reading. Whatever it hands out has been checked against its
/// digest.
class EpochReader {
 public:
  /// @throws Error{Errc::no_input} when the directory has no such epoch, {bad_data} when the record
  /// or the size of the data is wrong, {usage} for a record of a later format, {permission} when it
  /// is encrypted with another key than `key`, or with none and there is a `key`
  /// @param key  of an encrypted epoch; without it info() is all that can be had of one
  EpochReader(const std::filesystem::path& directory, std::uint64_t epoch,
              const std::optional<Key>& key = {});
  EpochReader(EpochReader&&) noexcept;
  ~EpochReader();

  [[nodiscard]] const EpochInfo& info() const noexcept;
  [[nodiscard]] const std::filesystem::path& directory() const noexcept;

  /// Fills `bytes` with a box of field number `field`, row-major.
  /// @param bytes  the caller's, volume(box.count) elements
  /// @throws Error{Errc::bad_data} for a digest that does not fit, {internal} for a box outside the
  /// field, {permission} for an encrypted epoch that was opened without a key
  /// @par Cost  reads whole pieces of 1 MiB, however little the box shares with them
  void read(std::size_t field, const Box& box, std::span<std::byte> bytes) const;

  /// Hands a box of the field to `consume` in row-major order, in chunks of at most `chunk_bytes`
  /// (or of one element). Memory: one chunk, and one piece.
  void stream(std::size_t field, const Box& box, const ChunkConsumer& consume,
              std::size_t chunk_bytes = std::size_t{8} << 20) const;

  /// The units and the like that the program has put on the field. Checks the file's structure
  /// first.
  [[nodiscard]] std::vector<Attribute> attributes(std::size_t field) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Writes fields of an epoch, with their attributes, as one plain HDF5 file with contiguous
/// datasets. Atomic: under its name stands the old file or the whole new one. Memory: a chunk of 8
/// MiB.
/// @param fields  their numbers in epoch.info()
/// @throws Error{Errc::usage} for a path that is no place for a file or one of the directory's own
/// names; {bad_data} for a damaged epoch; {no_input, permission, input_output} when it cannot be
/// written
void export_hdf5(const EpochReader& epoch, std::span<const std::size_t> fields,
                 const std::filesystem::path& path, const BytesDone& progress = {});

/// @throws Error{Errc::usage} when `path` stands for one of the checkpoint directory's own files
void expect_foreign_name(const std::filesystem::path& directory, const std::filesystem::path& path);

struct PruneOptions {
  int keep = 2;  ///< good epochs that stay, at least 1
  enum class Mode : std::uint8_t { remove, dry_run } mode = Mode::remove;
};

struct Pruned {
  std::vector<std::uint64_t> kept;     ///< the newest good ones, newest first
  std::vector<std::uint64_t> removed;  ///< all that were older; in a dry run, that would be removed
  std::vector<std::pair<std::uint64_t, std::string>> damaged;  ///< do not count, and why
};

/// Removes every epoch older than the newest `keep` good ones, in the order of a retirement: the
/// records first, durably. An epoch counts as good when all its bytes have been verified; with
/// fewer good ones than `keep` nothing is removed.
///
/// Takes the directory's lock while it lives (a dry run takes none and changes nothing).
/// @throws Error{Errc::unavailable} when a running job holds the lock; {no_input} when there is no
/// epoch; {usage} for a record of a later format, which may not be judged
[[nodiscard]] Pruned prune(const std::filesystem::path& directory, const PruneOptions& options,
                           const BytesDone& progress = {});

struct Rekeyed {
  std::vector<std::uint64_t> rewritten;                        ///< are under the new key now
  std::vector<std::uint64_t> already;                          ///< were before
  std::vector<std::pair<std::uint64_t, std::string>> damaged;  ///< left as they were, and why
};

/// Encrypts every epoch anew, under `new_key`. Crash-safe: each epoch is readable under exactly one
/// of the two keys at any moment, and running it again finishes. Takes the directory's lock.
/// @param old_key  nothing when the epochs are plain; with one a plain epoch is refused, since
/// anybody could have written it
/// @throws Error{Errc::permission} when an epoch has neither of the keys, before anything is
/// changed; {unavailable} when a running job holds the lock; {no_input} when there is no epoch
/// @par Cost  reads and writes all data; room for one epoch more
[[nodiscard]] Rekeyed rekey(const std::filesystem::path& directory,
                            const std::optional<Key>& old_key, const Key& new_key,
                            const BytesDone& progress = {});

}  // namespace cairn::ckpt
