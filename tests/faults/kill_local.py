"""kill -9 at every failpoint of the node-local tier, then the loss of a node; restart on another number of ranks.

Three virtual nodes on this machine, each with a folder of its own. Each time the newest committed epoch, local or
shared, is found, the result is right to the last bit, and the next local epochs leave nothing half written.

usage: kill_local.py MPIEXEC CAIRN_HEAT [--long]
"""

import argparse
import os
import shutil
import time

from heat_job import HeatJob, check, run, scratch_directory

RANKS = 4
HOSTS = 3
EVERY = 5  # steps between local epochs; every sixth time it is a shared one
BEHIND_COMMIT = ("ckpt.local.committed", "ckpt.local.retire.")
IN_RESTORE = ("ckpt.local.rebuild", "ckpt.local.scavenge")


def options(scratch, redundancy):
    return ["--ckpt-local", scratch / "%h", "--ckpt-local-every", EVERY, "--ckpt-redundancy", redundancy]


def launch(job, scratch, ranks, failpoints, redundancy):
    return job.launch(ranks, failpoints, *options(scratch, redundancy), CAIRN_VIRTUAL_HOSTS=HOSTS)


def expected_steps(name):
    """The step of the newest epoch after a kill at the second local save, or, at a retirement, the first that there is:
    that of the third save. While the records get their names, it is open whether one of them has it."""
    if name.startswith("ckpt.local.retire."):
        return [3 * EVERY]
    if name == "ckpt.local.publish":
        return [EVERY, 2 * EVERY]
    return [2 * EVERY if name.startswith(BEHIND_COMMIT) else EVERY]


def kill_in_save(job, scratch, digest, name, rank, redundancy, lost):
    # The files that get their names are two in each save.
    hit = 1 if name.startswith("ckpt.local.retire.") else 3 if name == "ckpt.local.rename" else 2
    ended = launch(job, scratch, RANKS, f"{name}=kill,rank={rank},hit={hit}", redundancy)
    check(ended.code not in (0, 64), f"{name} did not kill rank {rank}: {ended}")
    if lost:
        shutil.rmtree(scratch / lost)
    ended = launch(job, scratch, HOSTS if rank == 0 else RANKS, "", redundancy)
    check(ended.code == 0, f"{ended}")
    expected = expected_steps(name)
    restored = job.result()["restored_from"]
    job.check_finished(ended, digest, restored if restored in expected else expected[0])


def kill_in_restore(job, scratch, digest, name, redundancy):
    launch(job, scratch, RANKS, "heat.step=kill,rank=1,hit=13", redundancy)
    shutil.rmtree(scratch / "host1")
    ended = launch(job, scratch, RANKS, f"{name}=kill,rank=0", redundancy)
    check(ended.code not in (0, 64), f"{name} did not kill rank 0: {ended}")
    job.check_finished(launch(job, scratch, RANKS, "", redundancy), digest, 2 * EVERY)


def check_no_litter(scratch):
    litter = [path for path in scratch.rglob("*.tmp")]
    check(not litter, f"left {litter}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mpiexec")
    parser.add_argument("program")
    parser.add_argument("--long", action="store_true", default="CAIRN_TEST_LONG" in os.environ)
    arguments = parser.parse_args()
    begin = time.monotonic()
    names = run([arguments.program, "--list-failpoints"]).out.split()
    names = [name for name in names if name.startswith("ckpt.local.")]
    check(len(names) >= 13, f"the failpoints of the local tier, not {names}")
    with scratch_directory() as scratch:
        digest = HeatJob(arguments.mpiexec, arguments.program, scratch).undisturbed_digest()
    count = 0
    for number, name in enumerate(names):
        for rank in [0, RANKS - 1] if arguments.long else [0]:  # the first ranks of their hosts
            with scratch_directory() as scratch:
                job = HeatJob(arguments.mpiexec, arguments.program, scratch, every=6 * EVERY)
                if name in IN_RESTORE:
                    kill_in_restore(job, scratch, digest, name, "rs:1+2" if number % 2 else "xor")
                else:
                    kill_in_save(job, scratch, digest, name, rank, "xor", None if number % 2 else "host2")
                check_no_litter(scratch)
            count += 1
            print(f"{name} rank {rank}: good", flush=True)
    print(f"{count} kills, all recovered, in {time.monotonic() - begin:.0f} s")


main()
