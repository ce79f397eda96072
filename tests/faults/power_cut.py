"""Power cuts, as real as they can be had: a job saves epochs on ext4 on a loop device, at a random moment the file
system is shut down without its log (EXT4_IOC_SHUTDOWN), and is mounted again, which replays the journal.

Each time the newest epoch that was reported as committed, or the one that was just being saved, is restored bit for
bit. With a library that forgets fsync and fdatasync the same cuts lose epochs, so this test sees what it looks for.
Skipped where loop devices may not be mounted. The short form makes a dozen cuts, --long (or CAIRN_TEST_LONG) hundreds.

usage: power_cut.py MPIEXEC EPOCH_MILL FILE_CALLS_LIBRARY [--seed N] [--long]
"""

import argparse
import contextlib
import fcntl
import os
import random
import struct
import subprocess
import sys
import time

from heat_job import check, scratch_directory
from processes import fail, finish, remove_segments, segments, start, wait_until

RANKS = 2
SKIPPED = 77
EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
EXT4_GOING_FLAGS_NOLOGFLUSH = 2
MOST_EPOCHS = 15  # from the restart to the cut
A_SAVE_SECONDS = 0.04  # and some
IO_ERROR = 74


class Disk:
    """ext4 in a file."""

    def __init__(self, scratch):
        self.image, self.path = scratch / "disk", scratch / "mounted"
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True, timeout=60)

    def mount(self):
        return subprocess.run(["mount", "-o", "loop", self.image, self.path], capture_output=True, timeout=60).returncode == 0

    def unmount(self):
        subprocess.run(["umount", self.path], check=True, timeout=60)

    def cut_power(self):
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def new_disk():
    """A mounted disk; skips the test where there can be none."""
    with scratch_directory() as scratch:
        try:
            disk = Disk(scratch)
        except FileNotFoundError:
            skip("there is no mkfs.ext4")
        if not disk.mount():
            skip("loop devices may not be mounted")
        try:
            yield disk, scratch
        finally:
            subprocess.run(["umount", "--lazy", disk.path], capture_output=True, timeout=60)


def skip(why):
    print(f"skipped: {why} here")
    sys.exit(SKIPPED)


class Mill:
    """Launches of epoch-mill on one disk, and what they have reported."""

    def __init__(self, arguments, disk, scratch, **environment):
        self.arguments, self.disk, self.environment = arguments, disk, environment
        self.directory, self.progress = disk.path / "ckpt", scratch / "progress"

    def reported(self, word):
        """The steps behind `word` in the progress of this launch."""
        lines = self.progress.read_text().splitlines() if self.progress.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(word + " ")]

    def start(self, mode, epochs):
        self.progress.unlink(missing_ok=True)
        return start([self.arguments.mpiexec, "-n", RANKS, self.arguments.mill, self.directory, self.progress, mode, epochs],
                     **self.environment)

    def restored(self, mode, epochs=0):
        """Begins a launch, which restores. Returns its process and the step, which is None where it refuses."""
        process = self.start(mode, epochs)
        wait_until(lambda: self.reported("restored") or process.poll() is not None, "a restore")
        steps = self.reported("restored")
        return process, steps[0] if steps else None

    def cut(self, process, chooser, epochs):
        """Cuts the power of a running launch, at some moment after so many epochs.

        Returns the newest step that it had reported as committed.
        """
        wait_until(lambda: len(self.reported("committed")) >= epochs or process.poll() is not None, f"{epochs} epochs")
        time.sleep(chooser.uniform(0, A_SAVE_SECONDS))
        self.disk.cut_power()
        ended = finish(process)
        check(ended.code == IO_ERROR, f"the end of a job without its disk: {ended}")
        self.disk.unmount()
        if not self.disk.mount():
            fail("the disk cannot be mounted after the cut")
        return max(self.reported("committed"), default=None)


def cut_again_and_again(mill, cuts, chooser):
    """Returns the number of epochs that were reported as committed, and how many of the cuts found a younger one."""
    committed, epochs, younger = 0, 0, 0
    for cut in range(cuts + 1):
        mode = chooser.choice(("sync", "async"))
        process, step = mill.restored(mode, 0 if cut == cuts else 10**6)
        if step is None:
            fail(f"no restart after cut {cut}: {finish(process)}")
        check(step in (committed, committed + 1), f"cut {cut}: step {step} restored, {committed} was committed")
        younger += step == committed + 1
        if cut == cuts:
            check(finish(process).code == 0, "the last restart ends well")
            break
        newest = mill.cut(process, chooser, chooser.randint(0, MOST_EPOCHS))
        epochs += newest - step if newest else 0
        committed = newest or step
    return epochs, younger


def expect_losses(mill, chooser):
    """Cuts until one loses a committed epoch."""
    for _ in range(5):
        process, step = mill.restored("sync", 10**6)
        committed = mill.cut(process, chooser, MOST_EPOCHS) or step
        process, step = mill.restored("sync")
        finish(process)
        if step is None or step < committed:
            return f"{committed} steps committed, {step or 'none'} restored"
    fail("no cut has lost an epoch of a program that forgets to sync")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mpiexec")
    parser.add_argument("mill")
    parser.add_argument("library")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true", default="CAIRN_TEST_LONG" in os.environ)
    arguments = parser.parse_args()
    chooser = random.Random(arguments.seed)
    cuts = 300 if arguments.long else 12
    begin = time.monotonic()
    before = segments()
    with new_disk() as (disk, scratch):
        epochs, younger = cut_again_and_again(Mill(arguments, disk, scratch), cuts, chooser)
        check(epochs > 0, "no epoch was ever committed")
    with new_disk() as (disk, scratch):
        lost = expect_losses(Mill(arguments, disk, scratch, LD_PRELOAD=arguments.library, CAIRN_CALLS_RANK="all",
                                  CAIRN_CALLS_DIRECTORY=disk.path / "ckpt", CAIRN_CALLS_ACTION="forget_sync"), chooser)
    remove_segments(segments() - before)
    print(f"{cuts} power cuts, {epochs} epochs committed, none lost; {younger} cuts found the one that was being saved; "
          f"without syncs: {lost}; {time.monotonic() - begin:.0f} s (seed {arguments.seed})")


main()
