"""Several launches of one job at once: exactly one owns the checkpoints, and what another one writes does not count.

Without flock(2) (CAIRN_CKPT_LOCK=off), so that the claim of the incarnation alone keeps them apart. First five launches
begin together: one goes on, the others end with 69 and say why. Then a launch is stopped (SIGSTOP) in the midst of an
epoch, an operator fences it, another launch finishes the run, and the zombie wakes up.

usage: two_launches.py MPIEXEC CAIRN_HEAT CAIRN
"""

import os
import signal
import sys

from heat_job import HeatJob, check, finish, newest_step, run, scratch_directory, start
from processes import children, committed_epochs, strays, wait_until

UNAVAILABLE = 69
LAUNCHES = 5


def race(mpiexec, program):
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch, steps=30)
        digest = job.undisturbed_digest()
        # The winner stays longer than the patience of the others (10 s).
        launches = [job.start(1, CAIRN_CKPT_LOCK="off", CAIRN_FAILPOINTS="heat.step=stall:15,hit=25")
                    for _ in range(LAUNCHES)]
        ended = [finish(launch, timeout=60) for launch in launches]
        winners = [each for each in ended if each.code == 0]
        losers = [each for each in ended if each.code == UNAVAILABLE]
        check(len(winners) == 1 and len(losers) == LAUNCHES - 1, f"one winner of {LAUNCHES}: {ended}")
        for each in losers:
            check("is in use by another running job (process " in each.err, f"the owner's name: {each}")
            check("cairn journal fence" in each.err, f"what to do: {each}")
        check(job.result()["digest"] == digest, "the winner's result")
        check(newest_step(job.directory) == 30 and not strays(job.directory), f"{os.listdir(job.directory)}")
        check((job.directory / "inc.1").exists() and not (job.directory / "inc.2").exists(), "one claim")
    print(f"{LAUNCHES} launches at once: one went on, {len(losers)} ended with {UNAVAILABLE}", flush=True)


def zombie(mpiexec, program, cairn, lock):
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch, steps=60)
        digest = job.undisturbed_digest()
        # Stopped while the data of the third epoch lie there and its record does not.
        old = start(job.command(2, *job.checkpoints), CAIRN_CKPT_LOCK=lock,
                    CAIRN_FAILPOINTS="ckpt.data.synced=stall:4,hit=3")
        wait_until(lambda: (job.directory / "epoch-0000000003.h5.tmp").exists(), "a third epoch")
        ranks = children(old.pid)
        for pid in ranks:
            os.kill(pid, signal.SIGSTOP)
        fenced = run([cairn, "journal", "fence", job.directory])
        check(fenced.code == 0 and "incarnation 1 is fenced: process " in fenced.out, f"{fenced}")
        check("still running" in fenced.err, f"a warning, since it is: {fenced}")
        again = run([cairn, "journal", "fence", job.directory])
        check(again.code == 0 and "nobody owns" in again.out, f"{again}")
        job.check_finished(job.launch(3, CAIRN_CKPT_LOCK=lock), digest, 20)
        epochs = committed_epochs(job.directory)
        for pid in ranks:
            os.kill(pid, signal.SIGCONT)
        ended = finish(old, timeout=30)
        check(ended.code == UNAVAILABLE, f"the zombie ends with {UNAVAILABLE}: {ended}")
        check("does not own the checkpoints in" in ended.err and "has taken over" in ended.err, f"and says why: {ended}")
        check(committed_epochs(job.directory) == epochs and not strays(job.directory), f"{os.listdir(job.directory)}")
        job.check_finished(job.launch(2, CAIRN_CKPT_LOCK=lock), digest, 60)
        shown = run([cairn, "ckpt", "ls", job.directory])
        check(" inc " in shown.out.splitlines()[0], f"{shown}")
    print(f"a launch that was stopped, fenced and woken (lock {lock}): nothing of it counts", flush=True)


def main():
    mpiexec, program, cairn = sys.argv[1:]
    race(mpiexec, program)
    for lock in ("off", "on"):
        zombie(mpiexec, program, cairn, lock)


if __name__ == "__main__":
    main()
