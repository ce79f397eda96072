#include "cairn/collectives/wide_layout.hpp"

#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

PartTypes::PartTypes(std::size_t ranks)
    : counts_(ranks, 0),
      displacements_(ranks, 0),
      offsets_bytes_(ranks, 0),
      types_(ranks, MPI_BYTE) {}

PartTypes::~PartTypes() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized != 0) return;
  for (auto& type : types_) {
    if (type != MPI_BYTE) MPI_Type_free(&type);
  }
}

void PartTypes::set(std::size_t rank, std::size_t count, std::size_t displacement,
                    MPI_Datatype element) {
  if (count == 0) return;
  MPI_Aint lower_bound = 0;
  MPI_Aint extent_bytes = 0;
  check_mpi(MPI_Type_get_extent(element, &lower_bound, &extent_bytes), "MPI_Type_get_extent");
  const Wire part(count, element);
  const MPI_Aint offset_bytes = static_cast<MPI_Aint>(displacement) * extent_bytes;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_create_hindexed(1, &part.count, &offset_bytes, part.type, &type),
            "MPI_Type_create_hindexed");
  types_[rank] = type;
  counts_[rank] = 1;
  check_mpi(MPI_Type_commit(&types_[rank]), "MPI_Type_commit");
}

void PartTypes::set(const WideLayout& layout, MPI_Datatype element) {
  for (std::size_t r = 0; r < counts_.size(); ++r)
    set(r, layout.counts[r], layout.displacements[r], element);
}

}  // namespace cairn::detail
