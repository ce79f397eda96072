#include "cairn/collectives/communicator.hpp"

#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "exchange_state.hpp"

namespace cairn {

namespace {

MPI_Comm duplicate_of(MPI_Comm parent) {
  expects(parent != MPI_COMM_NULL, "a communicator, not MPI_COMM_NULL");
  MPI_Comm handle = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(parent, &handle), "MPI_Comm_dup");
  return handle;
}

}  // namespace

Communicator::Communicator(MPI_Comm parent, const std::string& name)
    : Communicator(Adopt{}, duplicate_of(parent), name) {}

Communicator::Communicator(Adopt, MPI_Comm handle, const std::string& name) : handle_(handle) {
  check_mpi(MPI_Comm_set_errhandler(handle_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_set_name(handle_, name.c_str()), "MPI_Comm_set_name");
  check_mpi(MPI_Comm_rank(handle_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(handle_, &size_), "MPI_Comm_size");
}

Communicator::Communicator(Communicator&& other) noexcept
    : handle_(std::exchange(other.handle_, MPI_COMM_NULL)),
      internal_(std::exchange(other.internal_, MPI_COMM_NULL)),
      exchange_state_(std::move(other.exchange_state_)),
      rank_(other.rank_),
      size_(other.size_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  if (this != &other) {
    release();
    handle_ = std::exchange(other.handle_, MPI_COMM_NULL);
    internal_ = std::exchange(other.internal_, MPI_COMM_NULL);
    exchange_state_ = std::move(other.exchange_state_);
    rank_ = other.rank_;
    size_ = other.size_;
  }
  return *this;
}

Communicator::~Communicator() { release(); }

void Communicator::release() noexcept {
  exchange_state_.reset();
  if (handle_ == MPI_COMM_NULL) return;
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized == 0) {
    if (internal_ != MPI_COMM_NULL) MPI_Comm_free(&internal_);
    MPI_Comm_free(&handle_);
  }
  internal_ = MPI_COMM_NULL;
  handle_ = MPI_COMM_NULL;
}

MPI_Comm Communicator::make_internal() const {
  internal_ = duplicate_of(handle_);
  check_mpi(MPI_Comm_set_errhandler(internal_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_set_name(internal_, "cairn.internal"), "MPI_Comm_set_name");
  return internal_;
}

detail::ExchangeState& Communicator::make_exchange_state() const {
  exchange_state_ = std::make_shared<detail::ExchangeState>(*this);
  return *exchange_state_;
}

Communicator Communicator::split(int colour, int key, const std::string& name) const {
  expects(colour >= 0, "a colour of 0 or more");
  MPI_Comm handle = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(handle_, colour, key, &handle), "MPI_Comm_split");
  return Communicator(Adopt{}, handle, name);
}

}  // namespace cairn
