/// The data file of an epoch: an ordinary HDF5 file, laid out by one rank, its bytes written by
/// all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cairn/ckpt/attribute.hpp"
#include "cairn/ckpt/compression.hpp"
#include "cairn/core/file.hpp"
#include "record.hpp"

namespace cairn::ckpt {

/// The chunks of a compressed dataset; all of them.
struct ChunkPlan {
  Compression compression = Compression::none;
  Shape chunk;
  std::vector<std::uint32_t> lengths_bytes;  ///< as they are to stand in the file
};

/// A dataset to make room for.
struct DatasetPlan {
  std::string name;
  ScalarType type = ScalarType::float64;
  Shape global;
  std::vector<Attribute> attributes;
  std::optional<ChunkPlan> chunks = {};  ///< none: contiguous
};

/// Where things came to lie.
struct DataFileLayout {
  std::uint64_t size_bytes = 0;
  /// One per plan; 0 for an empty or a compressed dataset.
  std::vector<std::uint64_t> dataset_offsets_bytes;
  std::vector<std::vector<std::uint64_t>> chunk_offsets_bytes;  ///< one list per plan
  std::vector<StructureRecord> structure;
};

/// Whether a file's blocks are taken from the disk at once, so that a full one shows now.
enum class Blocks { reserved, sparse };

/// Who may use a file that is made: its owner alone, and then it is new, or an empty one that
/// stands there already (reserved), and no link is followed; or whom the umask lets.
enum class Readers { owner, owner_of_reserved, by_umask };

/// Makes an HDF5 file with datasets whose space is allocated but not written: contiguous ones, and
/// behind them the chunks of compressed ones. Local, serial HDF5; no MPI-IO.
/// @throws Error{Errc::input_output, permission, …} when the file cannot be made, also when the
/// disk is full
DataFileLayout create_data_file(const std::filesystem::path& path,
                                std::span<const DatasetPlan> datasets,
                                std::span<const Attribute> root_attributes,
                                Blocks blocks = Blocks::reserved,
                                Readers readers = Readers::by_umask);

/// Writes what no dataset covers into a file of that size.
void copy_structure(const File& from, File& to, const DataFileLayout& layout);

/// Opens a data file for reading. Never blocks, as opening a pipe would.
/// @throws Error{Errc::bad_data} for what is no file, {no_input, permission, …}
[[nodiscard]] File open_data_file(const std::filesystem::path& path);

/// The attributes of a dataset that an Attribute can hold: numbers and texts; others are left out.
/// Only for a file whose structure is verified: HDF5 parses it.
/// @throws Error{Errc::input_output} when HDF5 cannot read it
[[nodiscard]] std::vector<Attribute> read_attributes(const std::filesystem::path& path,
                                                     const std::string& dataset);

/// Checks the structure of the file against the record. @throws Error{Errc::bad_data, …}
void verify_structure(const File& file, const EpochRecord& record);

}  // namespace cairn::ckpt
