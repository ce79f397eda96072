/// Requests to stop: a signal that one rank received becomes a fact of all ranks at the next step.
#pragma once

#include <string>

#include "cairn/collectives/communicator.hpp"

namespace cairn {

/// Catches SIGTERM, SIGUSR1 and SIGINT as requests to stop, which the program polls for; a second
/// SIGINT kills. Local, idempotent: while a request is pending, a further call changes nothing.
/// Async-signal-safe: the handler only sets a flag.
void catch_stop_signals();

/// The first stop signal that this process received, 0 for none. Local.
[[nodiscard]] int pending_stop_signal() noexcept;

/// Acts as if the process had received `signal`; 0 takes the request back. Local.
void request_stop(int signal) noexcept;

/// The stop signal that any rank received (the largest number), 0 for none; equal on all ranks.
/// Collective, blocking: one all_reduce of an int.
[[nodiscard]] int agreed_stop_signal(const Communicator& comm);

/// "SIGTERM", "SIGUSR1"; "signal 70" for what has no name. Local.
[[nodiscard]] std::string name_of_signal(int signal);

/// The exit code of a program that stopped on `signal` after saving: 75 (run me again).
/// Ctrl-C is a person's wish to end, not the scheduler's: 130.
[[nodiscard]] int stop_exit_code(int signal) noexcept;

}  // namespace cairn
