"""What the tests of `cairn run` share: CAIRN and PROBE, and a job in a folder of its own that is watched from outside."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

CAIRN, PROBE = sys.argv.pop(1), sys.argv.pop(1)


def environment_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return dict(item.split("=", 1) for item in file.read().decode(errors="replace").split("\0") if "=" in item)


def mentioning(text):
    """The living processes with `text` in their command line."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if text.encode() in file.read():
                    found.append(int(name))
        except OSError:
            pass  # it has just ended
    return found


class JobTest(unittest.TestCase):
    """Each test has its own folder; nothing of its jobs may be left when it ends."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="cairn-run-")
        self.file = os.path.join(self.folder, "epoch")
        self.started = []

    def tearDown(self):
        try:
            self.expect_nothing_left()
        finally:
            for process in self.started:
                if process.poll() is None:
                    process.kill()
                process.communicate(timeout=10)
            for pid in mentioning(self.folder):
                os.kill(pid, signal.SIGKILL)
            for segment in self.segments():
                os.remove(segment)
            shutil.rmtree(self.folder)

    def start(self, command, hangup=signal.SIG_DFL, **environment):
        """However the tests themselves were started, SIGHUP is `hangup` to it."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
                                   env={**os.environ, **environment}, preexec_fn=lambda: signal.signal(signal.SIGHUP, hangup))
        self.started.append(process)
        return process

    def cairn(self, *options, ranks=3, probe=(), **environment):
        """Starts cairn run with the probe."""
        return self.start([CAIRN, "run", "-n", str(ranks), *options, "--", PROBE, "--file", self.file, *probe],
                          **environment)

    def end(self, process, within=30):
        """Waits for the end; returns exit code, stdout, the lines of cairn run, the other lines on stderr."""
        out, err = process.communicate(timeout=within)
        lines = err.splitlines()
        return (process.returncode, out, [line for line in lines if line.startswith("cairn run: ")],
                [line for line in lines if not line.startswith("cairn run: ")])

    def ranks(self, count=3, within=10):
        """Waits until the ranks have begun to step; returns {rank: pid}."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            found = {}
            for pid in mentioning(self.file):
                try:
                    rank = environment_of(pid).get("OMPI_COMM_WORLD_RANK")
                except OSError:
                    continue
                if rank is not None:
                    found[int(rank)] = pid
            if len(found) == count and os.path.exists(self.file + ".jobs"):
                time.sleep(0.1)
                return found
            time.sleep(0.02)
        self.fail("the ranks have not started")

    def mpirun(self):
        """The process id of mpirun: the parent of rank 0."""
        with open(f"/proc/{self.ranks()[0]}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])

    def saved_step(self):
        with open(self.file) as file:
            return int(file.read())

    def segments(self):
        """What the jobs of this test have in /dev/shm."""
        if not os.path.exists(self.file + ".jobs"):
            return []
        with open(self.file + ".jobs") as file:
            jobs = [f"{int(line):x}" for line in file]
        return [os.path.join("/dev/shm", name) for name in os.listdir("/dev/shm") if any(job in name for job in jobs)]

    def expect_nothing_left(self, within=6):
        deadline = time.monotonic() + within
        while mentioning(self.folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(mentioning(self.folder), [], "processes are left")
        self.assertEqual(self.segments(), [], "shared memory is left")
