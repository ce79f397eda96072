/// Persistent calls: plan(comm) in place of comm prepares one, to be started many times.
///
///     auto sum = all_reduce(plan(comm), std::span(x));
///     for (…) {
///       fill(x);
///       sum.start();
///       compute();
///       sum.wait();
///     }
///
/// MPI 3.1 has no persistent collectives: each start is a non-blocking call with the arguments and
/// checks that the plan keeps. Strided elements get their datatype at each start.
#pragma once

#include <utility>

#include "cairn/collectives/async.hpp"
#include "cairn/collectives/layout.hpp"
#include "cairn/collectives/owner.hpp"

namespace cairn {

namespace detail {

struct Prepared {
  virtual ~Prepared() = default;
  virtual void start(Requests& requests) = 0;
  virtual void finish() = 0;
  virtual MPI_Status* status() = 0;
};

template <typename Frame, typename Body>
struct PreparedCall final : Prepared {
  PreparedCall(const Communicator& c, const Signature& s, const Where& w, Frame&& f, Body&& b)
      : comm(c), signature(s), where(w), frame(std::move(f)), body(std::move(b)) {}
  void start(Requests& requests) override {
    compare_if_checked(comm, signature, where, Manner::planned);
    Later later(comm, requests);
    body(later, frame);
  }
  void finish() override { frame.complete(); }
  MPI_Status* status() override { return status_of(frame); }

  const Communicator& comm;
  Signature signature;
  Where where;
  Frame frame;
  Body body;
};

}  // namespace detail

/// Makes a call persistent. The communicator outlives it, and is not moved meanwhile: the plan
/// refers to it.
[[nodiscard]] inline detail::Planned plan(const Communicator& comm) noexcept { return {comm}; }
detail::Planned plan(const Communicator&& temporary) = delete;

/// A call that is started many times on the same buffers. Lent buffers, and spans of counts and
/// displacements, live as long as the plan; between start() and the end of wait() they stay
/// untouched.
///
/// Movable. All members are local, but the ranks start their plans of one communicator in the same
/// order. Destroying a plan that is started and not waited for ends the program, as for a Future.
/// @tparam R  the type of the output that the plan owns; void when all its buffers are lent
template <typename R = void>
class [[nodiscard]] Plan {
 public:
  Plan(Plan&&) noexcept = default;
  Plan& operator=(Plan&&) = delete;
  ~Plan() {
    if (requests_.pending()) detail::destroyed_unfinished(what_);
  }

  /// Starts the call; the one before has been waited for.
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  void start() {
    expects_call();
    expects(!requests_.pending(), "a plan is waited for before it is started again");
    call_->start(requests_);
  }

  /// Blocks until the call is done.
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  void wait() {
    expects_call();
    if (requests_.pending()) requests_.wait(call_->status());
    call_->finish();
  }

  /// True when the call is done. Never blocks, and lets MPI go on.
  [[nodiscard]] bool test() {
    expects_call();
    return requests_.test(call_->status());
  }

  /// The output that the plan owns: of the last call, after wait().
  [[nodiscard]] const auto& result() const noexcept requires(!std::is_void_v<R>) {
    return *result_;
  }

 private:
  template <typename Frame, typename Body>
  friend auto detail::carry_out(const detail::Planned&, const detail::Signature&, const Where&,
                                Frame, Body);
  explicit Plan(const char* what) : what_(what) {}
  void expects_call() const { expects(bool(call_), "a plan that has not been moved from"); }

  const char* what_;
  const R* result_ = nullptr;
  detail::Owner<detail::Prepared> call_;  // goes after the requests
  detail::Requests requests_;
};

namespace detail {

template <typename Frame, typename Body>
auto carry_out(const Planned& way, const Signature& signature, const Where& where, Frame frame,
               Body body) {
  using R = typename Frame::Result;
  Owner call(
      new PreparedCall<Frame, Body>(way.comm, signature, where, std::move(frame), std::move(body)));
  Plan<R> plan(signature.call);
  if constexpr (!std::is_void_v<R>) plan.result_ = &call->frame.kept();
  plan.call_ = std::move(call);
  return plan;
}

}  // namespace detail

/// An ExactSum, and an array of them, has no plan; this says so.
template <typename Sums>
requires(!detail::Reducible<Sums>) void all_reduce(const detail::Planned&, const Sums&) {
  static_assert(detail::always_false<Sums>,
                "cairn: an exact sum has no plan; pass comm or async(comm) each time");
}

}  // namespace cairn
