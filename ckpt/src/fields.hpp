/// What a program has registered, and how its ranks cut it up.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cairn/ckpt/attribute.hpp"
#include "cairn/collectives/communicator.hpp"
#include "chunks.hpp"
#include "data_file.hpp"
#include "record.hpp"
#include "transfer.hpp"

namespace cairn::ckpt {

class Cut;

struct RegisteredField {
  std::string name;
  ScalarType type = ScalarType::float64;
  Block block = {};
  std::vector<Attribute> attributes = {};
  std::function<std::span<std::byte>()> storage = {};
  std::shared_ptr<Cut> cut = {};  ///< computes the block; none when the program gives it
  std::optional<Compression> compression = {};  ///< none: what the options say
};

struct RegisteredValue {
  std::string name;
  ScalarType type = ScalarType::float64;
  std::byte* data = nullptr;
};

/// Checks a field by itself: axes, bounds, a name that HDF5 takes. Local. @throws
/// Error{Errc::internal}
void check_field(const RegisteredField& field);

/// The field's memory now. @throws Error{Errc::internal} when its size does not fit the block
[[nodiscard]] BlockInMemory memory_of(const RegisteredField& field);

/// Gathers every rank's block at rank 0: per field one box per rank; empty elsewhere. Collective.
///
/// @throws Error{Errc::internal}, agreed, when the ranks registered different things, or when the
/// blocks of a field
///         overlap or leave a gap
[[nodiscard]] std::vector<std::vector<Box>> gather_boxes(
    const Communicator& comm, const std::vector<RegisteredField>& fields,
    const std::vector<RegisteredValue>& values);

/// Smaller fields are not compressed: the index of the chunks would take what that gains.
inline constexpr std::size_t least_compressed_bytes = 4096;

/// Whether an epoch of the shared directory has this field in compressed chunks.
[[nodiscard]] bool is_compressed(const RegisteredField& field);

/// Of a compressed field.
[[nodiscard]] ChunkGrid grid_of(const RegisteredField& field);

/// Whether the digests of a piece are one word, or one and the four of its tag.
enum class Sealed { no, yes };

/// Whether compressed fields have a digest of each chunk that a rank writes, or are taken as plain
/// ones.
enum class Digests { of_pieces, of_chunks };

/// Gathers every rank's digests at rank 0, as parts of field records in the order of `boxes`.
/// Collective.
/// @param crcs  this rank's, all fields one behind the other
/// @param digests  of_chunks: the part of a compressed field has the digests of the chunks of that
/// rank
[[nodiscard]] std::vector<std::vector<PartRecord>> gather_parts(
    const Communicator& comm, const std::vector<RegisteredField>& fields,
    const std::vector<std::vector<Box>>& boxes, const std::vector<std::uint32_t>& crcs,
    Sealed sealed = Sealed::no, Digests digests = Digests::of_pieces);

/// Why `record` cannot be restored into what is registered: another shape, type or name; empty when
/// it can.
[[nodiscard]] std::string mismatch(const EpochRecord& record,
                                   const std::vector<RegisteredField>& fields,
                                   const std::vector<RegisteredValue>& values);

}  // namespace cairn::ckpt
