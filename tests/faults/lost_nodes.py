"""Nodes lose their local directories between two launches: which epoch the restart takes, and what a refusal says.

Three virtual nodes on this machine, with parity that bears the loss of one. One directory deleted: the newest epoch,
rebuilt. Two: the newest epoch of the shared directory, or, if there is none, exit 65 and the names of what is missing.
Nodes that have lost different epochs: the newest one that all of them have.

usage: lost_nodes.py MPIEXEC CAIRN_HEAT
"""

import shutil
import sys

from heat_job import HeatJob, check, scratch_directory

BAD_DATA = 65
RANKS = 4
EVERY = 5  # steps between local epochs


class Nodes:
    """A job on three nodes that is killed at step 28, when the newest local epoch is that of step 25."""

    def __init__(self, mpiexec, program, scratch, shared_every, redundancy="xor"):
        self.scratch = scratch
        self.job = HeatJob(mpiexec, program, scratch, every=shared_every)
        self.options = ["--ckpt-local", scratch / "%h", "--ckpt-local-every", EVERY, "--ckpt-redundancy", redundancy]
        self.digest = self.job.undisturbed_digest()
        ended = self.launch(RANKS, "heat.step=kill,rank=1,hit=28")
        check(ended.code != 0, f"killed: {ended}")

    def launch(self, ranks, failpoints=""):
        return self.job.launch(ranks, failpoints, *self.options, CAIRN_VIRTUAL_HOSTS=3)

    def lose(self, *hosts):
        for host in hosts:
            shutil.rmtree(self.scratch / host)

    def remove_epoch(self, host, epoch):
        files = list((self.scratch / host).rglob(f"epoch-{epoch:010}.*"))
        check(files, f"{host} has epoch {epoch}")
        for path in files:
            path.unlink()


def one_of_three(mpiexec, program):
    for ranks in (RANKS, 3):
        with scratch_directory() as scratch:
            nodes = Nodes(mpiexec, program, scratch, shared_every=1000)
            nodes.lose("host1")
            nodes.job.check_finished(nodes.launch(ranks), nodes.digest, 25)
    print("one directory of three lost: the newest epoch", flush=True)


def two_of_three(mpiexec, program):
    with scratch_directory() as scratch:
        nodes = Nodes(mpiexec, program, scratch, shared_every=1000)
        nodes.lose("host1", "host2")
        ended = nodes.launch(RANKS)
        check(ended.code == BAD_DATA, f"refused with {BAD_DATA}: {ended}")
        for words in ("no epoch in ", "(step 25) cannot be rebuilt: lost are ", " on host1 (missing)", " on host2 (missing)",
                      "covers the loss of 1 of these 3 hosts", "move the directory away"):
            check(words in ended.err, f"'{words}' in the refusal: {ended}")
        check(" on host0 (missing)" not in ended.err, f"host0 is there: {ended}")
    with scratch_directory() as scratch:
        nodes = Nodes(mpiexec, program, scratch, shared_every=10)
        nodes.lose("host1", "host2")
        ended = nodes.launch(RANKS)
        nodes.job.check_finished(ended, nodes.digest, 20)
        check("(step 25) cannot be rebuilt: lost are " in ended.err, f"why not the newest: {ended}")
    print("two directories of three lost: refused by name, or the newest epoch of the shared directory", flush=True)


def different_epochs(mpiexec, program):
    with scratch_directory() as scratch:
        nodes = Nodes(mpiexec, program, scratch, shared_every=15, redundancy="none")  # 5, 10, (15), 20, 25
        nodes.remove_epoch("host0", 5)
        ended = nodes.launch(RANKS)
        nodes.job.check_finished(ended, nodes.digest, 20)
        check("(step 25) cannot be rebuilt" in ended.err and " on host0 (missing)" in ended.err, f"{ended}")
    with scratch_directory() as scratch:
        nodes = Nodes(mpiexec, program, scratch, shared_every=15, redundancy="none")
        nodes.remove_epoch("host0", 5)
        nodes.remove_epoch("host2", 4)
        nodes.job.check_finished(nodes.launch(RANKS), nodes.digest, 15)
    print("nodes with different epochs: the newest one that all have", flush=True)


def main():
    mpiexec, program = sys.argv[1:]
    one_of_three(mpiexec, program)
    two_of_three(mpiexec, program)
    different_epochs(mpiexec, program)


main()
