/// Non-blocking calls: async(comm) in place of comm starts one and returns its Future.
///
///     auto sum = all_reduce(async(comm), std::span(x));     // x is lent until wait()
///     auto all = all_gather(async(comm), mine, fresh);      // the future owns the result
///     compute();
///     sum.wait();
///     std::vector<double> values = all.wait();
#pragma once

#include <mpi.h>

#include <utility>

#include "cairn/collectives/call.hpp"
#include "cairn/collectives/owner.hpp"
#include "cairn/collectives/requests.hpp"

namespace cairn {

namespace detail {

/// Performs MPI calls in the background.
class Later {
 public:
  Later(const Communicator& comm, Requests& requests) : comm_(comm), requests_(requests) {}

  template <auto blocking, auto starting, typename... Args>
  void operator()(const Native<blocking, starting>& native, Args... args) {
    if constexpr (requires { through_messages(comm_, requests_, native, args...); }) {
      if (through_messages(comm_, requests_, native, args...)) return;
    }
    requests_.started(starting(args..., comm_.native(), &requests_.next()), native.name);
  }
  /// The status comes when the request is waited for.
  void receive(void* data, const Wire& wire, int source, int tag, MPI_Status&) {
    requests_.started(
        MPI_Irecv(data, wire.count, wire.type, source, tag, comm_.native(), &requests_.next()),
        "MPI_Irecv");
  }

 private:
  const Communicator& comm_;
  Requests& requests_;
};

/// Where a frame wants the status of its message; most want none.
template <typename Frame>
MPI_Status* status_of([[maybe_unused]] Frame& frame) {
  if constexpr (requires { frame.status; }) {
    return &frame.status;
  } else {
    return MPI_STATUS_IGNORE;
  }
}

/// What a call has to keep until it is done, and how its result is taken out.
template <typename R>
struct Keeper {
  virtual ~Keeper() = default;
  virtual R finish() = 0;
  virtual MPI_Status* status() = 0;
};
template <typename R, typename Frame>
struct KeptFrame final : Keeper<R> {
  explicit KeptFrame(Frame&& f) : frame(std::move(f)) {}
  R finish() override {
    frame.complete();
    return frame.release();
  }
  MPI_Status* status() override { return status_of(frame); }
  Frame frame;
};

}  // namespace detail

/// Makes a call non-blocking. The communicator outlives it.
[[nodiscard]] inline detail::Async async(const Communicator& comm) noexcept { return {comm}; }
detail::Async async(const Communicator&& temporary) = delete;

/// A call under way. Buffers that were lent to it stay untouched, and alive, until wait() returns
/// or test() has said true; spans of counts and displacements likewise.
///
/// Movable. All members are local. Destroying a Future whose call is not finished ends the program
/// through std::terminate with a message: MPI would go on writing to memory that is gone, and a
/// silent wait could be a deadlock. So does an exception that leaves the scope of one, and its text
/// is lost: wait before whatever may throw, or catch the exception, wait, and throw it again.
/// @tparam R  what the call returns; void when all its buffers are lent
template <typename R = void>
class [[nodiscard]] Future {
 public:
  Future(Future&& other) noexcept
      : what_(other.what_),
        keeper_(std::move(other.keeper_)),
        requests_(std::move(other.requests_)) {}
  Future& operator=(Future&&) = delete;
  ~Future() {
    if (requests_.pending()) detail::destroyed_unfinished(what_);
  }

  /// Blocks until the call is done, and returns its result; a second time is a mistake.
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one; the call is over there,
  /// and what its buffers hold is unspecified
  R wait() {
    if (requests_.pending()) requests_.wait(status());
    if constexpr (std::is_void_v<R>) {
      if (keeper_) std::exchange(keeper_, {})->finish();
    } else {
      expects(bool(keeper_), "a Future is waited for once");
      return std::exchange(keeper_, {})->finish();
    }
  }

  /// True when the call is done; wait() then returns at once. Never blocks, and lets MPI go on.
  /// @throws Error{Errc::mpi_failure} as wait() does, which then finds nothing to wait for
  [[nodiscard]] bool test() { return requests_.test(status()); }

 private:
  MPI_Status* status() { return keeper_ ? keeper_->status() : MPI_STATUS_IGNORE; }

  template <typename Frame, typename Body>
  friend auto detail::carry_out(const detail::Async&, const detail::Signature&, const Where&, Frame,
                                Body);
  explicit Future(const char* what) : what_(what) {}

  const char* what_;
  detail::Owner<detail::Keeper<R>> keeper_;  // goes after the requests
  detail::Requests requests_;
};

namespace detail {

template <typename Frame, typename Body>
auto carry_out(const Async& way, const Signature& signature, const Where& where, Frame frame,
               Body body) {
  using R = typename Frame::Result;
  compare_if_checked(way.comm, signature, where, Manner::async);
  Future<R> future(signature.call);
  Later later(way.comm, future.requests_);
  if constexpr (Frame::owns) {
    Owner kept(new KeptFrame<R, Frame>(std::move(frame)));
    auto& place = kept->frame;
    future.keeper_ = std::move(kept);
    body(later, place);
  } else {
    body(later, frame);
  }
  return future;
}

}  // namespace detail

}  // namespace cairn
