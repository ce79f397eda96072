"""What the test cases of a program with `--result` share: a private folder, its results, what it refuses, its help."""

import json
import pathlib
import unittest

from processes import run, scratch_directory


class ProgramCase(unittest.TestCase):
    """A subclass says which program."""

    program = None

    @property
    def name(self):
        return pathlib.Path(self.program).name

    def setUp(self):
        scratch = scratch_directory()
        self.scratch = scratch.__enter__()
        self.addCleanup(scratch.__exit__, None, None, None)

    def ended(self, *options, launcher=(), code=0):
        """A run that ends with that code, and its result file."""
        file = self.scratch / "result.json"
        done = run([*launcher, self.program, *options, "--result", file])
        self.assertEqual(done.code, code, done)
        return done, json.loads(file.read_text())

    def refused(self, code, *options, words, launcher=()):
        """One line on stderr that has these words, and nothing on stdout."""
        done = run([*launcher, self.program, *options])
        ours = done.lines_of(self.name)
        self.assertEqual((done.code, done.out, len(ours)), (code, "", 1), done)
        self.assertTrue(ours[0].startswith(f"{self.name}: error: "), done)
        for word in words:
            self.assertIn(word, ours[0])

    def check_help_and_version(self, *words):
        done = run([self.program, "--help"])
        self.assertEqual(done.code, 0, done)
        for word in words:
            self.assertIn(word, done.out)
        self.assertTrue(run([self.program, "--version"]).out.startswith(f"{self.name} "))
