/// What a program has registered, and how its ranks cut it up.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cairn/ckpt/attribute.hpp"
#include "cairn/collectives/communicator.hpp"
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

/// Whether the digests of a piece are one word, or one and the four of its tag.
enum class Sealed { no, yes };

/// Gathers every rank's digests at rank 0, as parts of field records in the order of `boxes`.
/// Collective.
/// @param crcs  this rank's, all fields one behind the other
[[nodiscard]] std::vector<std::vector<PartRecord>> gather_parts(
    const Communicator& comm, const std::vector<RegisteredField>& fields,
    const std::vector<std::vector<Box>>& boxes, const std::vector<std::uint32_t>& crcs,
    Sealed sealed = Sealed::no);

/// Why `record` cannot be restored into what is registered: another shape, type or name; empty when
/// it can.
[[nodiscard]] std::string mismatch(const EpochRecord& record,
                                   const std::vector<RegisteredField>& fields,
                                   const std::vector<RegisteredValue>& values);

}  // namespace cairn::ckpt
