#include "cairn/collectives/buffer.hpp"

#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

/// A datatype that is freed at the end of its scope; what was made from it lives on.
struct Scoped {
  explicit Scoped(MPI_Datatype t) : type(t) {}
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;
  ~Scoped() { MPI_Type_free(&type); }
  MPI_Datatype type;
};

MPI_Datatype few_repeated(std::size_t n, std::size_t stride_bytes, MPI_Datatype element) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_create_hvector(static_cast<int>(n), 1, static_cast<MPI_Aint>(stride_bytes),
                                    element, &type),
            "MPI_Type_create_hvector");
  return type;
}

/// n elements whose starts are stride_bytes apart: above max_count as runs of max_count, and a
/// rest.
MPI_Datatype repeated(std::size_t n, std::size_t stride_bytes, MPI_Datatype element) {
  if (n <= max_count) return few_repeated(n, stride_bytes, element);
  const std::size_t runs = n / max_count;
  expects(runs <= static_cast<std::size_t>(INT_MAX), "at most 2^62 elements");
  const Scoped run(few_repeated(max_count, stride_bytes, element));
  const Scoped all_runs(few_repeated(runs, stride_bytes * max_count, run.type));
  const Scoped rest(few_repeated(n % max_count, stride_bytes, element));
  const int lengths[2] = {1, 1};
  const MPI_Aint offsets[2] = {0, static_cast<MPI_Aint>(runs * max_count * stride_bytes)};
  const MPI_Datatype types[2] = {all_runs.type, rest.type};
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_create_struct(2, lengths, offsets, types, &type), "MPI_Type_create_struct");
  return type;
}

MPI_Datatype committed(MPI_Datatype type) {
  check_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
  return type;
}

}  // namespace

MPI_Datatype Wire::big_type(std::size_t n, MPI_Datatype element) {
  MPI_Aint lower_bound = 0;
  MPI_Aint extent_bytes = 0;
  check_mpi(MPI_Type_get_extent(element, &lower_bound, &extent_bytes), "MPI_Type_get_extent");
  return committed(repeated(n, static_cast<std::size_t>(extent_bytes), element));
}

MPI_Datatype Wire::strided_type(std::size_t inner, std::size_t inner_stride, std::size_t outer,
                                std::size_t outer_stride, std::size_t element_bytes,
                                MPI_Datatype element) {
  const Scoped run(repeated(inner, inner_stride * element_bytes, element));
  return committed(repeated(outer, outer_stride * element_bytes, run.type));
}

void Wire::free_type(MPI_Datatype type) noexcept {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized == 0) MPI_Type_free(&type);
}

}  // namespace cairn::detail
