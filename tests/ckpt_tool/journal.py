"""`cairn journal fence`, and what `cairn ckpt` says of incarnations.

usage: journal.py CAIRN WRITE_FIELDS CAIRN_HEAT MPIEXEC
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from support import CAIRN, HEAT, NO_INPUT, SAME, USAGE, Ended, ckpt


def journal(*words, **environment):
    return Ended(subprocess.run([CAIRN, "journal", *map(str, words)], capture_output=True, text=True, timeout=30,
                                stdin=subprocess.DEVNULL, env={**os.environ, **environment}))


class Journal(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-journal-"))
        self.epochs = self.folder / "epochs"
        self.addCleanup(shutil.rmtree, self.folder)

    def heat(self, steps, failpoints=""):
        return subprocess.run([HEAT, "--size", "16", "--steps", str(steps), "--ckpt-dir", str(self.epochs), "--ckpt-every",
                               "1"], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "CAIRN_FAILPOINTS": failpoints}).returncode

    def test_words_that_make_no_sense(self):
        for words in ([], ["--fences"], ["fence"], ["fence", "a", "b"], ["fence", "--no-such", "a"]):
            self.assertEqual(journal(*words).code, USAGE, words)
        for words in (["--help"], ["fence", "--help"]):
            ended = journal(*words)
            self.assertEqual((ended.code, ended.err), (SAME, ""))
            self.assertIn("cairn journal fence epochs", ended.out)

    def test_where_nothing_is(self):
        ended = journal("fence", self.epochs)
        self.assertEqual((ended.code, ended.out), (NO_INPUT, ""))
        self.epochs.mkdir()
        ended = journal("fence", self.epochs)
        self.assertEqual((ended.code, ended.out), (NO_INPUT, ""))
        self.assertIn("no epochs in", ended.err)
        self.assertEqual(list(self.epochs.iterdir()), [])

    def test_after_a_launch_that_has_ended(self):
        self.assertEqual(self.heat(2), 0)
        ended = journal("fence", self.epochs)
        self.assertEqual((ended.code, ended.err), (SAME, ""))
        self.assertEqual(ended.out, f"nobody owns {self.epochs}; nothing to do\n")
        self.assertFalse((self.epochs / "inc.2").exists())

    def test_after_a_killed_launch(self):
        self.assertEqual(self.heat(4, "ckpt.data.sync=kill,hit=3"), -signal.SIGKILL)
        ended = journal("fence", self.epochs)
        self.assertEqual((ended.code, ended.err), (SAME, ""))
        self.assertIn("incarnation 1 is fenced: process ", ended.out)
        self.assertIn("the next launch will be incarnation 3\n", ended.out)
        self.assertEqual(self.heat(4), 0)
        document = ckpt("ls", "--json", self.epochs).json()
        self.assertEqual([(entry["epoch"], entry["incarnation"]) for entry in document["epochs"]], [(4, 3), (5, 3)])
        self.assertIn("incarnation 3", ckpt("show", self.epochs).out)
        self.assertEqual(ckpt("show", "--json", self.epochs).json()["incarnation"], 3)

    def test_a_damaged_claim(self):
        self.assertEqual(self.heat(2, "heat.step=kill,hit=2"), -signal.SIGKILL)
        (self.epochs / "inc.1").write_bytes(b"cairn-incarnation 1 xx")
        ended = journal("fence", self.epochs)
        self.assertEqual((ended.code, ended.err), (SAME, ""))
        self.assertIn("incarnation 1 is fenced: nobody can tell: ", ended.out)
        self.assertEqual(self.heat(2), 0)

    def test_killed_at_each_of_its_failpoints(self):
        for name in ("write", "sync", "link", "linked", "directory", "beat"):
            shutil.rmtree(self.epochs, ignore_errors=True)
            self.assertEqual(self.heat(2, "heat.step=kill,hit=2"), -signal.SIGKILL)
            ended = journal("fence", self.epochs, CAIRN_FAILPOINTS=f"fence.claim.{name}=kill")
            self.assertEqual(ended.code, -signal.SIGKILL, name)
            self.assertEqual(journal("fence", self.epochs).code, SAME)
            self.assertEqual(self.heat(2), 0)


if __name__ == "__main__":
    unittest.main()
