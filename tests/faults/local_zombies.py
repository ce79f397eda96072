"""A launch with epochs on the nodes that is fenced while it saves one, and wakes up behind its successor: nothing of the
successor's is touched, and nothing that it still writes counts.

Two virtual nodes on this machine. The old launch is stopped (SIGSTOP) in the midst of a local save, an operator fences it, and
its successor goes on; at some moment the old one wakes up, does what it was about to do, and ends with 69.

usage: local_zombies.py MPIEXEC CAIRN_HEAT CAIRN
"""

import contextlib
import os
import signal
import sys
import time

from heat_job import HeatJob, check, finish, run, scratch_directory, start
from processes import children, wait_until

RANKS = HOSTS = 2
EVERY = 5  # steps between local epochs
UNAVAILABLE = 69
STALL = 6  # seconds, more than it takes to stop a process


class Case:
    def __init__(self, mpiexec, program, cairn, scratch, every):
        self.cairn, self.scratch = cairn, scratch
        self.job = HeatJob(mpiexec, program, scratch, steps=60, every=every)
        self.digest = self.job.undisturbed_digest()

    def start(self, failpoints):
        options = ["--ckpt-local", self.scratch / "%h", "--ckpt-local-every", EVERY, "--ckpt-redundancy", "partner"]
        return start(self.job.command(RANKS, *self.job.checkpoints, *options), CAIRN_VIRTUAL_HOSTS=HOSTS,
                     CAIRN_FAILPOINTS=failpoints)

    def files(self, pattern):
        return sorted(self.scratch.glob(f"host*/*/{pattern}"))

    @contextlib.contextmanager
    def zombie(self, point, hit):
        """Stopped before that point of its save number `hit`, and fenced; awake when `wake` is called."""
        old = self.start(f"{point}=stall:{STALL},hit={hit}")
        if point == "ckpt.local.publish":  # of which there are signs
            wait_until(lambda: len(self.files(f"epoch-*{hit}.inc-1.*.record.tmp")) == HOSTS, f"records of save {hit}")
        else:
            wait_until(lambda: len(self.files("epoch-*.inc-1.*.record")) >= HOSTS * (hit - 1), f"local save {hit - 1}")
            time.sleep(0.7)
        ranks = children(old.pid)
        for pid in ranks:
            os.kill(pid, signal.SIGSTOP)
        fenced = run([self.cairn, "journal", "fence", self.job.directory])
        check(fenced.code == 0 and "incarnation 1 is fenced" in fenced.out, f"{fenced}")

        def wake():
            for pid in ranks:
                os.kill(pid, signal.SIGCONT)
            ended = finish(old, timeout=60)
            check(ended.code == UNAVAILABLE, f"the zombie ends with {UNAVAILABLE}: {ended}")

        yield wake

    def successor(self, failpoints):
        return finish(self.start(failpoints), timeout=60)

    def publishes_beside(self, failpoints):
        """How a successor ends that stalls while the old launch publishes its second local epoch."""
        with self.zombie("ckpt.local.publish", 2) as wake:
            new = self.start(failpoints)
            wait_until(lambda: (self.job.directory / "inc.3").exists(), "its successor")
            time.sleep(1)
            wake()
            check(len(self.files("epoch-*2.inc-1.*.record")) == HOSTS, "what it has published late")
            return finish(new, timeout=60)

    def check_last(self, restored_from):
        self.job.check_finished(self.successor(""), self.digest, restored_from)


def wakes_behind(case, point):
    """The successor has made epochs and is gone."""
    with case.zombie(point, 2) as wake:
        ended = case.successor("heat.step=kill,rank=0,hit=8")
        check(ended.code not in (0, 64), f"it is killed: {ended}")
        records = {path: path.read_bytes() for path in case.files("*.inc-3.*")}
        check(records, "local epochs of the successor")
        wake()
        check({path: path.read_bytes() for path in case.files("*.inc-3.*")} == records, "they are as they were")
    case.check_last(3 * EVERY if point == "ckpt.local.committed" else 2 * EVERY)


def wakes_before_the_first_epoch(case):
    """What it publishes when its successor has restored, but not yet saved, does not count."""
    ended = case.publishes_beside(f"heat.step=stall:{STALL + 4},hit=2; ckpt.local.committed=kill,rank=0")
    check(ended.code not in (0, 64), f"it is killed: {ended}")
    # All that it has made is lost, also what it has written to the shared directory of the epoch that it restored.
    for path in [*case.files("*.inc-3.*"), *case.job.directory.glob("epoch-*")]:
        path.unlink()
    case.check_last(EVERY)


def wakes_before_the_restart(case):
    """What it publishes when its successor has claimed the directory, but not yet looked for epochs, does not count."""
    ended = case.publishes_beside(f"ckpt.restore.begin=stall:{STALL + 4}")
    check("is void" in ended.err, f"a warning: {ended}")
    case.job.check_finished(ended, case.digest, EVERY)


def wakes_beside(case):
    """The successor is just writing a local epoch."""
    with case.zombie("ckpt.local.begin", 2) as wake:
        new = case.start(f"ckpt.local.sync=stall:{STALL + 4},hit=1")
        wait_until(lambda: len(case.files("*.inc-3.*.tmp")) == RANKS, "its successor's save")
        wake()
        case.job.check_finished(finish(new, timeout=60), case.digest, EVERY)


def another_job(case):
    """Nothing was there when the successor began, and so it has begun a job of its own."""
    with case.zombie("ckpt.local.publish", 1) as wake:
        ended = case.successor("heat.step=kill,rank=0,hit=13")
        check(ended.code not in (0, 64), f"it is killed: {ended}")
        wake()
    case.check_last(2 * EVERY)


def main():
    programs = sys.argv[1:]
    points = [f"ckpt.local.{name}" for name in ("begin", "sync", "parity", "record", "publish", "committed")]
    if not os.environ.get("CAIRN_TEST_LONG"):
        points = points[:1] + points[-2:]
    stories = [(lambda case, point=point: wakes_behind(case, point), f"behind its successor, at {point}")
               for point in points]
    stories += [(wakes_before_the_restart, "before its successor restores"),
                (wakes_before_the_first_epoch, "before its successor's first epoch"), (wakes_beside, "beside its successor"),
                (another_job, "when its successor has begun another job")]
    for story, what in stories:
        with scratch_directory() as scratch:
            story(Case(*programs, scratch, every=1000))
        print(f"a fenced launch wakes up {what}: nothing of it counts", flush=True)


if __name__ == "__main__":
    main()
