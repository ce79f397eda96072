// Decisions among ranks against the collectives of MPI: the commit of an epoch, the selection of
// the one to restart from; and what a rank that is stopped costs the others, against the
// millisecond that it may.

#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "benchmark.hpp"
#include "cairn/consensus/epoch_vote.hpp"
#include "cairn/consensus/selection.hpp"
#include "cairn/transport/mpi_transport.hpp"

namespace cairn::bench {

namespace {

using Clock = std::chrono::steady_clock;

Parameters ranks_of(const Context& context) { return {{"ranks", context.world.size()}}; }

/// An epoch that all ranks have written, without its record: votes, answers, decision.
Row commit(Context& context, const Communicator& raw) {
  const std::vector<int> one_host(static_cast<std::size_t>(context.world.size()), 0);
  consensus::EpochVote vote(context.world, one_host, 0);
  std::uint64_t epoch = 0;
  const auto ours = [&] { (void)vote.all_are_here({.incarnation = 1, .epoch = ++epoch}); };
  int value = 1;
  const auto mpi = [&] { MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT, MPI_MIN, raw.native()); };
  const auto target = context.world.size() == 4 ? std::optional(5.0) : std::nullopt;
  return {"consensus.commit", ranks_of(context), compare(context, ours, mpi), target};
}

/// The newest of ten epochs, against the two reductions that it takes.
Row selection(Context& context, const Communicator& raw) {
  const int ranks = context.world.size();
  std::vector<consensus::OfferedEpoch> mine;
  for (std::uint64_t epoch = 1; epoch <= 10; ++epoch)
    mine.push_back({{1, epoch, 100 + epoch}, {context.world.rank()}});
  const auto is_whole = [](std::uint64_t, const std::vector<bool>& filled) {
    return std::find(filled.begin(), filled.end(), false) == filled.end();
  };
  const auto ours = [&] { (void)consensus::select_restart(context.world, mine, ranks, is_whole); };
  std::array<std::uint64_t, 4> words{};
  const auto mpi = [&] {
    MPI_Allreduce(MPI_IN_PLACE, words.data(), 3, MPI_UINT64_T, MPI_MIN, raw.native());
    MPI_Allreduce(MPI_IN_PLACE, words.data(), 4, MPI_UINT64_T, MPI_MIN, raw.native());
  };
  return {"consensus.selection", ranks_of(context), compare(context, ours, mpi), std::nullopt};
}

/// A round of one message to every rank and a poll, on rank 0, while the last rank is stopped: what
/// 999 of 1000 take at most. The longest ones are those in which others had the core.
Row poll_beside_stopped(Context& context) {
  const auto& comm = context.world;
  using Message = std::array<std::uint64_t, 16>;
  transport::MpiTransport<Message> transport(comm);
  const int victim = comm.size() - 1;
  const int victim_process = bcast(comm, static_cast<int>(::getpid()), victim);
  std::vector<double> seconds;
  barrier(comm);
  if (comm.is_root()) {
    ::kill(victim_process, SIGSTOP);
    std::array<transport::Envelope<Message>, 8> room{};
    const auto end = Clock::now() + std::chrono::duration<double>(context.seconds);
    while (Clock::now() < end) {
      const auto begin = Clock::now();
      for (int to = 1; to < comm.size(); ++to) transport.offer({0, to, Message{}});
      (void)transport.poll(room);
      seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
    ::kill(victim_process, SIGCONT);
  }
  barrier(comm);
  (void)transport.mailbox().close(std::chrono::seconds(10));
  std::sort(seconds.begin(), seconds.end());
  const double long_one = bcast(comm, seconds.empty() ? 0 : seconds[seconds.size() * 999 / 1000]);
  return {"consensus.poll_beside_stopped", ranks_of(context), {long_one, 1e-3}, 1.0};
}

std::vector<Row> measure(Context& context) {
  const Communicator raw(context.world.native(), "bench.raw");
  std::vector<Row> rows{commit(context, raw), selection(context, raw)};
  if (context.world.size() > 1) rows.push_back(poll_beside_stopped(context));
  return rows;
}

const Benchmark registered{"consensus", "decisions among ranks against reductions", measure};

}  // namespace

}  // namespace cairn::bench
