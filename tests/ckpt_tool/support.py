"""What the tests of `cairn ckpt` share: the programs, epochs that are made once, and one bounded call of the tool."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CAIRN, WRITE_FIELDS, HEAT, READ_XDMF, MPIEXEC = sys.argv[1:6]
del sys.argv[1:6]

SAME, DIFFERENT, USAGE, BAD_DATA, NO_INPUT, UNAVAILABLE, PERMISSION = 0, 1, 64, 65, 66, 69, 77


class Ended:
    def __init__(self, ended):
        self.code, self.out, self.err = ended.returncode, ended.stdout, ended.stderr

    def json(self):
        return json.loads(self.out)


def ckpt(*words, **environment):
    """Without mpirun, as a person calls it."""
    return Ended(subprocess.run([CAIRN, "ckpt", *map(str, words)], capture_output=True, text=True, timeout=30,
                                stdin=subprocess.DEVNULL, env={**os.environ, **environment}))


def write_fields(ranks, directory, *steps_and_changes):
    subprocess.run([MPIEXEC, "-n", str(ranks), WRITE_FIELDS, str(directory), *map(str, steps_and_changes)], check=True,
                   timeout=50)


def contents(directory):
    """Name, time and bytes of every file, but for the claims and heartbeats of incarnations."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
            for path in pathlib.Path(directory).iterdir() if not path.name.startswith("inc.")}


def data_file(directory, epoch):
    return pathlib.Path(directory) / f"epoch-{epoch:010}.h5"


def record_file(directory, epoch):
    return pathlib.Path(directory) / f"epoch-{epoch:010}.record"


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def rewrite_record(path, change):
    """Changes the record's JSON and gives it a digest that fits: what no accident does, but a stranger might."""
    body = json.loads(path.read_text().split("\n", 1)[1])
    change(body)
    text = json.dumps(body, indent=1) + "\n"
    digest = subprocess.run(["xxhsum", "-H2", "-"], input=text.encode(), capture_output=True, check=True,
                            timeout=10).stdout.split()[0].decode()
    path.write_text(f"cairn-epoch-record 1 xxh3-128={digest}\n{text}")


class CkptTest(unittest.TestCase):
    """`self.epochs` is a copy of a directory with two epochs of four ranks, steps 10 and 20, in two lines of descent;
    `self.other` has one with the bits of the first."""

    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="cairn-ckpt-tool-"))
        cls.addClassCleanup(shutil.rmtree, cls.root)
        write_fields(4, cls.root / "template", 10, 0, 20, 2)

    def setUp(self):
        self.folder = self.root / self.id().rsplit(".", 1)[1]
        self.epochs, self.other = self.folder / "epochs", self.folder / "other"
        shutil.copytree(self.root / "template", self.epochs)
        self.other.mkdir()
        for file in (data_file, record_file):
            shutil.copy2(file(self.epochs, 1), self.other)
        self.addCleanup(shutil.rmtree, self.folder)

    def expect(self, ended, code, *lines):
        """An exit code; and for an error one line on stderr with all these words."""
        self.assertEqual(ended.code, code, ended.out + ended.err)
        if code not in (SAME, DIFFERENT):
            self.assertEqual(ended.err.count("\n"), 1, ended.err)
            self.assertRegex(ended.err, r"\Acairn ckpt \w+: error: ")
        for line in lines:
            self.assertIn(line, ended.err)
