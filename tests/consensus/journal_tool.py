"""`cairn journal DIR…` on directories that are whole, lost and damaged.

usage: journal_tool.py CAIRN WRITE_JOURNAL
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CAIRN, WRITE_JOURNAL = sys.argv[1:3]
del sys.argv[1:3]
EPOCHS = 40


def journal(*words):
    return subprocess.run([CAIRN, "journal", *map(str, words)], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL)


class Journal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="cairn-journal-"))
        cls.addClassCleanup(shutil.rmtree, cls.made)
        subprocess.run([WRITE_JOURNAL, cls.made, str(EPOCHS)], check=True, timeout=60)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-journal-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.nodes = [self.folder / f"node-{i}" for i in range(3)]
        for node in self.nodes:
            shutil.copytree(self.made / node.name, node)

    def check_entries(self, document):
        entries = document["entries"]
        self.assertEqual([e["kind"] for e in entries], ["launch"] + ["epoch"] * EPOCHS + ["fault", "operation"] + ["ending"] * 2)
        self.assertEqual([e["epoch"] for e in entries if e["kind"] == "epoch"], list(range(1, EPOCHS + 1)))
        self.assertEqual((entries[0]["ranks"], entries[0]["incarnation"], entries[0]["text"]), (48, 1, "heat"))
        self.assertEqual(entries[0]["time"], "2025-11-28T21:00:00Z")
        self.assertEqual([e["node"] for e in entries[1:4]], [1, 2, 0])
        # Of numbers that no calendar knows, the last and the first time that can be shown.
        self.assertEqual([e["time"][:4] for e in entries[-2:]], ["2262", "1677"])

    def test_all_directories_and_the_folder_of_them(self):
        for words in (self.nodes, [self.folder], reversed(self.nodes)):
            ended = journal("--json", *words)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            document = json.loads(ended.stdout)
            self.check_entries(document)
            self.assertEqual((document["nodes"], document["whole"], document["complete"]), (3, 3, True))
            self.assertTrue(all(e["final"] for e in document["entries"]))

    def test_the_table(self):
        ended = journal(*self.nodes)
        lines = ended.stdout.splitlines()
        self.assertEqual(lines[0].split(), "entry time node what inc epoch ranks text".split())
        self.assertEqual(len(lines), 1 + EPOCHS + 5 + 1)
        self.assertIn("launch", lines[1])
        self.assertNotIn("\x1b", ended.stdout)
        self.assertEqual(lines[-1], "3 of 3 directories are whole")

    def test_a_minority_may_be_lost_or_damaged(self):
        shutil.rmtree(self.nodes[1])
        for lost in (self.nodes, [self.nodes[0], self.nodes[2]], [self.folder]):
            ended = journal("--json", *lost)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.check_entries(json.loads(ended.stdout))
        log = self.nodes[2] / "journal.log"
        shutil.copytree(self.made / "node-1", self.nodes[1])
        log.write_bytes(log.read_bytes()[:5000])
        ended = journal("--json", *self.nodes)
        self.assertEqual(ended.returncode, 0)
        self.assertIn("node-2", ended.stderr)
        self.check_entries(json.loads(ended.stdout))

    def test_a_lost_majority_is_said_and_what_there_is_is_shown(self):
        shutil.rmtree(self.nodes[1])
        (self.nodes[2] / "journal.raft").unlink()
        for words in (self.nodes, [self.folder], [self.nodes[0]]):
            ended = journal("--json", *words)
            self.assertEqual(ended.returncode, 69)
            self.assertIn("the majority is lost: 1 of 3", ended.stderr)
            document = json.loads(ended.stdout)
            self.assertFalse(document["complete"])
            self.check_entries(document)
        self.assertEqual(journal(self.nodes[0]).stdout.splitlines()[-1], "1 of 3 directories are whole")

    def test_no_journal(self):
        for words in ([self.folder / "no"], [self.folder / "no", "/"]):
            ended = journal(*words)
            self.assertEqual((ended.returncode, ended.stdout), (66, ""))
            self.assertIn("no journal", ended.stderr)

    def test_nothing_is_written(self):
        before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for n in self.nodes for p in n.iterdir()}
        journal(*self.nodes)
        self.assertEqual(before, {p: (p.stat().st_mtime_ns, p.read_bytes()) for n in self.nodes for p in n.iterdir()})


unittest.main()
