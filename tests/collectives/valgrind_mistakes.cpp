// A program with the mistakes that valgrind.py has to find, named by its arguments.

#include <mpi.h>

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/runtime.hpp"

using namespace cairn;

namespace {

constexpr std::size_t n = 64;

/// One of 64 values is never written.
std::unique_ptr<double[]> almost_filled() {
  auto values = std::make_unique_for_overwrite<double[]>(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (i != 17) values[i] = 1.0;
  }
  return values;
}

/// Started, and never waited for.
void leak_request(const Communicator& comm) {
  std::array<double, n> data{};
  MPI_Request request = MPI_REQUEST_NULL;
  // NOLINTNEXTLINE(mpi-*)
  MPI_Ibcast(data.data(), n, MPI_DOUBLE, 0, comm.native(), &request);
  barrier(comm);
}

void leak_datatype() {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_vector(3, 1, 2, MPI_DOUBLE, &type);
  MPI_Type_commit(&type);
}

void leak_memory() {
  static_cast<void>(std::make_unique<std::vector<double>>(n, 1.0).release());
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks)

void read_undefined(const Communicator& comm) {
  const auto values = almost_filled();
  if (values[17] > comm.size()) barrier(comm);
}

}  // namespace

int main(int argc, char** argv) {
  const Runtime runtime(argc, argv);
  const auto& comm = runtime.world();
  for (int i = 1; i < argc; ++i) {
    const std::string_view mistake = argv[i];
    const auto values = almost_filled();
    if (mistake == "undefined-send") bcast(comm, std::span(values.get(), n));
    if (mistake == "undefined-term") all_reduce(comm, std::span(values.get(), n));
    if (mistake == "undefined-read") read_undefined(comm);
    if (mistake == "request") leak_request(comm);
    if (mistake == "datatype") leak_datatype();
    if (mistake == "memory") leak_memory();
  }
  return 0;
}
