#include "mpi_io.hpp"

#include <fcntl.h>
#include <mpi.h>

#include <optional>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::ckpt {

namespace {

/// Where one rank's block stands in the global array, in the order of the array.
class BlockType {
 public:
  explicit BlockType(const BlockInMemory& source) {
    check_mpi(MPI_Type_contiguous(detail::mpi_count(source.element_bytes), MPI_BYTE, &element_),
              "MPI_Type_contiguous");
    check_mpi(MPI_Type_commit(&element_), "MPI_Type_commit");
    const auto& block = *source.block;
    if (volume(block.count) == 0) return;  // MPI has no empty subarrays
    const auto numbers = [](const Shape& shape) {
      std::vector<int> result;
      for (const auto extent : shape) result.push_back(detail::mpi_count(extent));
      return result;
    };
    const auto global = numbers(block.global);
    const auto count = numbers(block.count);
    const auto offset = numbers(block.offset);
    check_mpi(MPI_Type_create_subarray(static_cast<int>(global.size()), global.data(), count.data(),
                                       offset.data(), MPI_ORDER_C, element_, &block_),
              "MPI_Type_create_subarray");
    check_mpi(MPI_Type_commit(&block_), "MPI_Type_commit");
  }
  BlockType(const BlockType&) = delete;
  BlockType& operator=(const BlockType&) = delete;
  ~BlockType() {
    if (block_ != MPI_DATATYPE_NULL) MPI_Type_free(&block_);
    if (element_ != MPI_DATATYPE_NULL) MPI_Type_free(&element_);
  }

  [[nodiscard]] MPI_Datatype element() const { return element_; }
  /// For a rank with no element that of one, of which it writes nothing.
  [[nodiscard]] MPI_Datatype view() const {
    return block_ == MPI_DATATYPE_NULL ? element_ : block_;
  }

 private:
  MPI_Datatype element_ = MPI_DATATYPE_NULL;
  MPI_Datatype block_ = MPI_DATATYPE_NULL;
};

class Writer {
 public:
  Writer(const Communicator& comm, const std::function<void()>& before_piece)
      : comm_(comm), before_piece_(before_piece) {}

  /// Agreed, since nobody can go on without the file.
  void open(const std::string& path) {
    agree(comm_, detail::error_of([&] {
            check_mpi(
                MPI_File_open(comm_.native(), path.c_str(), MPI_MODE_WRONLY, MPI_INFO_NULL, &file_),
                "MPI_File_open");
          }));
  }

  void write(const BlockInMemory& source, std::uint64_t offset_bytes, const PieceSealer& seal,
             std::vector<std::uint32_t>& crcs) {
    std::optional<BlockType> type;
    agree(comm_, detail::error_of([&] { type.emplace(source); }));
    attempt([&] {
      check_mpi(MPI_File_set_view(file_, static_cast<MPI_Offset>(offset_bytes), type->element(),
                                  type->view(), "native", MPI_INFO_NULL),
                "MPI_File_set_view");
    });
    PieceSource block(source, offset_bytes, seal);
    const auto most = all_reduce(comm_, std::uint64_t{block.pieces()}, Maximum{});
    for (std::size_t piece = 0; piece < most; ++piece) {
      std::span<const std::byte> bytes;
      PieceRange range;
      if (piece < block.pieces()) {
        attempt([&] {
          before_piece_();
          bytes = block.take(piece, crcs);
          range = block.range(piece);
        });
      }
      const auto count = bytes.empty() ? 0 : static_cast<int>(range.last - range.first);
      const int code =
          MPI_File_write_at_all(file_, static_cast<MPI_Offset>(range.first), bytes.data(), count,
                                type->element(), MPI_STATUS_IGNORE);
      attempt([&] { check_mpi(code, "MPI_File_write_at_all"); });
    }
  }

  void sync_and_close() {
    const int synced = MPI_File_sync(file_);
    const int closed = MPI_File_close(&file_);
    attempt([&] {
      check_mpi(synced, "MPI_File_sync");
      check_mpi(closed, "MPI_File_close");
    });
    if (problem_) throw Error(*problem_);
  }

 private:
  template <typename Work>
  void attempt(Work&& work) {
    auto problem = detail::error_of(work);
    if (problem && !problem_) problem_ = std::move(problem);
  }

  const Communicator& comm_;
  const std::function<void()>& before_piece_;
  MPI_File file_ = MPI_FILE_NULL;
  std::optional<Error> problem_;
};

}  // namespace

std::vector<std::uint32_t> write_with_mpi_io(const Communicator& comm, const std::string& path,
                                             const std::vector<BlockInMemory>& blocks,
                                             const std::vector<std::uint64_t>& offsets_bytes,
                                             const std::vector<PieceSealer>& sealers,
                                             const std::function<void()>& before_piece) {
  Writer writer(comm, before_piece);
  std::vector<std::uint32_t> crcs;
  writer.open(path);
  for (std::size_t f = 0; f < blocks.size(); ++f)
    writer.write(blocks[f], offsets_bytes[f], sealers[f], crcs);
  writer.sync_and_close();
  return crcs;
}

}  // namespace cairn::ckpt
