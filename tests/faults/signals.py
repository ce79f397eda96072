"""SIGTERM, SIGUSR1 or Ctrl-C, to one rank or to mpirun: one last epoch, exit 75 (130 after Ctrl-C), no hang, nothing
left behind; and the same command run again ends with the digest of the undisturbed run.

usage: signals.py MPIEXEC CAIRN_HEAT
"""

import os
import signal
import sys

from heat_job import HeatJob, check, finish, newest_step, scratch_directory
from processes import children, committed_epochs, segments, wait_until

STEPS = 1000


def rank_processes(mpirun):
    return children(mpirun.pid)


def try_signal(mpiexec, program, digest, ranks, number, to_rank, code):
    target = "mpirun" if to_rank is None else f"rank {to_rank}"
    what = f"{signal.Signals(number).name} to {target} of {ranks} ranks"
    before = segments()
    with scratch_directory() as scratch:
        # A stall on one rank in every step keeps the job running until the signal comes.
        job = HeatJob(mpiexec, program, scratch, steps=STEPS, every=50)
        mpirun = job.start(ranks, CAIRN_FAILPOINTS="heat.step=stall:0.01,rank=0",
                           OMPI_MCA_odls_base_sigkill_timeout=30)
        wait_until(lambda: job.directory.exists() and committed_epochs(job.directory), "a first epoch")
        processes = rank_processes(mpirun)
        check(len(processes) == ranks, f"{ranks} children of mpirun, not {processes}")
        os.kill(mpirun.pid if to_rank is None else processes[to_rank], number)
        ended = finish(mpirun, timeout=30)
        check(ended.code == code, f"{what}: exit code {code} expected: {ended}")
        step = newest_step(job.directory)
        check(step % 50 != 0 or step > 50, f"{what}: a last epoch expected, the newest is of step {step}: {ended}")
        check(not [pid for pid in processes if os.path.exists(f"/proc/{pid}")], f"{what}: a rank is still there")
        check(segments() <= before, f"{what}: left {segments() - before} in shared memory")
        job.check_finished(job.launch(ranks), digest, step)
    print(f"{what}: epoch of step {step}, exit {code}", flush=True)


def main(mpiexec, program):
    with scratch_directory() as scratch:
        digest = HeatJob(mpiexec, program, scratch, steps=STEPS).undisturbed_digest()
    for number in (signal.SIGTERM, signal.SIGUSR1):
        for to_rank in (0, 2, None):
            try_signal(mpiexec, program, digest, 3, number, to_rank, 75)
    try_signal(mpiexec, program, digest, 3, signal.SIGINT, 1, 130)
    try_signal(mpiexec, program, digest, 3, signal.SIGINT, None, 130)
    try_signal(mpiexec, program, digest, 1, signal.SIGTERM, 0, 75)


main(*sys.argv[1:])
