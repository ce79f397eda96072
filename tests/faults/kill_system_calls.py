"""kill -9 before a system call of the checkpoint path, on any rank; restart on another number of ranks.

A library for LD_PRELOAD numbers the calls of each rank on the files of the checkpoint directory: first it lists those
of an undisturbed run, then it kills a rank before one of them. Each time the newest committed epoch is found, the
result is right to the last bit, and no stray file outlives the next epoch. The short form takes a sample chosen by --seed, some of
every rank; --long (or CAIRN_TEST_LONG) takes every call of every rank in both modes.

usage: kill_system_calls.py MPIEXEC CAIRN_HEAT FILE_CALLS_LIBRARY [--seed N] [--long]
"""

import argparse
import os
import random
import time

from heat_job import HeatJob, check, newest_step, scratch_directory
from processes import remove_segments, segments, strays

RANKS = 3
EVERY = 10  # steps between epochs
STEPS = 5 * EVERY  # the fourth epoch and the fifth lie in the blocks of retired ones
MODES = ("sync", "async")


class Calls:
    """Runs a job with an eye on its calls."""

    def __init__(self, arguments):
        self.arguments = arguments

    def job(self, scratch, mode):
        return HeatJob(self.arguments.mpiexec, self.arguments.program, scratch, size=24, steps=STEPS, every=EVERY, mode=mode)

    def launch(self, job, **settings):
        environment = {f"CAIRN_CALLS_{name.upper()}": value for name, value in settings.items()}
        return job.launch(RANKS, LD_PRELOAD=self.arguments.library, CAIRN_CALLS_DIRECTORY=job.directory, **environment)

    def of_undisturbed_run(self, mode):
        """Per rank the list of its calls, "function name" or "rename from to"."""
        with scratch_directory() as scratch:
            ended = self.launch(self.job(scratch, mode), rank="all", action="log", log=scratch / "calls")
            check(ended.code == 0, f"undisturbed run: {ended}")
            return [(scratch / f"calls.{rank}").read_text().splitlines() for rank in range(RANKS)]


def committed_step(calls, rank, at):
    """The step of the newest committed epoch before call number `at` of this rank, None for none.

    On rank 0 that of the last record that has got its name; on another rank every epoch is committed whose data it had
    closed, but for the one that it is still busy with.
    """
    def ends_epoch(call):
        return call.startswith("rename") and call.endswith(".record") if rank == 0 else call.startswith("close")
    return sum(map(ends_epoch, calls[rank][:at])) * EVERY or None


def cases(calls, long, seed):
    """(mode, rank, call, restart ranks)"""
    chooser = random.Random(seed)
    every = [(mode, rank, at) for mode in MODES for rank in range(RANKS) for at in range(len(calls[mode][rank]))]
    if not long:
        of_rank = [[case for case in every if case[1] == rank] for rank in range(RANKS)]
        every = chooser.sample(of_rank[0], 12) + [case for rest in of_rank[1:] for case in chooser.sample(rest, 4)]
    return [(*case, chooser.choice((1, 2, 3, 4))) for case in every]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mpiexec")
    parser.add_argument("program")
    parser.add_argument("library")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true", default="CAIRN_TEST_LONG" in os.environ)
    arguments = parser.parse_args()
    watched = Calls(arguments)
    begin = time.monotonic()
    before = segments()
    calls = {mode: watched.of_undisturbed_run(mode) for mode in MODES}
    count = [[len(of_rank) for of_rank in calls[mode]] for mode in MODES]
    for mode in MODES:
        check(all(len(of_rank) >= 4 * STEPS // EVERY for of_rank in calls[mode]), f"calls of every rank: {count}")
        check(committed_step(calls[mode], 0, None) == STEPS, f"every epoch is committed by a rename: {calls[mode][0]}")
    with scratch_directory() as scratch:
        digest = watched.job(scratch, "sync").undisturbed_digest()
    chosen = cases(calls, arguments.long, arguments.seed)
    for mode, rank, at, restart_ranks in chosen:
        what = f"{mode}, rank {rank} before call {at}, {calls[mode][rank][at]}"
        with scratch_directory() as scratch:
            job = watched.job(scratch, mode)
            ended = watched.launch(job, rank=rank, action="kill", at=at)
            check(ended.code not in (0, 64), f"{what}: no kill: {ended}")
            expected = committed_step(calls[mode], rank, at)
            found = newest_step(job.directory) if job.directory.exists() else None
            check(found == expected, f"{what}: newest epoch of step {found}, not {expected}: {ended}")
            job.check_finished(job.launch(restart_ranks), digest, expected)
            if expected != STEPS:  # what a kill leaves goes when the next epoch is written
                check(not strays(job.directory), f"{what}: left {strays(job.directory)}")
        remove_segments(segments() - before)  # a kill leaves them behind; they are not what this test is about
    print(f"{len(chosen)} of {sum(map(sum, count))} system calls {count}, all recovered, "
          f"in {time.monotonic() - begin:.0f} s (seed {arguments.seed})")


main()
