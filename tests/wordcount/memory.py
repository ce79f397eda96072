"""Input is streamed: memory does not grow with it."""

import gzip
import os
import sys

from harness import Harness

MIB = 1 << 20
LIMIT = 64 * MIB

# Runs its arguments and writes the peak of their resident memory, in KiB, beside the others'.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1] + os.environ["OMPI_COMM_WORLD_RANK"], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peaks(h, ranks, path):
    """The peak of each rank, in bytes."""
    done = h.run(ranks, path, "--output", "counts.tsv",
                 wrapper=(sys.executable, "-c", MEASURE, h.path("peak")))
    h.check(done.returncode == 0, f"{path}: exit {done.returncode}\n{done.stderr.decode()}")
    values = []
    for rank in range(ranks):
        with open(h.path(f"peak{rank}"), encoding="ascii") as file:
            values.append(int(file.read()) * 1024)
    return values


with Harness() as harness:
    harness.write("small", b"a\n")
    block = b"".join(b"word%d some text\n" % (i % 1000) for i in range(60_000))[:MIB]
    with open(harness.path("large"), "wb") as file:
        for _ in range(256):
            file.write(block)
    with gzip.open(harness.path("large.gz"), "wb", compresslevel=1) as file:
        for _ in range(160):
            file.write(block)
    for ranks in (1, 2):
        base = max(peaks(harness, ranks, "small"))
        for name in ("large", "large.gz"):
            peak = max(peaks(harness, ranks, name))
            print(f"{name} on {ranks} ranks: {peak / MIB:.0f} MiB, small: {base / MIB:.0f} MiB")
            harness.check(peak < base + LIMIT, f"{name} on {ranks} ranks: {peak} bytes, base {base}")
harness.finish()
