#include "cairn/collectives/count.hpp"

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

/// Frees a type at the end of its scope; what was made from it lives on.
class TemporaryType {
 public:
  TemporaryType() = default;
  TemporaryType(const TemporaryType&) = delete;
  TemporaryType& operator=(const TemporaryType&) = delete;
  ~TemporaryType() {
    if (type != MPI_DATATYPE_NULL) MPI_Type_free(&type);
  }

  MPI_Datatype type = MPI_DATATYPE_NULL;
};

}  // namespace

void BigType::make(std::size_t count, MPI_Datatype element) {
  expects(max_count > 0 && max_count <= INT_MAX, "a limit that is an int");
  const std::size_t blocks = count / max_count;
  const std::size_t remainder = count % max_count;
  expects(blocks <= INT_MAX, "fewer elements than two levels of datatypes can count");
  MPI_Aint lower_bound = 0;
  MPI_Aint extent = 0;
  check_mpi(MPI_Type_get_extent(element, &lower_bound, &extent), "MPI_Type_get_extent");

  const int block = static_cast<int>(max_count);
  TemporaryType whole;
  check_mpi(MPI_Type_vector(static_cast<int>(blocks), block, block, element, &whole.type),
            "MPI_Type_vector");
  const int lengths[] = {1, static_cast<int>(remainder)};
  const MPI_Aint displacements[] = {0, static_cast<MPI_Aint>(blocks * max_count) * extent};
  const MPI_Datatype types[] = {whole.type, element};
  TemporaryType big;
  check_mpi(MPI_Type_create_struct(2, lengths, displacements, types, &big.type),
            "MPI_Type_create_struct");
  check_mpi(MPI_Type_commit(&big.type), "MPI_Type_commit");

  count_ = 1;
  type_ = big.type;
  made_ = true;
  big.type = MPI_DATATYPE_NULL;
}

}  // namespace cairn::detail
