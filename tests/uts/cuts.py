"""cairn-uts interrupted at random moments and started again on other ranks and threads, under other policies: the count is the
published one.

Each cycle waits for new cuts, then kills a rank (what was done since the last cut is done again), or asks the run to stop
(exit code 75, a last cut). In the end it runs through: a task that was lost, or counted twice, would show.

usage: cuts.py MPIEXEC CAIRN_UTS [--seed N] [--long]
"""

import argparse
import json
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import (as_users_have_mpirun, check, children, finish, newest_step, remove_segments, run,  # noqa: E402
                       scratch_directory, segments, start, wait_until)

# From the published table of the benchmark.
TREES = {"T1": (4130071, 10, 3305118), "T3": (4112897, 1572, 3599034), "T5": (4147582, 20, 2181318)}
POLICIES = ("block", "round-robin", "random", "weighted", "repartition", "stealing")
USAGE, BAD_DATA, RUN_AGAIN = 64, 65, 75
EVERY = ([], ["--ckpt-every", 1], ["--ckpt-every", 2])  # each cut is saved unless something says otherwise


def command(chooser, args, tree, directory, result):
    return [args.mpiexec, "-n", chooser.choice((1, 2, 3, 4, 7)), args.uts, "--tree", tree, "--kernel", "portable", "--threads",
            chooser.choice((1, 2, 4)), "--schedule", chooser.choice(POLICIES), "--ckpt-dir", directory, *chooser.choice(EVERY), "--cut-every", 150000, "--ckpt-mode",
            chooser.choice(("sync", "async")), "--result", result]


def disturb(chooser, process, directory, patience=120):
    """Ends the run soon after its next cut. Returns whether it was in time."""
    before = newest_step(directory) or 0
    wait_until(lambda: process.poll() is not None or (newest_step(directory) or 0) > before, "a cut", patience)
    time.sleep(chooser.uniform(0, 0.1))
    ranks = children(process.pid)
    if not ranks or process.poll() is not None:
        return False
    if chooser.random() < 0.3:
        os.kill(process.pid, signal.SIGTERM)
    else:
        os.kill(chooser.choice(ranks), signal.SIGKILL)
    return True


def cycles(chooser, args, tree, scratch):
    directory, result = scratch / tree, scratch / f"{tree}.json"
    disturbed = 0
    for _ in range(args.cycles):
        process = start(command(chooser, args, tree, directory, result))
        in_time = disturb(chooser, process, directory)
        ended = finish(process, 180)
        if ended.code == 0:  # it was through before
            break
        check(in_time, f"it ended by itself:\n{ended}")
        check(ended.code != RUN_AGAIN or "which is saved; run the same command again" in ended.err, ended)
        disturbed += 1
    ended = run(command(chooser, args, tree, directory, result), 180)
    check(ended.code == 0, ended)
    found = json.loads(result.read_text())
    counted = tuple(found[name] for name in ("nodes", "depth", "leaves"))
    check(counted == TREES[tree], f"{tree} is counted as {counted}, after {disturbed} interruptions\n{ended}")
    check(disturbed > 0, f"{tree} was never interrupted")
    check(found["restored_from"] is not None, f"the last launch did not begin from a cut\n{ended}")
    print(f"{tree}: {counted[0]} nodes after {disturbed} interruptions", flush=True)


def other_tree_is_refused(args, scratch):
    ended = run([args.mpiexec, "-n", 2, args.uts, "--tree", "T2", "--ckpt-dir", scratch / "T1"])
    check(ended.code == BAD_DATA and "belongs to another run" in ended.err and not ended.out,
          f"another tree went on from a checkpoint of T1:\n{ended}")


def counting_no_cuts_is_refused(args, scratch):
    ended = run([args.mpiexec, "-n", 2, args.uts, "--tree", "T1", "--ckpt-dir", scratch / "no cuts", "--ckpt-every", 5])
    check(ended.code == USAGE and "--cut-every" in ended.err and not ended.out, ended)
    ended = run([args.mpiexec, "-n", 2, args.uts, "--tree", "T1", "--cut-every", 1000])
    check(ended.code == USAGE and "--cut-every needs --ckpt-dir" in ended.err and not ended.out, ended)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mpiexec")
    parser.add_argument("uts")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--long", action="store_true", default=bool(os.environ.get("CAIRN_TEST_LONG")))
    args = parser.parse_args()
    args.cycles = 25 if args.long else 4
    print(f"seed {args.seed}", flush=True)
    chooser = random.Random(args.seed)
    as_users_have_mpirun()
    before = segments()
    with scratch_directory() as scratch:
        for tree in TREES if args.long else ("T1", "T3"):
            cycles(chooser, args, tree, scratch)
        other_tree_is_refused(args, scratch)
        counting_no_cuts_is_refused(args, scratch)
    remove_segments(segments() - before)


if __name__ == "__main__":
    main()
