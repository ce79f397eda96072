"""The answer is the same to the last bit on any number of ranks and threads, with and without restarts.

usage: bits.py MPIEXEC CAIRN_HEAT
"""

import sys

from heat_job import HeatJob, check, newest_step, scratch_directory
from processes import remove_segments, segments

RANKS = (1, 2, 3, 4, 7)
# From so many ranks to so many: down, up, by one, by more.
RESTARTS = ((4, 3), (3, 4), (7, 1), (1, 7), (2, 4), (4, 2))
NORMS = ("digest", "norms")


def outcome(job):
    result = job.result()
    return {key: result[key] for key in NORMS}


def main(mpiexec, program):
    before = segments()
    reference = None
    for ranks in RANKS:
        for threads in (1, 2):
            with scratch_directory() as scratch:
                job = HeatJob(mpiexec, program, scratch, size=97)
                job.undisturbed_digest(ranks, "--threads", threads)
                got = outcome(job)
            reference = reference or got
            check(got == reference, f"{ranks} ranks × {threads} threads: {got} instead of {reference}")
    for first, second in RESTARTS:
        with scratch_directory() as scratch:
            job = HeatJob(mpiexec, program, scratch, size=97)
            ended = job.launch(first, f"heat.step=kill,rank={first - 1},hit=34")
            check(ended.code != 0, f"the kill did not happen: {ended}")
            check(newest_step(job.directory) == 30, f"epoch of step 30 expected: {ended}")
            ended = job.launch(second)
            job.check_finished(ended, reference["digest"], 30)
            check(outcome(job) == reference, f"{first} → {second} ranks: {outcome(job)} instead of {reference}")
        remove_segments(segments() - before)
    print(f"{reference['digest']} for {len(RANKS) * 2} shapes of the job and {len(RESTARTS)} restarts")


main(*sys.argv[1:])
