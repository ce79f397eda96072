/// MPI objects that live as long as MPI does.
#pragma once

#include <mpi.h>

namespace cairn::detail {

/// Frees the handle at the start of MPI_Finalize, whoever calls it and whenever that is; returns
/// it. Local, thread-safe.
///
/// MPI_Finalize first deletes the attributes of MPI_COMM_SELF (MPI 3.1, section 8.7.1), at a time
/// when MPI can still be called: a static destructor would come too late, or before other users.
MPI_Datatype keep_until_finalize(MPI_Datatype type);
MPI_Op keep_until_finalize(MPI_Op op);

}  // namespace cairn::detail
