"""A job on three machines with a network between them: one loses its power, one its cable.

Each machine has an address, a host name and a /tmp of its own, which holds its part of the epochs and its node of the job
journal; the checkpoint directory is shared. The digest is always that of one rank that nobody disturbs.

usage: machines.py MPIEXEC CAIRN_HEAT CAIRN
"""

import json
import pathlib
import sys
import time

from heat_job import HeatJob, check, finish, run, scratch_directory
from machine_network import MachineNetwork, skip_unless_available
from processes import wait_until

NEWEST_LOCAL_STEP = 25
STALL = "heat.step=stall:600,rank=0,hit=28"


class Job:
    """cairn-heat: an epoch of the nodes every five of sixty steps, a shared one every thousand; parity for one machine."""

    def __init__(self, machines, heat, cairn, scratch):
        self.machines, self.heat, self.cairn, self.scratch = machines, heat, cairn, scratch
        self.options = ["--ckpt-local", "/tmp/epochs-%h", "--ckpt-local-every", 5, "--ckpt-redundancy", "xor",
                        "--ckpt-journal", "/tmp/journal-%h"]

    def start(self, slots, failpoints="", *more):
        """`slots`: {machine: ranks}; mpirun runs on the first."""
        first, hosts = next(iter(slots)), ",".join(f"{name}:{ranks}" for name, ranks in slots.items())
        mpiexec, _, ranks, *program = self.heat.command(sum(slots.values()), *self.heat.checkpoints, *self.options, *more)
        return self.machines.start(first, [mpiexec, "-n", ranks, "--host", hosts, *program], CAIRN_FAILPOINTS=failpoints)

    def finish(self, slots, digest, restored_from, *more):
        ended = finish(self.start(slots, "", *more))
        self.heat.check_finished(ended, digest, restored_from)
        return ended

    def wait_for_step(self, step, name="host0"):
        """The epoch of this step is committed on this machine."""
        epoch = step // 5
        directory = self.machines.temporary(name) / f"epochs-{name}"
        wait_until(lambda: list(directory.rglob(f"epoch-{epoch:010}.*.record")), f"the epoch of step {step}")

    def journal(self, *names):
        """The entries in the nodes' directories of these machines."""
        directories = [self.machines.temporary(name) / f"journal-{name}" for name in names]
        ended = run([self.cairn, "journal", "--json", *directories])
        check(ended.code == 0, f"a majority is whole: {ended}")
        return json.loads(ended.out)["entries"]

    def forget(self):
        """The next launch begins a new job."""
        for path in (self.heat.directory, *self.machines.base.glob("tmp.*/epochs-*"), *self.machines.base.glob("tmp.*/journal-*")):
            run(["rm", "-rf", path])


def of_kind(entries, kind):
    return [entry for entry in entries if entry["kind"] == kind]


def undisturbed(job, digest):
    job.finish({"host0": 2, "host1": 1, "host2": 1}, digest, None)
    entries = job.journal("host0", "host1", "host2")
    check(entries and entries[0]["text"].startswith("4 ranks on 3 nodes"), f"{entries}")
    check(len(of_kind(entries, "epoch")) == 12, f"an entry for each epoch: {entries}")
    check(entries[-1]["text"] == "in order", f"{entries[-1]}")
    job.forget()
    print("three machines: the digest of one rank, one journal", flush=True)


def lose(job, digest, how):
    """Mid-run `how` takes host2 from the others: mpirun ends, and two machines go on from the newest epoch."""
    running = job.start({"host0": 2, "host1": 1, "host2": 1}, STALL)
    job.wait_for_step(NEWEST_LOCAL_STEP)
    how("host2")
    ended = finish(running)
    check(ended.code != 0, f"mpirun ends when a machine is lost: {ended}")
    return job.finish({"host0": 1, "host1": 2}, digest, NEWEST_LOCAL_STEP)


def power(job, digest):
    ended = lose(job, digest, job.machines.power_off)
    check("no host has that of node 2, and the others go on" in ended.err, f"{ended}")
    entries = job.journal("host0", "host1")
    check(len(of_kind(entries, "launch")) == 2 and len(of_kind(entries, "fault")) == 1, f"a launch was lost: {entries}")
    check(of_kind(entries, "restart")[-1]["text"] == f"from step {NEWEST_LOCAL_STEP}", f"{entries}")
    job.machines.power_on("host2")  # with an empty disk
    job.finish({"host0": 1, "host1": 1, "host2": 1}, digest, 60)
    job.forget()
    print("a machine without power: the newest epoch, rebuilt on the other two", flush=True)


def a_loose_cable(job, digest):
    running = job.start({"host0": 2, "host1": 1, "host2": 1}, "heat.step=stall:2,rank=0,hit=28")
    job.wait_for_step(NEWEST_LOCAL_STEP)
    job.machines.cut_off("host2")
    time.sleep(1)
    job.machines.join("host2")
    job.heat.check_finished(finish(running), digest, None)
    job.forget()
    print("a cable that is out for a moment: nothing is lost", flush=True)


def a_cut_cable(job, digest):
    lose(job, digest, job.machines.cut_off)  # whose ranks may still run
    job.machines.join("host2")
    job.finish({"host2": 1, "host1": 1, "host0": 1}, digest, 60)
    entries = job.journal("host0", "host1", "host2")
    check(len(of_kind(entries, "launch")) == 3, f"{entries}")
    print("a cable that is cut: the others restart, and the third comes back", flush=True)


def main():
    mpiexec, program, cairn = sys.argv[1:]
    skip_unless_available()
    programs = {pathlib.Path(path).resolve().parent for path in (program, cairn)}
    with scratch_directory() as scratch, MachineNetwork(3, shared=[scratch, *programs]) as machines:
        heat = HeatJob(mpiexec, program, scratch, every=1000)
        digest = heat.undisturbed_digest()
        job = Job(machines, heat, cairn, scratch)
        for story in (undisturbed, power, a_loose_cable, a_cut_cable):
            story(job, digest)


main()
