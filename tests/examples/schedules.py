"""06_schedules prints what each schedule costs, and refuses what is none.

usage: schedules.py MPIEXEC SCHEDULES
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import run  # noqa: E402

MPIEXEC, PROGRAM = sys.argv[1:3]


class Schedules(unittest.TestCase):
    def costs(self, workers, *weights):
        ended = run([PROGRAM, workers, *weights])
        self.assertEqual((ended.code, ended.err), (0, ""), ended)
        found = re.findall(r"(\S+) +largest (\S+) mean (\S+) imbalance (\S+)\n", ended.out)
        self.assertEqual(len(found), len(ended.out.splitlines()), ended)
        return {name: tuple(map(float, cost)) for name, *cost in found}

    def test_costs(self):
        weights = [8, 7, 6, 5, 4, 3, 2, 1]
        costs = self.costs(2, *weights)
        self.assertEqual(list(costs), ["block", "round-robin", "random", "longest-first", "weighted-round-robin", "curve"])
        self.assertEqual(costs["block"], (26, 18, 1.444))
        self.assertEqual(costs["round-robin"], (20, 18, 1.111))
        self.assertEqual(costs["longest-first"], (18, 18, 1))
        for largest, mean, imbalance in costs.values():
            self.assertEqual(mean, sum(weights) / 2)
            self.assertAlmostEqual(imbalance, largest / mean, places=3)

    def test_ranks_say_it_once(self):
        for arguments, code in (([2, 3, 4], 0), ([2, "x"], 64)):
            alone, ranks = run([PROGRAM, *arguments]), run([MPIEXEC, "-n", 3, PROGRAM, *arguments])
            self.assertEqual((ranks.code, ranks.out), (code, alone.out), ranks)
            self.assertEqual(ranks.err.count("usage"), 1 if code else 0, ranks)

    def test_few_tasks(self):
        self.assertEqual({cost for name, cost in self.costs(4, 6).items()}, {(6, 1.5, 4)})

    def test_what_is_refused(self):
        for arguments, words in (([2, 1, -3], "-3"), ([0, 1], "0 workers"), ([2, "nan"], "nan"), ([], "usage"), ([2], "usage"),
                                 ([2, "abc", 3], "usage"), ([2, 3, "4x"], "usage"), ([2, ""], "usage"),
                                 (["two", 3], "usage"), ([2.5, 3], "usage"), ([2**32 + 2, 3], "usage")):
            ended = run([PROGRAM, *arguments])
            self.assertEqual((ended.code, ended.out), (64, ""), ended)
            self.assertIn(words, ended.err)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
