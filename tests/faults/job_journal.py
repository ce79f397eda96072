"""A program keeps the job journal: launches, restarts, epochs, faults and endings, through kills, lost directories and operators.

Virtual nodes on this machine. Nothing is asserted by time: what a launch that was killed had said may be lost, what one
that ended in order has said is there.

usage: job_journal.py MPIEXEC CAIRN_HEAT CAIRN
"""

import json
import pathlib
import shutil
import sys

from heat_job import HeatJob, check, run, scratch_directory

USAGE, UNAVAILABLE, RUN_AGAIN = 64, 69, 75


class Job:
    """cairn-heat on three virtual nodes; with an epoch every ten of sixty steps."""

    def __init__(self, mpiexec, program, cairn, scratch, nodes=3):
        self.cairn, self.scratch, self.hosts = cairn, scratch, nodes
        self.heat = HeatJob(mpiexec, program, scratch)
        self.journals = scratch / "journals"

    def launch(self, ranks=4, failpoints="", *more, directory="%h", hosts=None):
        return self.heat.launch(ranks, failpoints, "--ckpt-journal", self.journals / directory, *more,
                                CAIRN_VIRTUAL_HOSTS=hosts or self.hosts, CAIRN_JOURNAL_SECONDS=60)

    def finish(self, *words, **more):
        ended = self.launch(*words, **more)
        check(ended.code == 0, f"{ended}")
        return ended

    def kill_at(self, step, ranks=4):
        ended = self.launch(ranks, f"heat.step=kill,rank=1,hit={step}")
        check(ended.code != 0, f"killed: {ended}")

    def lose(self, *hosts):
        for host in hosts:
            shutil.rmtree(self.journals / host)

    def read(self, code=0):
        """What `cairn journal --json` says of all directories."""
        ended = run([self.cairn, "journal", "--json", self.journals])
        check(ended.code == code, f"ends with {code}: {ended}")
        return json.loads(ended.out)

    def entries(self, code=0):
        return self.read(code)["entries"]

    def said_by(self, launch):
        """What `launch`, which is called, has added, and what it returns."""
        before = len(self.entries())
        ended = launch()
        return self.entries()[before:], ended


def of_launches(entries):
    """The entries launch by launch."""
    launches = []
    for entry in entries:
        if entry["kind"] == "launch":
            launches.append([])
        launches[-1].append(entry)
    return launches


def kinds(entries):
    return [entry["kind"] for entry in entries]


def epochs(entries):
    return [entry["epoch"] for entry in entries if entry["kind"] == "epoch"]


def check_whole(launch, kinds_at_first, epochs_of_it, ranks, ending="in order"):
    """A launch that has ended in order."""
    want = [*kinds_at_first, *["epoch"] * len(epochs_of_it), "ending"]
    check(kinds(launch) == want, f"{want}: {launch}")
    check(epochs(launch) == epochs_of_it, f"{epochs_of_it}: {launch}")
    check(launch[0]["ranks"] == ranks and launch[-1]["text"].startswith(ending), f"{ranks}, {ending}: {launch}")


def kills_and_other_ranks(job):
    job.finish()
    first = of_launches(job.entries())[0]
    check_whole(first, ["launch", "restart"], list(range(1, 7)), 4)
    check(first[0]["text"].startswith("4 ranks on 3 nodes, claim ") and first[1]["text"] == "from the start", f"{first}")
    check(first[2]["text"] == "step 10", f"{first}")

    shutil.rmtree(job.heat.directory)  # the same job from the start; its journal goes on
    job.kill_at(28)
    job.finish(3)
    document = job.read()
    check(document["whole"] == 3 and document["complete"], f"{document}")
    launches = of_launches(document["entries"])
    check(launches[0] == first, f"what was said once stays: {launches[0]}")
    last = launches[-1]
    after_launch = kinds(last)[1:-1]
    check(after_launch[0] == "fault", f"a launch was killed: {last}")
    check(last[1]["incarnation"] == last[0]["incarnation"] - 1, f"which one: {last}")
    restart = next(entry for entry in last if entry["kind"] == "restart")
    check(restart["text"] == "from step 20" and restart["epoch"] == 2, f"{restart}")
    check(epochs(last) == [3, 4, 5, 6] and last[-1]["text"] == "in order", f"{last}")
    change = [entry for entry in last if entry["kind"] == "ranks"]
    check([entry["text"] for entry in change] == ["3 instead of 4"] and change[0]["ranks"] == 3, f"{last}")
    print("kills, and another number of ranks", flush=True)


def a_host_less(job):
    before = job.entries()
    ended = job.finish(3, hosts=2)
    check("2 are here; no host has that of node 2, and the others go on" in ended.err, f"{ended}")
    entries = job.entries()
    check(entries[:len(before)] == before, f"all that was there: {entries}")
    check(kinds(entries[len(before):]) == ["launch", "restart", "ending"], f"{entries[len(before):]}")
    print("two hosts of three", flush=True)


