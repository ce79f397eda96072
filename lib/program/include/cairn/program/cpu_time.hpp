/// Time that threads were at work, whoever else was using the machine.
#pragma once

namespace cairn::program {

/// Seconds of CPU that all threads of this process have had. Local.
[[nodiscard]] double process_cpu_seconds();

/// Seconds of CPU that the calling thread has had. Local. @par Cost  a system call
[[nodiscard]] double thread_cpu_seconds();

}  // namespace cairn::program
