// What the pkg-config test compiles: collectives and ckpt, one epoch saved and found again.
#include <cstdio>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/runtime.hpp"

namespace {

cairn::ckpt::Block block_of(const cairn::Communicator& comm) {
  const auto rank = static_cast<std::size_t>(comm.rank());
  return {
      .global = {2 * static_cast<std::size_t>(comm.size())}, .offset = {2 * rank}, .count = {2}};
}

}  // namespace

int main(int argc, char** argv) {
  cairn::Runtime mpi(argc, argv);
  const auto& comm = mpi.world();
  std::vector<double> u(2, comm.rank());
  for (auto step : {std::uint64_t{0}, std::uint64_t{7}}) {
    cairn::ckpt::Checkpointer ckpt(comm.native(), {.directory = argv[1]});
    ckpt.field("u", u, block_of(comm));
    if (step == 0) ckpt.save(7);
    u.assign(2, -1);
    if (step == 7 && (ckpt.restore() != step || u[1] != comm.rank())) mpi.abort(1);
  }
  if (comm.is_root()) std::puts("restored step 7");
  return 0;
}
