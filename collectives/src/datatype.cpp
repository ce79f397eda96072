#include "cairn/collectives/datatype.hpp"

#include <algorithm>
#include <climits>
#include <string>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "lifetime.hpp"

namespace cairn::detail {

namespace {

/// Padding is shorter than the alignment of what follows it; a longer gap hides a member.
void expect_no_gap(std::size_t from, std::size_t to, std::size_t align_bytes) {
  if (from > to) throw Error(Errc::internal, "members_of names members that overlap");
  if (to - from >= align_bytes) {
    throw Error(Errc::internal,
                "members_of leaves out a member of a struct: nothing is named between byte " +
                    std::to_string(from) + " and byte " + std::to_string(to));
  }
}

}  // namespace

MPI_Datatype make_struct_datatype(Field* fields, std::size_t n, std::size_t size_bytes,
                                  std::size_t align_bytes) {
  std::sort(fields, fields + n,
            [](const Field& a, const Field& b) { return a.offset_bytes < b.offset_bytes; });
  std::size_t end = 0;
  std::vector<int> lengths(n, 1);
  std::vector<MPI_Aint> offsets;
  std::vector<MPI_Datatype> types;
  for (std::size_t i = 0; i < n; ++i) {
    expect_no_gap(end, fields[i].offset_bytes, fields[i].align_bytes);
    end = fields[i].offset_bytes + fields[i].size_bytes;
    offsets.push_back(static_cast<MPI_Aint>(fields[i].offset_bytes));
    types.push_back(fields[i].type);
  }
  expect_no_gap(end, size_bytes, align_bytes);

  MPI_Datatype packed = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_create_struct(static_cast<int>(n), lengths.data(), offsets.data(),
                                   types.data(), &packed),
            "MPI_Type_create_struct");
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_create_resized(packed, 0, static_cast<MPI_Aint>(size_bytes), &type),
            "MPI_Type_create_resized");
  check_mpi(MPI_Type_free(&packed), "MPI_Type_free");
  check_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
  return keep_until_finalize(type);
}

MPI_Datatype make_array_datatype(MPI_Datatype element, std::size_t n) {
  expects(n <= static_cast<std::size_t>(INT_MAX), "an array of at most 2^31 - 1 elements");
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_contiguous(static_cast<int>(n), element, &type), "MPI_Type_contiguous");
  check_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
  return keep_until_finalize(type);
}

}  // namespace cairn::detail
