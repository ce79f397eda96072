"""Memory runs out on one rank, at several points of the work: all ranks leave together, with one line, exit code 69 and
no half output."""

import concurrent.futures
import os
import sys

from harness import Harness

UNAVAILABLE = 69
WORDS = 1_200_000  # all different: about 160 MiB on each of two ranks

# Gives one rank so many MiB of memory of its own, then becomes its arguments.
LIMIT = """
import os, resource, sys
victim, mebibytes = int(sys.argv[1]), int(sys.argv[2])
if int(os.environ["OMPI_COMM_WORLD_RANK"]) == victim:
    resource.setrlimit(resource.RLIMIT_DATA, (mebibytes << 20, mebibytes << 20))
os.execv(sys.argv[3], sys.argv[3:])
"""

CASES = ([(2, victim, mebibytes) for victim in (0, 1) for mebibytes in (150, 120, 90, 60, 40)] +
         [(3, victim, mebibytes) for victim in (0, 2) for mebibytes in (70, 40)])


def limited(h, case, *arguments):
    ranks, victim, mebibytes = case
    return h.run(ranks, *arguments, wrapper=(sys.executable, "-c", LIMIT, str(victim), str(mebibytes)))


def check(h, case):
    done = limited(h, case, "small")
    h.check(done.returncode == 0, f"{case}: enough for a small input, yet exit {done.returncode}\n{done.stderr.decode()}")
    output = "counts-{}-{}-{}.tsv".format(*case)
    done = limited(h, case, "large", "--output", output)
    h.check_error(done, UNAVAILABLE, f"rank {case[1]}: out of memory", what=f"{case}")
    h.check(not os.path.exists(h.path(output)), f"{case}: no output")


with Harness() as harness:
    harness.write("small", b"a few words\n")
    harness.write("large", b"".join(b"token-%07d " % i for i in range(WORDS)))
    done = harness.run(2, "large")
    harness.check(done.returncode == 0, f"without a limit: exit {done.returncode}\n{done.stderr.decode()}")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda case: check(harness, case), CASES))
    harness.check(not harness.leftovers(harness.folder), "no temporary files")
harness.finish()
