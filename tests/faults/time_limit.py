"""Shortly before the time limit a run saves and leaves with exit code 75, and goes on from there; checkpoints by time.

The limit comes from --time-limit, from Slurm's environment, or from a stand-in for squeue.

usage: time_limit.py MPIEXEC CAIRN_HEAT
"""

import os
import sys
import time

from heat_job import HeatJob, check, newest_step, scratch_directory
from processes import committed_epochs

STEPS = 1000
STALL = "heat.step=stall:0.05,rank=0"  # the whole run would take 50 s


def leaves_in_time(job, digest, what, *options, **environment):
    begin = time.monotonic()
    ended = job.launch(3, STALL, *options, **environment)
    seconds = time.monotonic() - begin
    step = newest_step(job.directory)
    check(ended.code == 75 and "stopped before the time limit at step" in ended.err, f"{what}: {ended}")
    check(step and 0 < step < STEPS, f"{what}: a last epoch, not of step {step}: {ended}")
    job.check_finished(job.launch(2), digest, step)
    print(f"{what}: left after {seconds:.1f} s with the epoch of step {step}", flush=True)


def stand_in_for_squeue(scratch, answer):
    """A folder with a squeue that says how long job 77 has left, and nothing of other jobs."""
    folder = scratch / "bin"
    folder.mkdir()
    squeue = folder / "squeue"
    squeue.write_text(f'#!/bin/sh\n[ "$*" = "-h -o %L -j 77" ] && echo "{answer}"\n')
    squeue.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def refused(job, message, *options):
    ended = job.launch(2, "", *options)
    check(ended.code == 64 and message in ended.err and ended.err.count("error:") == 1, f"{options}: {ended}")


def main(mpiexec, program):
    mpiexec = os.path.basename(mpiexec)  # started by its whole path it would put its own folder first on PATH
    with scratch_directory() as scratch:
        digest = HeatJob(mpiexec, program, scratch, steps=STEPS).undisturbed_digest()
    for what, options, environment in (
            ("--time-limit 7", ["--time-limit", 7], {}),
            ("SLURM_JOB_END_TIME", [], {"SLURM_JOB_END_TIME": lambda: int(time.time()) + 7}),
            ("squeue", ["--time-limit", "slurm"], {"SLURM_JOB_ID": lambda: 77})):
        with scratch_directory() as scratch:
            job = HeatJob(mpiexec, program, scratch, steps=STEPS, every=0)
            path = stand_in_for_squeue(scratch, "0:07")
            leaves_in_time(job, digest, what, *options, PATH=path,
                           **{name: str(value()) for name, value in environment.items()})
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch, steps=60, every=0)
        ended = job.launch(2, STALL, "--ckpt-interval", 0.3)
        check(ended.code == 0 and len(committed_epochs(job.directory)) == 2, f"epochs by time alone: {ended}")
        refused(job, "--ckpt-interval is a number of seconds or auto, not 'often'", "--ckpt-interval", "often")
        refused(job, "--time-limit is SECONDS, [D-]HH:MM:SS or slurm, not 'noon'", "--time-limit", "noon")
        refused(job, "--ckpt-mtbf 0 is not above 0", "--ckpt-mtbf", 0)
        refused(job, "--ckpt-give-up 0 is below 1", "--ckpt-give-up", 0)


main(*sys.argv[1:])
