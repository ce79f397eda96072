#include <fcntl.h>

#include <optional>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/file.hpp"
#include "data_file.hpp"
#include "fields.hpp"
#include "transfer.hpp"

namespace cairn::ckpt {

void export_hdf5(const Communicator& comm, const std::filesystem::path& path,
                 const std::string& name, std::span<const double> storage, const Block& block,
                 const std::vector<Attribute>& attributes) {
  // Reads only; the type of the memory is shared with restoring.
  const auto bytes = std::as_bytes(storage);
  const RegisteredField field{
      name, ScalarType::float64, block, attributes,
      [&] { return std::span(const_cast<std::byte*>(bytes.data()), bytes.size()); }};
  together(comm, [&] { check_field(field); });
  (void)gather_boxes(comm, {field}, {});
  std::optional<AtomicFile> whole;  // of rank 0, which gives it its name at last
  std::string temporary;
  const auto laid_out = together(comm, [&]() -> std::uint64_t {
    if (!comm.is_root()) return 0;
    expect_replaceable(path);
    whole.emplace(path);
    temporary = whole->temporary();
    const std::vector<DatasetPlan> plan{{name, ScalarType::float64, block.global, attributes}};
    return create_data_file(temporary, plan, {}).dataset_offsets_bytes.front();
  });
  const auto offset_bytes = bcast(comm, laid_out);
  bcast(comm, into(temporary));
  together(comm, [&] {
    File file(temporary, O_WRONLY);
    (void)write_block(file, offset_bytes, memory_of(field), [] {});
    file.sync();
    file.close();
  });
  together(comm, [&] {
    if (whole) whole->commit();
  });
}

}  // namespace cairn::ckpt
