#include "settings.hpp"

#include <array>

namespace cairn::tool {

namespace {

constexpr std::array table{
    Setting{"CAIRN_CHECK", "collectives: all ranks compare their collective calls"},
    Setting{"CAIRN_CKPT_KEY", "the key of encrypted epochs: 64 hexadecimal digits", true},
    Setting{"CAIRN_CKPT_LOCK",
            "off: no flock(2) on a checkpoint directory; its claim keeps two jobs apart alone"},
    Setting{"CAIRN_CONFIG", "--config of every program: a file with options, 'size = 1024'"},
    Setting{"CAIRN_FAILPOINTS",
            "for tests: kill, stall or fail a rank at a named place (PROGRAM --list-failpoints)"},
    Setting{"CAIRN_GRACE", "--grace of cairn run: seconds from a request to stop until it kills"},
    Setting{"CAIRN_JOURNAL_SECONDS",
            "for tests: how long the end of a program waits for the job's journal"},
    Setting{"CAIRN_LAUNCH", "number of this launch from 0; cairn run sets it"},
    Setting{"CAIRN_LOG_LEVEL",
            "--log-level of every program: trace, debug, info, warning or error"},
    Setting{"CAIRN_MAX_RESTARTS", "--max-restarts of cairn run"},
    Setting{"CAIRN_MPIRUN", "--mpirun of cairn run: the launcher and its options"},
    Setting{"CAIRN_NODE_ENGINE",
            "shared-memory collectives inside a node: auto (measured at the start), on or off"},
    Setting{"CAIRN_PROGRESS_EVERY",
            "--progress-every of every program: seconds between lines of progress, 0 for none"},
    Setting{"CAIRN_QUIET", "--quiet of every program: 1 for warnings and errors only"},
    Setting{"CAIRN_RANKS", "--ranks of cairn run"},
    Setting{"CAIRN_REPORT", "--report of cairn run: the folder for report.html"},
    Setting{"CAIRN_REPORT_PICTURE", "--report-picture of cairn run"},
    Setting{"CAIRN_RESTART_RANKS", "--restart-ranks of cairn run"},
    Setting{"CAIRN_RUN", "which cairn run started this launch; cairn run sets it"},
    Setting{"CAIRN_SIMD",
            "exact sums by scalar, avx2 or avx512 instructions (default: the fastest)"},
    Setting{"CAIRN_TERMINAL",
            "stderr ends at a terminal although it is mpirun's pipe; cairn run sets it"},
    Setting{"CAIRN_THREADS", "--threads of every program: OpenMP threads per rank"},
    Setting{"CAIRN_TRACE",
            "folder into which every rank writes its trace; cairn run --report sets it"},
    Setting{"CAIRN_VERDICT", "where a program leaves its exit code; cairn run sets it"},
    Setting{"CAIRN_VIRTUAL_HOSTS", "for tests: so many hosts out of the ranks of one"},
};

}  // namespace

std::span<const Setting> settings() { return table; }

}  // namespace cairn::tool
