"""Kills and restarts at random, each time on another number of ranks: the end is that of the undisturbed run.

Each cycle launches the program on a random number of ranks and kills a random rank: at a random failpoint of the
checkpoint path, or at a random moment. In the end it runs through. The short form does a few cycles of each program,
the long one 20.

usage: kill_cycles.py MPIEXEC CAIRN_HEAT CAIRN_CG PARTICLES [--seed N] [--long]
"""

import argparse
import json
import os
import random
import re
import signal
import time

from heat_job import OF_COMPRESSION, OF_RANK_0, check, newest_step, run, scratch_directory, start
from processes import as_users_have_mpirun, children, finish, remove_segments, segments, wait_until

RANKS = (1, 2, 3, 4, 7)
MODES = ("sync", "async")
CHANGES = ([], ["--ckpt-changes"])


class Heat:
    """The digest of the field after more steps than the cycles can do."""

    name = "heat"

    def __init__(self, program, scratch):
        self.program, self.directory, self.result = program, scratch / "heat", scratch / "heat.json"

    def command(self, chooser):
        return [self.program, *chooser.choice(CHANGES), "--size", 200, "--steps", 1000, "--initial", "spots", "--threads", 1, "--result",
                self.result, "--ckpt-dir", self.directory, "--ckpt-every", 5, "--ckpt-mode", chooser.choice(MODES)]

    def digest(self, ended):
        return json.loads(self.result.read_text())["digest"]


class ConjugateGradient(Heat):
    name = "cg"

    def __init__(self, program, scratch):
        self.program, self.directory, self.result = program, scratch / "cg", scratch / "cg.json"

    def command(self, chooser):
        return [self.program, *chooser.choice(CHANGES), "--poisson", 200, "--threads", 1, "--result", self.result, "--ckpt-dir", self.directory,
                "--ckpt-every", 2, "--ckpt-mode", chooser.choice(MODES)]


class Particles(Heat):
    name = "particles"

    def __init__(self, program, scratch):
        self.program, self.directory = program, scratch / "particles"

    def command(self, chooser):
        return [self.program, 2000, 1000, self.directory]

    def digest(self, ended):
        return re.search(r"digest ([0-9a-f]{16})", ended.out)[1]


def killed(mpiexec, program, failpoints, chooser):
    """One launch with a kill in it; how it is described."""
    ranks = chooser.choice(RANKS)
    rank = chooser.randrange(ranks)
    command = [mpiexec, "-n", ranks, *program.command(chooser)]
    if chooser.random() < 0.7:
        name = chooser.choice(failpoints)
        rank = 0 if name.startswith(OF_RANK_0) else rank
        hit = 1 if "restore" in name else chooser.randint(1, 5)
        arm = f"{name}=kill,rank={rank},hit={hit}"
        ended = run(command, CAIRN_FAILPOINTS=arm)
        return f"{ranks} ranks, {arm}: exit {ended.code}", ended
    # At any moment after some progress.
    goal = (newest_step(program.directory) or 0) + chooser.randint(1, 20)
    process = start(command)
    wait_until(lambda: process.poll() is not None or (newest_step(program.directory) or 0) >= goal, f"step {goal}")
    time.sleep(chooser.uniform(0, 0.003))
    for pid in sorted(children(process.pid))[rank:rank + 1]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended
    ended = finish(process)
    return f"{ranks} ranks, rank {rank} killed after step {goal}: exit {ended.code}", ended


def cycles(mpiexec, program, failpoints, count, chooser):
    ended = run([mpiexec, "-n", 1, *program.command(chooser)])
    check(ended.code == 0, f"undisturbed: {ended}")
    digest = program.digest(ended)
    for path in program.directory.iterdir():
        path.unlink()
    story, done, kills = [], 0, 0
    for _ in range(count):
        what, ended = killed(mpiexec, program, failpoints, chooser)
        story.append(what)
        kills += ended.code != 0
        step = newest_step(program.directory) or 0
        check(step >= done, f"{program.name}: back from step {done} to {step}: {story}")
        check(ended.code not in (64, 65, 66, 70, 77), f"{program.name}: {story}: {ended}")
        done = step
    ended = run([mpiexec, "-n", chooser.choice(RANKS), *program.command(chooser)])
    check(ended.code == 0, f"{program.name}: the last launch, after {story}: {ended}")
    check(program.digest(ended) == digest, f"{program.name}: another digest than the undisturbed run, after {story}")
    check(kills * 4 >= count * 3, f"{program.name}: most launches die: {story}")
    return kills


def main():
    parser = argparse.ArgumentParser()
    for name in ("mpiexec", "heat", "cg", "particles"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true", default="CAIRN_TEST_LONG" in os.environ)
    options = parser.parse_args()
    if options.long:
        as_users_have_mpirun()
    before = segments()
    names = run([options.heat, "--list-failpoints"]).out.split()
    failpoints = [name for name in names if name.startswith("ckpt.") and name != "ckpt.copy"  # of one mode alone
                  and not name.startswith(("ckpt.local.", *OF_COMPRESSION))]
    for kind, path in ((Heat, options.heat), (ConjugateGradient, options.cg), (Particles, options.particles)):
        started = time.monotonic()
        with scratch_directory() as scratch:
            chooser = random.Random(f"{options.seed} {kind.name}")
            kills = cycles(options.mpiexec, kind(path, scratch), failpoints, 20 if options.long else 6, chooser)
        print(f"{kind.name}: {kills} launches died, the digest is right, {time.monotonic() - started:.0f} s")
    remove_segments(segments() - before)


if __name__ == "__main__":
    main()
