#include <fcntl.h>

#include "cairn/core/atomic_file.hpp"
#include "cairn/core/file.hpp"
#include "data_file.hpp"
#include "inspect.hpp"
#include "job_file.hpp"

namespace cairn::ckpt {

namespace fs = std::filesystem;

namespace {

std::vector<DatasetPlan> plans_of(const EpochReader& epoch, std::span<const std::size_t> fields) {
  std::vector<DatasetPlan> plans;
  for (const auto field : fields) {
    const auto& info = epoch.info().fields.at(field);
    plans.push_back({info.name, info.type, info.shape, epoch.attributes(field)});
  }
  return plans;
}

/// Fills the datasets whose room is laid out at `offsets_bytes`.
void copy_fields(const EpochReader& epoch, std::span<const std::size_t> fields, File& file,
                 const std::vector<std::uint64_t>& offsets_bytes, const BytesDone& progress) {
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto& shape = epoch.info().fields.at(fields[i]).shape;
    auto offset = offsets_bytes[i];
    epoch.stream(fields[i], {Shape(shape.size(), 0), shape},
                 [&](const Box&, std::span<const std::byte> bytes) {
                   file.write_at(bytes, offset);
                   offset += bytes.size();
                   done += bytes.size();
                   if (progress) progress(done);
                 });
  }
}

}  // namespace

void expect_foreign_name(const fs::path& directory, const fs::path& path) {
  const auto name = path.filename();
  if (!EpochStore::is_own_name(path) && name != "lock" && name != "journal" &&
      name != Spare::file_name && !is_job_file(path) && !consensus::is_fence_file(path))
    return;
  std::error_code error;
  if (!fs::equivalent(directory, path.has_parent_path() ? path.parent_path() : ".", error)) return;
  throw Error(Errc::usage,
              path.string() + " is a name of the checkpoint directory's own; choose another file");
}

void export_hdf5(const EpochReader& epoch, std::span<const std::size_t> fields,
                 const fs::path& path, const BytesDone& progress) {
  expect_replaceable(path);
  expect_foreign_name(epoch.directory(), place_of(path));
  const auto& info = epoch.info();
  const auto plans = plans_of(epoch, fields);
  const std::vector<Attribute> about{{"cairn_program", info.program},
                                     {"cairn_epoch", static_cast<std::int64_t>(info.epoch)},
                                     {"cairn_step", static_cast<std::int64_t>(info.step)}};
  AtomicFile whole(path);
  const auto layout = create_data_file(whole.temporary(), plans, about);
  File file(whole.temporary(), O_WRONLY);
  copy_fields(epoch, fields, file, layout.dataset_offsets_bytes, progress);
  file.close();
  whole.commit();
}

}  // namespace cairn::ckpt
