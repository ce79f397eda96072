#include "cairn/mapreduce/pulse.hpp"

#include <functional>
#include <thread>
#include <utility>

#include "cairn/collectives/datatype.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::mapreduce {

namespace {

constexpr auto interval = std::chrono::milliseconds(50);
constexpr auto nap = std::chrono::milliseconds(1);

}  // namespace

Pulse::Pulse(const Communicator& comm, Progress progress)
    : comm_(comm), progress_(std::move(progress)) {}

bool Pulse::beat(std::uint64_t more) {
  mine_[done] += more;
  if (request_ != MPI_REQUEST_NULL) {
    if (completed()) judge();
  } else if (!leave_ && std::chrono::steady_clock::now() - last_start_ >= interval) {
    start();
  }
  return !leave_;
}

void Pulse::finish(Outcome outcome) {
  mine_[outcome == Outcome::failed ? failed : finished] = 1;
  while (!leave_) {
    if (request_ == MPI_REQUEST_NULL) start();
    while (!completed()) std::this_thread::sleep_for(nap);
    judge();
  }
}

void Pulse::start() {
  last_start_ = std::chrono::steady_clock::now();
  mine_[stopped] = pending_stop_signal() != 0 ? 1 : 0;
  sent_ = mine_;
  // NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker): it does not know that MPI_Test completes
  check_mpi(MPI_Iallreduce(sent_.data(), sum_.data(), fields, datatype_of<std::uint64_t>(), MPI_SUM,
                           comm_.native(), &request_),
            "MPI_Iallreduce");
}

bool Pulse::completed() {
  int flag = 0;
  check_mpi(MPI_Test(&request_, &flag, MPI_STATUS_IGNORE), "MPI_Test");
  return flag != 0;
}

/// Every rank sees the same sums in the same order, so all come to the same verdict in the same
/// round, and none starts a round that another does not join.
void Pulse::judge() {
  if (progress_ && comm_.is_root()) progress_(sum_[done]);
  leave_ = sum_[finished] == static_cast<std::uint64_t>(comm_.size()) || sum_[failed] > 0 ||
           sum_[stopped] > 0;
}

}  // namespace cairn::mapreduce
