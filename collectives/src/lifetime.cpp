#include "lifetime.hpp"

#include <mutex>
#include <vector>

#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

struct Kept {
  std::mutex mutex;
  std::vector<MPI_Datatype> types;
  std::vector<MPI_Op> ops;
  bool registered = false;
};

/// Never destroyed: MPI_Finalize may run after the static destructors of the host program.
Kept& kept() {
  static auto* const list = new Kept;
  return *list;
}

extern "C" int free_kept(MPI_Comm, int, void*, void*) {
  auto& list = kept();
  const std::lock_guard lock(list.mutex);
  for (auto& type : list.types) MPI_Type_free(&type);
  for (auto& op : list.ops) MPI_Op_free(&op);
  list.types.clear();
  list.ops.clear();
  return MPI_SUCCESS;
}

void register_once(Kept& list) {
  if (list.registered) return;
  int keyval = MPI_KEYVAL_INVALID;
  check_mpi(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, free_kept, &keyval, nullptr),
            "MPI_Comm_create_keyval");
  check_mpi(MPI_Comm_set_attr(MPI_COMM_SELF, keyval, nullptr), "MPI_Comm_set_attr");
  check_mpi(MPI_Comm_free_keyval(&keyval), "MPI_Comm_free_keyval");
  list.registered = true;
}

}  // namespace

MPI_Datatype keep_until_finalize(MPI_Datatype type) {
  auto& list = kept();
  const std::lock_guard lock(list.mutex);
  register_once(list);
  list.types.push_back(type);
  return type;
}

MPI_Op keep_until_finalize(MPI_Op op) {
  auto& list = kept();
  const std::lock_guard lock(list.mutex);
  register_once(list);
  list.ops.push_back(op);
  return op;
}

}  // namespace cairn::detail
