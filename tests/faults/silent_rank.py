"""A rank that hangs while an epoch is written costs the epoch and not the run, whichever rank it is.

A rank stalls in its write for longer than the others have patience (--ckpt-patience): the epoch is given up, with one
warning, and the run ends with the right result. One that does not come back at all (SIGSTOP) ends the run with 75 in
bounded time, and so do one that hangs behind the decision, and three epochs in a row that are given up; the next launch
goes on from the last committed one.

usage: silent_rank.py MPIEXEC CAIRN_HEAT
"""

import os
import signal
import sys
import time

from heat_job import HeatJob, check, finish, newest_step, scratch_directory, start
from processes import children, committed_epochs, strays, wait_until

RANKS = 4
PATIENCE = 1
RUN_AGAIN = 75
# Each of three acceptors has its turn to take over, then the rank has twice the patience to come back.
BOUND = 4 * PATIENCE + 2 * PATIENCE + 10


def patient(job, patience=PATIENCE):
    return [*job.checkpoints, "--ckpt-patience", patience]


def stalled(mpiexec, program, scratch, rank, mode, patience):
    """A job whose second epoch one rank does not write for a while, and how it has ended. The others give up after
    once, without rank 0 twice, their patience, and end the run after twice more: the rank comes back between."""
    job = HeatJob(mpiexec, program, scratch, mode=mode)
    seconds = (3 if rank == 0 else 2) * patience
    return job, finish(start(job.command(RANKS, *patient(job, patience)),
                             CAIRN_FAILPOINTS=f"ckpt.data.sync=stall:{seconds},rank={rank},hit=2"), timeout=120)


def comes_back(mpiexec, program, digest, rank, mode):
    for patience in (1, 3, 9):
        with scratch_directory() as scratch:
            job, ended = stalled(mpiexec, program, scratch, rank, mode, patience)
            check(ended.code in (0, RUN_AGAIN), f"{ended}")
            # On a core that has no time for them some ranks are late; then all get more.
            if patience < 9 and not (ended.code == 0 and "is given up" in ended.err):
                continue
            job.check_finished(ended, digest, None)
            check("the checkpoint of step 20 is given up, and the run goes on: nothing was heard for "
                  f"{patience} s of rank {rank}\n" in ended.err, f"a warning that names rank {rank}: {ended}")
            check(ended.err.count("is given up") == 1, f"one epoch: {ended}")
            # Five of six checkpoints, of which the two newest are kept; no file of the one that was given up.
            check(committed_epochs(job.directory) == {4: 50, 5: 60} and not strays(job.directory),
                  f"{os.listdir(job.directory)}")
            print(f"rank {rank} stalled in mode {mode}: one epoch less", flush=True)
            return


def does_not_come_back(mpiexec, program, digest, rank):
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch)
        # Time enough to stop it in the midst of its second epoch: all know the file, and this rank has not yet voted.
        launch = start(job.command(RANKS, *patient(job)), CAIRN_FAILPOINTS=f"ckpt.data.sync=stall:30,rank={rank},hit=2")
        wait_until(lambda: (job.directory / "epoch-0000000002.h5.tmp").exists(), "a second epoch")
        time.sleep(0.4)
        victim = sorted(children(launch.pid))[rank]
        os.kill(victim, signal.SIGSTOP)
        stopped_at = time.monotonic()
        try:
            ended = finish(launch, timeout=BOUND)
        finally:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass
        seconds = time.monotonic() - stopped_at
        check(ended.code == RUN_AGAIN, f"{ended}")
        check("run the same command again" in ended.err, f"{ended}")
        check(newest_step(job.directory) == 10, f"the epoch before: {os.listdir(job.directory)}")
        job.check_finished(job.launch(RANKS - 1), digest, 10)
    print(f"rank {rank} stopped for good: the run ended with {RUN_AGAIN} after {seconds:.1f} s", flush=True)


def hangs_in_the_commit(mpiexec, program, digest):
    """All have voted, and then rank 0 does not publish."""
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch)
        ended = finish(start(job.command(RANKS, *patient(job)),
                             CAIRN_FAILPOINTS="ckpt.record.sync=stall:60,rank=0,hit=2"), timeout=40)
        check(ended.code == RUN_AGAIN, f"{ended}")
        check("a rank hangs while a checkpoint is committed" in ended.err, f"{ended}")
        check(newest_step(job.directory) == 10, f"the epoch before: {os.listdir(job.directory)}")
        job.check_finished(job.launch(RANKS), digest, 10)
    print(f"rank 0 hung after the decision: the run ended with {RUN_AGAIN}", flush=True)


def hangs_in_the_begin(mpiexec, program, digest):
    """Before the vote, when all have met for a checkpoint."""
    for point, options in (("ckpt.save.begin", lambda scratch: ()), ("ckpt.local.begin", of_the_nodes)):
        with scratch_directory() as scratch:
            job = HeatJob(mpiexec, program, scratch, every=10 if point == "ckpt.save.begin" else 1000)
            command = job.command(RANKS, *patient(job), *options(scratch))
            ended = finish(start(command, CAIRN_VIRTUAL_HOSTS=2, CAIRN_FAILPOINTS=f"{point}=stall:90,rank=1,hit=2"),
                           timeout=60)
            check(ended.code == RUN_AGAIN, f"{ended}")
            check("a rank hangs while a checkpoint is begun" in ended.err, f"{ended}")
            again = job.command(RANKS, *job.checkpoints, *options(scratch))
            job.check_finished(finish(start(again, CAIRN_VIRTUAL_HOSTS=2)), digest, 10)
        print(f"rank 1 hung at {point}: the run ended with {RUN_AGAIN}", flush=True)


