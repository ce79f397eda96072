#include "output.hpp"

#include <fmt/format.h>

#include <iterator>
#include <optional>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/ckpt/stream.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/atomic_file.hpp"
#include "matrix_market.hpp"

namespace cairn::cg {

namespace {

void write_matrix_market(const Communicator& comm, const RowPartition& partition,
                         std::span<const double> part, const std::filesystem::path& path) {
  std::optional<AtomicFile> file;
  together(comm, [&] {
    if (!comm.is_root()) return;
    file.emplace(path);
    file->write(fmt::format("%%MatrixMarket matrix array real general\n{} 1\n", partition.rows()));
  });
  std::string lines;
  ckpt::stream_rows(comm, part, block_of(partition, comm.rank()),
                    [&](std::size_t, std::span<const double> values) {
                      lines.clear();
                      for (const double value : values)
                        fmt::format_to(std::back_inserter(lines), "{}\n", value);
                      file->write(lines);
                    });
  together(comm, [&] {
    if (file) file->commit();
  });
}

}  // namespace

ckpt::Block block_of(const RowPartition& partition, int rank) {
  return {.global = {partition.rows()},
          .offset = {partition.first(rank)},
          .count = {partition.count(rank)}};
}

void check_format(const std::filesystem::path& file) {
  if (file.empty() || file.extension() == ".h5" || file.extension() == ".mtx") return;
  Error error(Errc::usage, "--output " + file.string() +
                               " names neither an HDF5 file (FILE.h5) nor a Matrix Market file "
                               "(FILE.mtx)");
  error.mark_agreed();
  throw error;
}

void write_vector(const Communicator& comm, const RowPartition& partition,
                  std::span<const double> part, const std::filesystem::path& file) {
  if (file.extension() == ".mtx") return write_matrix_market(comm, partition, part, file);
  ckpt::export_hdf5(comm, file, "x", part, block_of(partition, comm.rank()));
}

std::vector<double> read_vector(const Communicator& comm, const RowPartition& partition,
                                const std::filesystem::path& file) {
  return together(comm, [&] {
    ArrayReader reader(file, partition.rows());
    std::vector<double> part;
    part.reserve(partition.count(comm.rank()));
    for (std::uint64_t row = 0; const auto value = reader.next(); ++row) {
      if (row >= partition.first(comm.rank()) && row < partition.last(comm.rank()))
        part.push_back(*value);
    }
    return part;
  });
}

}  // namespace cairn::cg
