#include "cairn/ckpt/stream.hpp"

#include <mpi.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <memory>
#include <optional>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "fields.hpp"

namespace cairn::ckpt {

namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 20;

static_assert(std::endian::native == std::endian::little, "digests are of little-endian bytes");

std::vector<int> as_ints(const Shape& shape) {
  std::vector<int> ints;
  for (const auto extent : shape) ints.push_back(cairn::detail::mpi_count(extent));
  return ints;
}

/// The doubles of a box in a row-major array of these extents.
class SubarrayType {
 public:
  SubarrayType(const Shape& extents, const Box& box) {
    check_mpi(MPI_Type_create_subarray(static_cast<int>(extents.size()), as_ints(extents).data(),
                                       as_ints(box.count).data(), as_ints(box.offset).data(),
                                       MPI_ORDER_C, MPI_DOUBLE, &type_),
              "MPI_Type_create_subarray");
    check_mpi(MPI_Type_commit(&type_), "MPI_Type_commit");
  }
  ~SubarrayType() { MPI_Type_free(&type_); }
  SubarrayType(const SubarrayType&) = delete;
  SubarrayType& operator=(const SubarrayType&) = delete;

  [[nodiscard]] MPI_Datatype native() const noexcept { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

/// `box` as it stands in an array whose first element is `origin` of the global one.
Box moved(Box box, const Shape& origin, std::size_t ghosts) {
  for (std::size_t axis = 0; axis < origin.size(); ++axis) {
    box.offset[axis] = box.offset[axis] + ghosts - origin[axis];
  }
  return box;
}

/// One pass over the array, chunk by chunk.
class RowStream {
 public:
  RowStream(const Communicator& comm, const double* storage, const Block& block,
            std::vector<Box> boxes)
      : comm_(comm),
        internal_(comm.internal()),
        storage_(storage),
        block_(block),
        boxes_(std::move(boxes)),
        rows_(block.global.front()),
        row_size_(volume(block.global) / std::max<std::size_t>(rows_, 1)),
        rows_a_chunk_(std::clamp<std::size_t>(
            chunk_bytes / sizeof(double) / std::max<std::size_t>(row_size_, 1), 1,
            std::max<std::size_t>(rows_, 1))) {
    if (comm_.is_root()) chunk_.resize(rows_a_chunk_ * row_size_);
  }

  void pass(const RowConsumer& consume) {
    if (row_size_ == 0) return;
    std::optional<Error> error;
    for (std::size_t first = 0; first < rows_; first += rows_a_chunk_) {
      const std::size_t count = std::min(rows_a_chunk_, rows_ - first);
      const auto box = chunk_box(first, count);
      if (comm_.is_root()) receive(box);
      send(box);
      if (!comm_.is_root()) continue;
      check_mpi(
          MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE),
          "MPI_Waitall");
      if (error) continue;  // the others still send: take it, and tell them at the end
      error = cairn::detail::error_of(
          [&] { consume(first, std::span(chunk_).first(count * row_size_)); });
    }
    agree(comm_, error);
  }

 private:
  [[nodiscard]] Box chunk_box(std::size_t first, std::size_t count) const {
    Box box{Shape(block_.global.size(), 0), block_.global};
    box.offset.front() = first;
    box.count.front() = count;
    return box;
  }

  /// Rank 0: from every rank that has a part of it.
  void receive(const Box& chunk) {
    requests_.clear();
    for (std::size_t r = 0; r < boxes_.size(); ++r) {
      const auto part = intersection(boxes_[r], chunk);
      if (!part) continue;
      const SubarrayType type(chunk.count, moved(*part, chunk.offset, 0));
      check_mpi(MPI_Irecv(chunk_.data(), 1, type.native(), static_cast<int>(r), 0, internal_,
                          &requests_.emplace_back()),
                "MPI_Irecv");
    }
  }

  void send(const Box& chunk) const {
    const auto part = intersection({block_.offset, block_.count}, chunk);
    if (!part) return;
    auto extents = block_.count;
    for (auto& extent : extents) extent += 2 * block_.ghosts;
    const SubarrayType type(extents, moved(*part, block_.offset, block_.ghosts));
    // Synchronous: nobody may run ahead and fill rank 0's memory with unexpected messages.
    check_mpi(MPI_Ssend(storage_, 1, type.native(), 0, 0, internal_), "MPI_Ssend");
  }

  const Communicator& comm_;
  MPI_Comm internal_;
  const double* storage_;
  const Block& block_;
  std::vector<Box> boxes_;  // of all ranks, on rank 0
  std::size_t rows_;
  std::size_t row_size_;
  std::size_t rows_a_chunk_;
  std::vector<double> chunk_;          // rank 0
  std::vector<MPI_Request> requests_;  // rank 0
};

}  // namespace

void stream_rows(const Communicator& comm, std::span<const double> storage, const Block& block,
                 const RowConsumer& consume) {
  const auto bytes = std::as_bytes(storage);
  // Reads only; the type of the memory is shared with restoring.
  const RegisteredField field{"array", ScalarType::float64, block, {}, [&] {
                                return std::span(const_cast<std::byte*>(bytes.data()),
                                                 bytes.size());
                              }};
  together(comm, [&] {
    check_field(field);
    (void)memory_of(field);
  });
  auto boxes = gather_boxes(comm, {field}, {});
  auto stream = together(comm, [&] {
    return std::make_unique<RowStream>(comm, storage.data(), block, std::move(boxes.front()));
  });
  stream->pass(consume);
}

std::string digest(const Communicator& comm, std::span<const double> storage, const Block& block) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  together(comm, [&] {
    if (state == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(state.get());
  });
  stream_rows(comm, storage, block, [&](std::size_t, std::span<const double> values) {
    XXH3_128bits_update(state.get(), values.data(), values.size_bytes());
  });
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  bcast(comm, std::span<char>(text));
  return {text.data(), text.size() - 1};
}

}  // namespace cairn::ckpt
