/// Fields whose cut the program does not give: how the memory of the ranks becomes blocks of a
/// dataset at each save, and back at each restore.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/core/file.hpp"
#include "fields.hpp"

namespace cairn::ckpt {

class Cut {
 public:
  Cut() = default;
  Cut(const Cut&) = delete;
  Cut& operator=(const Cut&) = delete;
  virtual ~Cut() = default;

  /// The block before anything is known of the elements; has the axes.
  [[nodiscard]] virtual Block empty_block() const = 0;

  /// What of it must be equal on all ranks.
  [[nodiscard]] virtual std::string signature() const = 0;

  /// Whether an array of these extents can be restored into it.
  [[nodiscard]] virtual bool takes(const Shape& saved) const = 0;

  /// Before a save: sets field.block to what this rank writes, and has that in field.storage().
  /// Collective. @throws Error (agreed)
  virtual void before_save(const Communicator& comm, RegisteredField& field) = 0;

  /// Before the bytes of a restore are read: sets field.block to this rank's share of `saved`, and
  /// makes room for it. Local. `fields` are all fields of the record.
  virtual void before_load(const Communicator& comm, RegisteredField& field,
                           const FieldRecord& saved, const std::vector<FieldRecord>& fields,
                           const File& file) = 0;

  /// After all ranks have loaded all fields. Collective. @throws Error (agreed)
  virtual void after_load(const Communicator& /*comm*/, RegisteredField& /*field*/) {}
};

/// A set of elements of `width` numbers each, in no order. Rank r's follow those of rank r - 1 in
/// the dataset; a restore deals them out evenly in that order.
/// @param resize  makes room in the storage for that many numbers
[[nodiscard]] RegisteredField make_elements(RegisteredField field, std::size_t width,
                                            std::function<void(std::size_t)> resize);

/// Rows of a global array that the ranks hold in any order. They lie in the dataset in the order of
/// their numbers: an exchange takes them to the ranks that write them, and back.
[[nodiscard]] RegisteredField make_rows(RegisteredField field, Rows rows);

/// The two fields `name/sizes` and `name/bytes` of byte strings; sizes first.
[[nodiscard]] std::vector<RegisteredField> make_blobs(const std::string& name,
                                                      std::vector<Blob>& blobs);

}  // namespace cairn::ckpt
