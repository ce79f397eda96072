"""`cairn ckpt` beside running jobs and after killed ones: leftovers, the lock, and the order in which prune removes.

usage: jobs.py CAIRN WRITE_FIELDS CAIRN_HEAT READ_XDMF MPIEXEC
"""

import os
import pathlib
import pty
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from support import CAIRN, HEAT, NO_INPUT, SAME, UNAVAILABLE, ckpt, contents, data_file, flip


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class JobTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-ckpt-jobs-"))
        self.epochs = self.folder / "epochs"
        self.addCleanup(shutil.rmtree, self.folder)

    @staticmethod
    def heat(epochs, steps, failpoints=""):
        """One rank, an epoch a step; a failpoint's kill is a SIGKILL."""
        return subprocess.Popen([HEAT, "--size", "16", "--steps", str(steps), "--ckpt-dir", str(epochs), "--ckpt-every",
                                 "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env={**os.environ, "CAIRN_FAILPOINTS": failpoints})

    def killed_at(self, failpoint):
        self.assertEqual(self.heat(self.epochs, 9, failpoint).wait(30), -signal.SIGKILL)

    def verdicts(self):
        ended = ckpt("ls", "--json", self.epochs)
        self.assertEqual((ended.code, ended.err), (SAME, ""))
        return {entry["epoch"]: entry["verdict"] for entry in ended.json()["epochs"]}

class Killed(JobTest):
    def test_while_it_wrote_the_first_epoch(self):
        self.killed_at("ckpt.data.sync=kill")
        self.assertEqual(self.verdicts(), {1: "uncommitted"})
        for words in (["show", self.epochs], ["verify", self.epochs], ["prune", self.epochs, "--keep", 1]):
            ended = ckpt(*words)
            self.assertEqual((ended.code, f"no epochs in {self.epochs}\n" in ended.err), (NO_INPUT, True))
        ended = ckpt("show", self.epochs, 1)
        self.assertEqual((ended.code, "has no epoch 1" in ended.err), (NO_INPUT, True))

    def test_between_the_two_renames(self):
        self.killed_at("ckpt.publish.record=kill,hit=2")
        self.assertEqual(self.verdicts(), {1: "committed", 2: "uncommitted"})
        self.assertEqual(ckpt("show", "--json", self.epochs).json()["epoch"], 1)
        ended = ckpt("verify", self.epochs)
        self.assertEqual((ended.code, ended.out.count("\n")), (SAME, 1))

    def test_while_it_retired(self):
        self.killed_at("ckpt.retire.data=kill")
        self.assertEqual(self.verdicts(), {1: "stray", 2: "committed", 3: "committed"})
        self.assertIn("data without a record", ckpt("ls", self.epochs).out)
        before = contents(self.epochs)
        self.assertEqual(ckpt("prune", self.epochs, "--keep", 2, "--dry-run").out, "epoch 1 would be removed\n")
        self.assertEqual(contents(self.epochs), before)
        self.assertEqual(ckpt("prune", self.epochs, "--keep", 2).out, "epoch 1 removed\n")
        self.assertEqual(self.verdicts(), {2: "committed", 3: "committed"})


class Running(JobTest):
    def test_a_job_that_saves_is_looked_at_but_not_pruned(self):
        job = self.heat(self.epochs, 9, "ckpt.data.sync=stall:60,hit=3")
        try:
            wait_for(lambda: (self.epochs / "epoch-0000000003.h5.tmp").exists())
            self.assertEqual(self.verdicts(), {1: "committed", 2: "committed", 3: "uncommitted"})
            self.assertEqual(ckpt("verify", self.epochs).code, SAME)
            before = contents(self.epochs)
            ended = ckpt("prune", self.epochs, "--keep", 1)
            self.assertEqual((ended.code, ended.out), (UNAVAILABLE, ""))
            self.assertIn("is in use by another running job", ended.err)
            self.assertEqual(ckpt("prune", self.epochs, "--keep", 1, "--dry-run").out, "epoch 1 would be removed\n")
            self.assertEqual(contents(self.epochs), before)
        finally:
            job.kill()
            job.wait(10)
        self.assertEqual(self.verdicts(), {1: "committed", 2: "committed", 3: "uncommitted"})
        self.assertEqual(ckpt("prune", self.epochs, "--keep", 1).out, "epoch 1 removed\n")
        self.assertEqual(self.verdicts(), {2: "committed", 3: "uncommitted"})  # the next save removes it


class Prune(JobTest):
    """On a copy of a directory with epochs 1 to 4, all good."""

    @classmethod
    def setUpClass(cls):
        cls.template = pathlib.Path(tempfile.mkdtemp(prefix="cairn-ckpt-jobs-"))
        cls.addClassCleanup(shutil.rmtree, cls.template)
        kept = cls.template / "kept"  # a job keeps two epochs, so the first two are put aside
        for steps in (2, 4):
            assert cls.heat(cls.template / "epochs", steps).wait(30) == 0
            shutil.copytree(cls.template / "epochs", kept, dirs_exist_ok=True)

    def setUp(self):
        super().setUp()
        shutil.copytree(self.template / "kept", self.epochs)
        self.assertEqual(self.verdicts(), dict.fromkeys((1, 2, 3, 4), "committed"))

    def names(self, *epochs):
        return {f"epoch-{epoch:010}.{kind}" for epoch in epochs for kind in ("h5", "record")} | {"lock"}

    def left(self):
        return {path.name for path in self.epochs.iterdir() if not path.name.startswith("inc.")}

    def test_the_newest_stay_and_a_job_goes_on_from_them(self):
        ended = ckpt("prune", self.epochs, "--keep", 2)
        self.assertEqual((ended.code, ended.out, ended.err), (SAME, "epoch 1 removed\nepoch 2 removed\n", ""))
        self.assertEqual(self.left(), self.names(3, 4))
        self.assertEqual(ckpt("prune", self.epochs, "--keep", 2).out, "")
        self.assertEqual(ckpt("prune", self.epochs, "--keep", 5).out, "nothing to remove: 2 of 5 good epochs are there\n")
        self.assertEqual(self.left(), self.names(3, 4))
        self.assertEqual(ckpt("verify", self.epochs).code, SAME)
        self.assertEqual(self.heat(self.epochs, 5).wait(30), 0)
        self.assertEqual(ckpt("show", "--json", self.epochs).json()["parent"], 4)

    def test_an_epoch_with_one_bad_byte_does_not_count(self):
        flip(data_file(self.epochs, 4), 3000)
        ended = ckpt("prune", self.epochs, "--keep", 1)
        self.assertEqual((ended.code, ended.out), (SAME, "epoch 1 removed\nepoch 2 removed\n"))
        self.assertIn("warning: epoch 4 is damaged and does not count: epoch-0000000004.h5: the digest does not fit", ended.err)
        self.assertEqual(self.left(), self.names(3, 4))

    def test_killed_anywhere_it_leaves_no_record_without_data(self):
        for failpoint, left in (("ckpt.retire.record=kill,hit=1", self.names(1, 2, 3, 4)),
                                ("ckpt.retire.record=kill,hit=2", self.names(1, 2, 3, 4) - {"epoch-0000000001.record"}),
                                ("ckpt.retire.sync=kill", self.names(3, 4) | {"epoch-0000000001.h5", "epoch-0000000002.h5"}),
                                ("ckpt.retire.data=kill,hit=2", self.names(3, 4) | {"epoch-0000000002.h5"})):
            ended = ckpt("prune", self.epochs, "--keep", 2, CAIRN_FAILPOINTS=failpoint)
            self.assertEqual(ended.code, -signal.SIGKILL, failpoint)
            self.assertEqual(self.left(), left, failpoint)
            self.assertNotIn("damaged", self.verdicts().values())
        self.assertEqual(ckpt("prune", self.epochs, "--keep", 2).code, SAME)
        self.assertEqual(self.left(), self.names(3, 4))

    def test_verify_shows_progress_on_a_terminal_and_only_there(self):
        parent, child = pty.openpty()
        ended = subprocess.run([CAIRN, "ckpt", "verify", str(self.epochs)], stdout=subprocess.PIPE, stderr=child, timeout=20)
        os.close(child)
        shown = os.read(parent, 10000)
        os.close(parent)
        self.assertEqual(ended.returncode, 0)
        self.assertIn(b"MiB", shown)
        self.assertEqual(ckpt("verify", self.epochs).err, "")


if __name__ == "__main__":
    unittest.main()
