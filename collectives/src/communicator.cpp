#include "cairn/collectives/communicator.hpp"

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/check.hpp"
#include "cairn/collectives/node_engine.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "exchange_state.hpp"

namespace cairn {

namespace {

MPI_Comm duplicate_of(MPI_Comm parent) {
  MPI_Comm handle = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(parent, &handle), "MPI_Comm_dup");
  return handle;
}

std::string_view check_level() {
  const char* level = std::getenv("CAIRN_CHECK");
  return level != nullptr ? level : "";
}

void expect_known_check_level() {
  const std::string_view level = check_level();
  if (level.empty() || level == "collectives") return;
  throw Error(Errc::usage, "CAIRN_CHECK: '" + std::string(level) +
                               "' is none of collectives and the empty word");
}

/// On an intercommunicator size() would be that of one group, and results those of the other.
MPI_Comm checked(MPI_Comm parent) {
  expects(parent != MPI_COMM_NULL, "a communicator, not MPI_COMM_NULL");
  int is_inter = 0;
  check_mpi(MPI_Comm_test_inter(parent, &is_inter), "MPI_Comm_test_inter");
  if (is_inter != 0) {
    throw Error(Errc::usage,
                "a Communicator is made of an intracommunicator, and this is an "
                "intercommunicator; MPI_Intercomm_merge makes one of both its groups");
  }
  return parent;
}

}  // namespace

Communicator::Communicator(MPI_Comm parent, const char* name)
    : Communicator(Adopt{}, duplicate_of(checked(parent)), name) {
  is_checked_ = false;  // while the ranks agree, of which some may have another level
  together(*this, expect_known_check_level);
  is_checked_ = check_level() == "collectives";
}

Communicator::Communicator(Adopt, MPI_Comm handle, const char* name)
    : handle_(handle), is_checked_(check_level() == "collectives") {
  check_mpi(MPI_Comm_set_errhandler(handle_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_set_name(handle_, name), "MPI_Comm_set_name");
  check_mpi(MPI_Comm_rank(handle_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(handle_, &size_), "MPI_Comm_size");
}

Communicator::Communicator(Communicator&& other) noexcept
    : handle_(std::exchange(other.handle_, MPI_COMM_NULL)),
      internal_(std::exchange(other.internal_, MPI_COMM_NULL)),
      exchange_state_(std::exchange(other.exchange_state_, nullptr)),
      node_engine_(std::exchange(other.node_engine_, nullptr)),
      rank_(other.rank_),
      size_(other.size_),
      is_checked_(other.is_checked_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  if (this != &other) {
    release();
    handle_ = std::exchange(other.handle_, MPI_COMM_NULL);
    internal_ = std::exchange(other.internal_, MPI_COMM_NULL);
    exchange_state_ = std::exchange(other.exchange_state_, nullptr);
    node_engine_ = std::exchange(other.node_engine_, nullptr);
    rank_ = other.rank_;
    size_ = other.size_;
    is_checked_ = other.is_checked_;
  }
  return *this;
}

Communicator::~Communicator() { release(); }

void Communicator::release() noexcept {
  delete std::exchange(exchange_state_, nullptr);
  delete std::exchange(node_engine_, nullptr);
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
  exchange_state_ = new detail::ExchangeState(*this);
  return *exchange_state_;
}

void Communicator::use_node_engine() { use_node_engine({}); }

void Communicator::use_node_engine(const NodeEngineOptions& options) {
  auto* engine = new NodeEngine(*this, options);
  delete std::exchange(node_engine_, engine);
}

Communicator Communicator::duplicate(const char* name, Where where) const {
  detail::compare_if_checked(*this, {"Communicator::duplicate"}, where);
  return Communicator(handle_, name);
}

Communicator Communicator::split(int colour, int key, const char* name, Where where) const {
  const detail::Signature signature{"Communicator::split"};
  detail::Require(*this, signature, where)(colour >= 0, "a colour of 0 or more");
  detail::compare_if_checked(*this, signature, where);
  MPI_Comm handle = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(handle_, colour, key, &handle), "MPI_Comm_split");
  return Communicator(Adopt{}, handle, name);
}

}  // namespace cairn
