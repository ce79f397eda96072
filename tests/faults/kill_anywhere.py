"""kill -9 at every failpoint of the checkpoint path, on a rank; restart on another number of ranks.

Each time: the newest committed epoch is found, the result is right to the last bit, and no stray file survives the
next epoch. The short form takes one rank, hit, mode and restart size per failpoint, chosen by --seed; --long takes them
all.

usage: kill_anywhere.py MPIEXEC CAIRN_HEAT [--seed N] [--long]
"""

import argparse
import itertools
import os
import random
import time

from heat_job import OF_COMPRESSION, OF_RANK_0, HeatJob, check, newest_step, run, scratch_directory
from processes import as_users_have_mpirun, remove_segments, segments, strays

RANKS = 4
EVERY = 10  # steps between epochs
# Behind these points the epoch that is being saved counts already.
BEHIND_COMMIT = ("ckpt.publish.sync", "ckpt.committed", "ckpt.retire.")


def failpoints(program):
    names = run([program, "--list-failpoints"]).out.split()
    names = [name for name in names if name.startswith("ckpt.") and not name.startswith("ckpt.local.")]
    check(len(names) >= 15, f"the failpoints of ckpt, not {names}")
    return names


def expected_step(name, hit):
    """The step of the newest committed epoch after a kill at the hit-th pass of a save's failpoint.

    Retirement begins with the third epoch, so its points are passed for the first time two epochs later, and the
    fourth epoch is the first that is written over a retired one.
    """
    if name.startswith("ckpt.recycle."):
        return (hit + 2) * EVERY
    if name.startswith("ckpt.retire."):
        return (hit + 2) * EVERY
    return (hit if name.startswith(BEHIND_COMMIT) else hit - 1) * EVERY or None


def kill_in_save(job, digest, name, rank, hit, restart_ranks):
    ended = job.launch(RANKS, f"{name}=kill,rank={rank},hit={hit}")
    check(ended.code not in (0, 64), f"{name} did not kill rank {rank}: {ended}")
    expected = expected_step(name, hit)
    found = newest_step(job.directory)
    check(found == expected, f"after a kill at {name}, hit {hit}: newest epoch of step {found}, not {expected}: {ended}")
    job.check_finished(job.launch(restart_ranks), digest, expected)


def kill_in_restore(job, digest, name, rank, restart_ranks):
    job.launch(RANKS, "heat.step=kill,rank=1,hit=25")
    expected = newest_step(job.directory)
    check(expected == 2 * EVERY, f"a kill in step 25 leaves the epoch of step 20, not {expected}")
    ended = job.launch(RANKS, f"{name}=kill,rank={rank}")
    check(ended.code not in (0, 64), f"{name} did not kill rank {rank}: {ended}")
    check(newest_step(job.directory) == expected, f"a kill at {name} must not change the epochs")
    job.check_finished(job.launch(restart_ranks), digest, expected)


def cases(names, long, seed):
    """(name, rank, hit, mode, restart ranks)"""
    chooser = random.Random(seed)
    for name in names:
        ranks = [0] if name.startswith(OF_RANK_0) else list(range(RANKS))
        hits = [1, 2, 3]
        restarts = [1, 2, 3, 4, 7]
        # A restore knows no modes, and in the background it is open which epoch is the newest at some step.
        modes = ["async"] if name == "ckpt.copy" else ["sync"] if "restore" in name else ["sync", "async"]
        if long:
            yield from ((*case, chooser.choice(restarts)) for case in itertools.product([name], ranks, hits, modes))
        else:
            yield name, chooser.choice(ranks), chooser.choice(hits), chooser.choice(modes), chooser.choice(restarts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mpiexec")
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true", default="CAIRN_TEST_LONG" in os.environ)
    arguments = parser.parse_args()
    if arguments.long:
        as_users_have_mpirun()
    begin = time.monotonic()
    before = segments()
    count = 0
    with scratch_directory() as scratch:
        digest = HeatJob(arguments.mpiexec, arguments.program, scratch).undisturbed_digest()
    for name, rank, hit, mode, restart_ranks in cases(failpoints(arguments.program), arguments.long, arguments.seed):
        with scratch_directory() as scratch:
            compress = "zstd" if name.startswith(OF_COMPRESSION) else "none"
            job = HeatJob(arguments.mpiexec, arguments.program, scratch, every=EVERY, mode=mode, compress=compress)
            if name.startswith("ckpt.restore."):
                kill_in_restore(job, digest, name, rank, restart_ranks)
            else:
                kill_in_save(job, digest, name, rank, hit, restart_ranks)
            check(not strays(job.directory), f"{name} left {strays(job.directory)}")
        count += 1
        print(f"{name} rank {rank} hit {hit} {mode} -> restart on {restart_ranks}: good", flush=True)
        remove_segments(segments() - before)  # a kill leaves them behind; they are not what this test is about
    print(f"{count} kills, all recovered, in {time.monotonic() - begin:.0f} s (seed {arguments.seed})")


main()
