"""05_drifting_load: balanced or not, on any number of ranks, its sum is that of a program without ranks.

usage: drifting_load.py MPIEXEC DRIFTING_LOAD
"""

import math
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import run  # noqa: E402

MPIEXEC, PROGRAM = sys.argv[1:3]


def sum_without_ranks():
    total = []
    for cell in range(1024):
        value = (cell + 0.5) / 1024
        for step in range(20):
            dx, dy = cell % 32 - 0.25 * step, cell // 32 - 0.125 * step
            for _ in range(400 + int(80000 / (1 + dx * dx + dy * dy))):
                value = 3.9 * value * (1 - value)
        total.append(value)
    return math.fsum(total)


class DriftingLoad(unittest.TestCase):
    def figures(self, ranks, balance):
        """Mean imbalance, bytes a step, the sum."""
        ended = run([MPIEXEC, "-n", ranks, PROGRAM, "--balance", balance])
        self.assertEqual((ended.code, ended.err), (0, ""), ended)
        match = re.fullmatch(r"imbalance (\S+), (\d+) B/step, sum (\S+)\n", ended.out)
        self.assertTrue(match, ended)
        return float(match[1]), int(match[2]), float.fromhex(match[3])

    def test_what_is_refused_is_told_once(self):
        ended = run([MPIEXEC, "-n", 3, PROGRAM, "--balance", "some"])
        self.assertEqual((ended.code, ended.out, ended.err.count("usage: ")), (64, "", 1), ended)

    def test_it_is_balanced_and_its_sum_stays(self):
        expected = sum_without_ranks()
        for ranks in (1, 2, 3, 7):
            none = self.figures(ranks, "none")
            self.assertEqual(none[1:], (0, expected))
            for balance in ("hilbert", "diffusion"):
                mean, moved, total = self.figures(ranks, balance)
                self.assertEqual(total, expected)
                self.assertGreaterEqual(mean, 1)
                self.assertEqual(moved > 0, ranks > 1)
                self.assertLessEqual(mean - 1, 0.75 * (none[0] - 1), (balance, mean, none))  # by times that were measured

    def test_a_way_to_balance_that_is_none(self):
        for arguments in ([], ["--balance"], ["--balance", "well"], ["balance", "none"]):
            ended = run([PROGRAM, *arguments])
            self.assertEqual((ended.code, ended.out), (64, ""), ended)
            self.assertIn("none|hilbert|diffusion", ended.err)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
