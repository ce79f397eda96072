"""SIGTERM, SIGUSR1 or Ctrl-C, to one rank, to mpirun or to `cairn run`: one last epoch, exit 75 (130 after Ctrl-C), no
hang, nothing left behind; and the same command run again ends with the digest of the undisturbed run.

Plain mpirun has an exit code of its own when it is itself told to end by SIGTERM or SIGINT; the epoch is saved all the
same, and `cairn run` gives the right code.

usage: signals.py MPIEXEC CAIRN_HEAT CAIRN
"""

import os
import signal
import sys

from heat_job import HeatJob, check, finish, newest_step, scratch_directory, start
from processes import as_users_have_mpirun, children, committed_epochs, segments, wait_until

STEPS = 1000
RANKS = 3
MPIRUNS_OWN = 1
MPIRUN = -1  # in place of a rank: the mpirun under `cairn run`


def rank_processes(launcher, under_cairn_run):
    """Process ids of the ranks, once they are all there."""
    def ranks():
        mpirun = children(launcher.pid) if under_cairn_run else [launcher.pid]
        return children(mpirun[0]) if mpirun else []
    wait_until(lambda: len(ranks()) == RANKS, f"{RANKS} ranks", timeout=10)
    return ranks()


def try_signal(mpiexec, program, cairn, digest, number, to_rank, code):
    before = segments()
    target = "cairn run" if cairn else "mpirun"
    what = f"{signal.Signals(number).name} to {target if to_rank is None else 'its mpirun' if to_rank == MPIRUN else f'rank {to_rank}'} (under {target})"
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch, steps=STEPS, every=50)
        command = job.command(RANKS, *job.checkpoints)
        if cairn:
            command = [cairn, "run", "-n", RANKS, "--", *command[3:]]
        # A stall on one rank in every step keeps the job running until the signal comes.
        launcher = start(command, CAIRN_FAILPOINTS="heat.step=stall:0.01,rank=0")
        wait_until(lambda: job.directory.exists() and committed_epochs(job.directory), "a first epoch")
        processes = rank_processes(launcher, cairn is not None)
        if to_rank == MPIRUN:
            os.kill(children(launcher.pid)[0], number)
        else:
            os.kill(launcher.pid if to_rank is None else processes[to_rank], number)
        ended = finish(launcher, timeout=30)
        check(ended.code == code, f"{what}: exit code {code} expected: {ended}")
        step = newest_step(job.directory)
        if code != MPIRUNS_OWN:  # which leaves the ranks one second, and may then not pass on what they say
            check(50 < step < STEPS, f"{what}: a last epoch expected, the newest is of step {step}: {ended}")
            check(f"at step {step}, which is saved" in ended.err, f"{what}: a line that names the step: {ended}")
        wait_until(lambda: not [pid for pid in processes if os.path.exists(f"/proc/{pid}")],
                   f"{what}: the end of every rank", timeout=5)
        wait_until(lambda: segments() <= before, f"{what}: the end of its shared memory", timeout=5)
        job.check_finished(job.launch(RANKS), digest, step)
    print(f"{what}: epoch of step {step}, exit {code}", flush=True)


def main(mpiexec, program, cairn):
    as_users_have_mpirun()
    with scratch_directory() as scratch:
        digest = HeatJob(mpiexec, program, scratch, steps=STEPS).undisturbed_digest()
    term, user, interrupt = signal.SIGTERM, signal.SIGUSR1, signal.SIGINT
    for number, to_rank, code in ((term, 0, 75), (term, 2, 75), (user, 1, 75), (interrupt, 1, 130),
                                  (user, None, 75), (term, None, MPIRUNS_OWN), (interrupt, None, MPIRUNS_OWN)):
        try_signal(mpiexec, program, None, digest, number, to_rank, code)
    for number, to_rank, code in ((term, 0, 75), (interrupt, 2, 130), (user, None, 75), (term, None, 75),
                                  (interrupt, None, 130), (term, MPIRUN, 75), (interrupt, MPIRUN, 75)):
        try_signal(mpiexec, program, cairn, digest, number, to_rank, code)


main(*sys.argv[1:])