def waits_for_nobody(mpiexec, program, digest):
    """One rank alone may take as long as it likes."""
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch)
        ended = finish(start(job.command(1, *patient(job)), CAIRN_FAILPOINTS="ckpt.record.sync=stall:4,hit=2"),
                       timeout=60)
        job.check_finished(ended, digest, None)
    print("one rank was slow: nothing else", flush=True)


def of_the_nodes(scratch):
    """Epochs on the nodes' disks every ten steps."""
    return ["--ckpt-local", scratch / "%h", "--ckpt-local-every", 10, "--ckpt-redundancy", "partner"]


def stalls_on_its_node(mpiexec, program, digest):
    for patience in (1, 3, 9):
        with scratch_directory() as scratch:
            job = HeatJob(mpiexec, program, scratch, every=1000)
            command = job.command(RANKS, *patient(job, patience), *of_the_nodes(scratch))
            ended = finish(start(command, CAIRN_VIRTUAL_HOSTS=2,
                                 CAIRN_FAILPOINTS=f"ckpt.local.sync=stall:{2 * patience},rank=3,hit=2"), timeout=120)
            check(ended.code in (0, RUN_AGAIN), f"{ended}")
            if patience < 9 and not (ended.code == 0 and ended.err.count("is given up") == 1):
                continue
            job.check_finished(ended, digest, None)
            check("the checkpoint of step 20 is given up, and the run goes on: nothing was heard for "
                  f"{patience} s of rank 3\n" in ended.err, f"a warning that names rank 3: {ended}")
            check(not list(scratch.glob("host*/*/*.tmp")), "no litter of the epoch that was given up")
            print("rank 3 stalled while its node was written: one epoch less", flush=True)
            return


def hangs_in_the_parity(mpiexec, program, digest):
    for patience in (1, 3, 9):
        with scratch_directory() as scratch:
            job = HeatJob(mpiexec, program, scratch, every=1000)
            command = job.command(RANKS, *patient(job, patience), *of_the_nodes(scratch))
            ended = finish(start(command, CAIRN_VIRTUAL_HOSTS=2, CAIRN_FAILPOINTS="ckpt.local.parity=stall:90,rank=1,hit=2"),
                           timeout=80)
            check(ended.code == RUN_AGAIN, f"{ended}")
            if patience < 9 and "is given up" in ended.err:  # a rank was late before
                continue
            check("a rank hangs while a checkpoint is committed" in ended.err, f"{ended}")
            again = job.command(RANKS, *job.checkpoints, *of_the_nodes(scratch))
            job.check_finished(finish(start(again, CAIRN_VIRTUAL_HOSTS=2)), digest, 10)
            print(f"rank 1 hung in the parity: the run ended with {RUN_AGAIN}", flush=True)
            return


def some_in_a_row(mpiexec, program, digest, most):
    last = f"this is checkpoint {most} in a row that is given up"
    for patience in (1, 3, 9):
        with scratch_directory() as scratch:
            job = HeatJob(mpiexec, program, scratch)
            options = () if most == 3 else ("--ckpt-give-up", most)  # 3 is what it is without
            first = finish(start(job.command(RANKS, *patient(job, patience), *options),
                                 CAIRN_FAILPOINTS=f"ckpt.data.sync=stall:{2 * patience},rank=3"), timeout=180)
            check(first.code in (0, RUN_AGAIN), f"{first}")
            # On a core that has no time for them ranks come too late, or are not waited for.
            if patience < 9 and last not in first.err:
                continue
            check(first.code == RUN_AGAIN, f"{first}")
            check(first.err.count("is given up, and the run goes on") == most - 1, f"warnings before: {first}")
            check(last in first.err, f"{first}")
            check(not committed_epochs(job.directory), f"{os.listdir(job.directory)}")
            job.check_finished(job.launch(2), digest, None)
            print(f"epochs in a row that were given up, {most}: the run ended with 75", flush=True)
            return


def main():
    mpiexec, program = sys.argv[1:]
    with scratch_directory() as scratch:
        digest = HeatJob(mpiexec, program, scratch).undisturbed_digest()
    everything = os.environ.get("CAIRN_TEST_LONG")
    for rank in range(RANKS) if everything else (0, 1, 3):
        for mode in ("sync", "async") if everything else (("async",) if rank == 1 else ("sync",)):
            comes_back(mpiexec, program, digest, rank, mode)
    for rank in range(RANKS) if everything else (0, 2):
        does_not_come_back(mpiexec, program, digest, rank)
    hangs_in_the_commit(mpiexec, program, digest)
    hangs_in_the_begin(mpiexec, program, digest)
    waits_for_nobody(mpiexec, program, digest)
    for most in (3, 1):
        some_in_a_row(mpiexec, program, digest, most)
    stalls_on_its_node(mpiexec, program, digest)
    hangs_in_the_parity(mpiexec, program, digest)


main()
