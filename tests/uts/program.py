"""cairn-uts from outside: counts on stdout and in the result file, and what is refused.

usage: program.py MPIEXEC CAIRN_UTS
"""

import hashlib
import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import run  # noqa: E402
from program_case import ProgramCase  # noqa: E402

MPIEXEC, UTS = sys.argv[1:3]
USAGE, NO_INPUT = 64, 66


def counted_by_hashlib(seed, children_of):
    """Nodes, depth and leaves of a tree, by another SHA-1 and another walk."""
    level, nodes, leaves, depth = [hashlib.sha1(bytes(16) + seed.to_bytes(4, "big")).digest()], 0, 0, -1
    while level:
        depth += 1
        nodes += len(level)
        below = []
        for state in level:
            value = int.from_bytes(state[16:], "big") & 0x7fffffff
            n = children_of(depth, value / 2**31)
            leaves += n == 0
            below += [hashlib.sha1(state + i.to_bytes(4, "big")).digest() for i in range(n)]
        level = below
    return {"nodes": nodes, "depth": depth, "leaves": leaves}


def values(out):
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


class Case(ProgramCase):
    program = UTS

    def counts(self, *options, launcher=()):
        """What stands on stdout, which must be what stands in the result file."""
        done, result = self.ended(*options, launcher=launcher)
        counts = {name: result[name] for name in ("nodes", "depth", "leaves")}
        out = values(done.out)
        self.assertGreater(out.pop("nodes_per_second"), 0)
        self.assertEqual(out, counts)
        return counts, result

    def test_a_named_tree_has_its_published_size(self):
        counts, result = self.counts("--tree", "T1")
        self.assertEqual(counts, {"nodes": 4130071, "depth": 10, "leaves": 3305118})
        self.assertEqual((result["program"], result["tree"], result["ranks"]), ("cairn-uts", "T1", 1))
        self.assertEqual(result["parameters"]["seed"], 19)

    def test_raw_parameters_name_the_same_tree(self):
        counts, result = self.counts("-t", 0, "-b", 2000, "-q", 0.124875, "-m", 8, "-r", 42, "--leaves", "count")
        self.assertEqual(counts, {"nodes": 4112897, "depth": 1572, "leaves": 3599034})
        self.assertIsNone(result["tree"])

    def test_small_trees_are_those_of_hashlib_with_every_kernel(self):
        def geometric(depth, u):
            return min(100, math.floor(math.log(1 - u) / math.log(1 - 1 / 5))) if depth < 5 else 0

        def binomial(depth, u):
            return 300 if depth == 0 else 3 * (u < 0.3)

        kernels = [name for name in ("portable", "sha_ni", "avx512")
                   if run([UTS, "--kernel", name, "-d", 1]).code == 0]
        self.assertIn("portable", kernels)
        for kernel in kernels:
            counts, result = self.counts("-a", 3, "-d", 5, "-r", 3, "--kernel", kernel)
            self.assertEqual(result["kernel"], kernel)
            self.assertEqual(counts, counted_by_hashlib(3, geometric))
            counts, _ = self.counts("-t", 0, "-b", 300, "-q", 0.3, "-m", 3, "-r", 9, "--kernel", kernel)
            self.assertEqual(counts, counted_by_hashlib(9, binomial))

    def test_what_makes_no_sense_is_refused_in_one_line(self):
        self.refused(USAGE, words=["no tree", "--tree T1"])
        self.refused(USAGE, "--tree", "T9", words=["T9", "T1, T1L, T1XL", "T5"])
        self.refused(USAGE, "--tree", "T1", "-d", 3, words=["--tree has all parameters"])
        self.refused(USAGE, "-t", 7, words=["--type is 0"])
        self.refused(USAGE, "-a", 4, words=["--shape is 0"])
        self.refused(USAGE, "-d", 0, words=["--depth"])
        self.refused(USAGE, "-b", "much", words=["much", "-b"])
        self.refused(USAGE, "-b", "nan", words=["-b"])
        self.refused(USAGE, "-r", -1, words=["-1"])
        self.refused(USAGE, "-r", 2**31, words=["--seed"])
        self.refused(USAGE, "-t", 0, "-b", 2000, "-q", 0.9, words=["never end"])
        self.refused(USAGE, "-t", 0, "-b", 1, "-q", 1, "-m", 1, words=["never end"])
        self.refused(USAGE, "--tree", "T1", "--kernel", "md5", words=["md5", "portable"])
        self.refused(USAGE, "--tree", "T1", "--leaves", "rake", words=["rake", "push or count"])
        self.refused(USAGE, "--tree", "T1", "--schedule", "luck", words=["luck", "round-robin", "stealing"])
        self.refused(USAGE, "--tree", "T1", "T2", words=["T2"])
        self.refused(NO_INPUT, "--tree", "T1", "--result", self.scratch / "none" / "r.json", words=["none"])
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_ranks_and_threads_change_nothing(self):
        for tree, expected in (("T1", {"nodes": 4130071, "depth": 10, "leaves": 3305118}),
                               ("T3", {"nodes": 4112897, "depth": 1572, "leaves": 3599034})):
            for ranks, threads in ((1, 4), (2, 1), (3, 2), (4, 1), (7, 1)):
                counts, result = self.counts("--tree", tree, "--threads", threads, launcher=[MPIEXEC, "-n", ranks])
                self.assertEqual(counts, expected)
                self.assertEqual((result["ranks"], result["threads"]), (ranks, threads))

    def test_policies_change_nothing(self):
        for policy in ("block", "round-robin", "random", "weighted", "repartition", "stealing"):
            counts, result = self.counts("--tree", "T2", "--schedule", policy, "--metrics", launcher=[MPIEXEC, "-n", 3])
            self.assertEqual(counts, {"nodes": 4117769, "depth": 81, "leaves": 2342762})
            self.assertEqual(result["schedule"], policy)
            steals = [rank["steals_tried"] for rank in result["metrics"]["ranks"]]
            self.assertEqual(sum(steals) > 0, policy == "stealing")
            self.assertEqual(sum(rank["tasks"] for rank in result["metrics"]["ranks"]), counts["nodes"])

    def test_all_ranks_refuse_in_one_line(self):
        self.refused(USAGE, "--tree", "T9", words=["T9"], launcher=[MPIEXEC, "-n", 3])
        self.refused(NO_INPUT, "--tree", "T1", "--result", self.scratch / "none" / "r.json", words=["none"],
                     launcher=[MPIEXEC, "-n", 3])

    def test_help_and_version(self):
        self.check_help_and_version("--tree", "T3XXL", "-t, --type", "-q, --probability", "--result")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