def a_lost_minority(job):
    before = job.entries()
    job.lose("host1")
    ended = job.finish()
    check("2 are here; no host has that of node 1, and the others go on" in ended.err, f"{ended}")
    shutil.copytree(job.journals / "host1", job.scratch / "copy-of-1")
    job.lose("host1")
    entries = job.entries()
    check(entries[:len(before)] == before, f"all that was there: {entries}")
    check(kinds(entries[len(before):]) == ["launch", "ranks", "restart", "ending"], f"{entries[len(before):]}")
    shutil.copytree(job.scratch / "copy-of-1", job.journals / "host1")
    check("keeps a copy and does not vote" in job.finish().err, "the copy goes on as a copy")
    print("one directory of three lost", flush=True)


def a_lost_majority(job):
    before = job.entries()
    job.lose("host0", "host1")
    ended = job.finish()
    check("1 is here; no host has that of node 0, 1, so the majority is lost" in ended.err, f"{ended}")
    document = job.read(UNAVAILABLE)
    check(not document["complete"] and document["entries"][:len(before)] == before, f"{document}")
    shutil.rmtree(job.journals)
    ended = job.finish()
    check("a new journal begins" in ended.err, f"{ended}")
    check(kinds(job.entries()) == ["launch", "restart", "ending"], f"{job.entries()}")
    print("two directories of three lost: the run goes on", flush=True)


def limits_and_operators(job):
    shutil.rmtree(job.heat.directory)
    said, ended = job.said_by(lambda: job.launch(4, "", "--time-limit", 0))
    check(ended.code == RUN_AGAIN, f"{ended}")
    check_whole(said, ["launch", "restart"], [1], 4, "stopped: the time limit is near")
    before = len(job.entries())
    job.kill_at(8)
    ended = run([job.cairn, "journal", "fence", job.heat.directory])
    check(ended.code == 0, f"{ended}")
    job.finish()
    said = job.entries()[before:]
    taken = [entry for entry in said if entry["kind"] == "operation"]
    check(len(taken) == 1 and "an operator took" in taken[0]["text"], f"{said}")
    print("time limits and operators", flush=True)


def damage_and_failures(job):
    record = sorted(job.heat.directory.glob("*.record"))[-1]
    data = record.with_suffix(".h5")
    size = data.stat().st_size
    with open(data, "r+b") as file:
        file.truncate(size - 1)
    said, _ = job.said_by(lambda: job.finish(4, "ckpt.data.sync=ENOSPC,rank=3,hit=1", "--ckpt-on-error", "continue"))
    faults = [entry["text"] for entry in said if entry["kind"] == "fault"]
    check(len(faults) == 2, f"{said}")
    check(faults[0].startswith("passed over by the restart: "), f"{faults}")
    check(faults[1].startswith("a checkpoint could not be written: "), f"{faults}")
    print("damaged epochs, and failed ones", flush=True)


def a_rank_that_hangs(job):
    shutil.rmtree(job.heat.directory)
    said, ended = job.said_by(lambda: job.launch(4, "ckpt.data.sync=stall:60,rank=3,hit=2", "--ckpt-patience", 1))
    check(ended.code == RUN_AGAIN, f"{ended}")
    given_up = [entry["text"] for entry in said if entry["kind"] == "fault" and "is given up: " in entry["text"]]
    check(any("nothing was heard for 1 s of rank 3" in text for text in given_up), f"{said}")
    check(said[-1]["kind"] == "ending" and said[-1]["text"].startswith("exit code 75: "), f"{said}")
    after, _ = job.said_by(job.finish)
    check(kinds(after)[:2] == ["launch", "restart"], f"the launch before has said its last word: {after}")
    print("a rank that hangs", flush=True)


def refusals(job):
    foreign = job.scratch / "elsewhere"
    ended = job.launch(4, "", "--ckpt-dir", foreign)
    check(ended.code == USAGE and "holds the journal of another job" in ended.err, f"{ended}")
    shutil.rmtree(job.journals)
    shutil.rmtree(job.heat.directory)
    ended = job.launch(directory="one-for-all")
    check(ended.code == USAGE and "%h" in ended.err, f"{ended}")
    print("refused: another job's directory, one directory for all", flush=True)


def main():
    mpiexec, program, cairn = sys.argv[1:]
    with scratch_directory() as scratch:
        job = Job(mpiexec, program, cairn, pathlib.Path(scratch))
        for story in (kills_and_other_ranks, a_host_less, a_lost_minority, a_lost_majority, limits_and_operators, damage_and_failures,
                      a_rank_that_hangs, refusals):
            story(job)


main()
