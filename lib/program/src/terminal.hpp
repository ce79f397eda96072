/// What stderr is, and how whole lines get there.
#pragma once

#include <string_view>

namespace cairn::program {

/// Whether stderr is a terminal that a person may be looking at: this process's, or that of
/// `cairn run`, which says so in CAIRN_TERMINAL, at the other end of mpirun's pipe.
[[nodiscard]] bool stderr_is_terminal() noexcept;

/// Whether colours are wanted on stderr: a terminal, TERM is not "dumb" and NO_COLOR is unset
/// (https://no-color.org).
[[nodiscard]] bool stderr_wants_colour() noexcept;

/// Writes all of `text` to stderr, with one write(2) if the system takes it at once.
void write_stderr(std::string_view text) noexcept;

}  // namespace cairn::program
