"""cairn-clique from outside: sizes on stdout and in the result file, and what is refused.

usage: program.py MPIEXEC CAIRN_CLIQUE
"""

import itertools
import pathlib
import resource
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from program_case import ProgramCase  # noqa: E402

MPIEXEC, CLIQUE = sys.argv[1:3]
USAGE, BAD_DATA, NO_INPUT, INPUT_OUTPUT, RUN_AGAIN = 64, 65, 66, 74, 75


def hamming(bits, distance):
    return {(a, b) for a, b in itertools.permutations(range(2**bits), 2) if bin(a ^ b).count("1") >= distance}


class Case(ProgramCase):
    program = CLIQUE

    def found(self, *options, launcher=(), code=0):
        """What stands on stdout, which must be what stands in the result file."""
        done, result = self.ended(*options, launcher=launcher, code=code)
        out = dict(line.split(" ", 1) for line in done.out.splitlines())
        self.assertEqual(list(out), ["size", "members", "proved", "nodes", "seconds"])
        self.assertEqual([int(m) for m in out["members"].split()], result["members"])
        self.assertEqual(int(out["size"]), len(set(result["members"])))
        self.assertEqual(int(out["size"]), result["size"])
        self.assertEqual(int(out["nodes"]), result["nodes"])
        self.assertEqual(out["proved"] == "yes", result["proved"])
        return result

    def test_a_clique_of_the_published_size_on_any_ranks(self):
        edges = hamming(8, 4)
        for ranks, threads in ((1, 1), (2, 2), (3, 1)):
            result = self.found("--graph", "hamming8-4", "--threads", threads, launcher=[MPIEXEC, "-n", ranks])
            self.assertEqual((result["size"], result["proved"], result["ranks"], result["threads"]),
                             (16, True, ranks, threads))
            self.assertEqual((result["vertices"], result["edges"]), (256, 20864))
            members = [m - 1 for m in result["members"]]
            self.assertTrue(all((a, b) in edges for a, b in itertools.combinations(members, 2)))

    def test_a_file_is_the_graph_that_it_describes(self):
        edges = {(a, b) for a, b in hamming(6, 2) if a < b}
        file = self.scratch / "hamming6-2.clq"
        file.write_text("c by hand\n" + f"p edge 64 {len(edges)}\n" + "".join(f"e {a + 1} {b + 1}\n" for a, b in edges))
        result = self.found("--graph", file, launcher=[MPIEXEC, "-n", 2])
        self.assertEqual((result["size"], result["edges"]), (32, 1824))

    def test_metrics_are_of_all_ranks(self):
        done, result = self.ended("--graph", "johnson8-2-4", "--threads", 1, "--metrics", launcher=[MPIEXEC, "-n", 2])
        self.assertTrue(any("parallel efficiency" in line for line in done.lines_of("cairn-clique")), done)
        self.assertEqual(result["size"], 4)

    def test_a_thread_of_little_stack_searches_deep(self):
        # Where the stack is unlimited, a thread has 2 MiB; this whole graph is a clique.
        if resource.getrlimit(resource.RLIMIT_STACK)[1] != resource.RLIM_INFINITY:
            self.skipTest("the stack may not be unlimited here")
        self.addCleanup(resource.setrlimit, resource.RLIMIT_STACK, resource.getrlimit(resource.RLIMIT_STACK))
        resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        result = self.found("--graph", "hamming11-1", "--threads", 1, launcher=[MPIEXEC, "-n", 1])
        self.assertEqual((result["size"], result["proved"]), (2048, True))

    def test_a_target_is_enough(self):
        result = self.found("--graph", "johnson32-2-4", "--target", 16)
        self.assertEqual((result["size"], result["proved"]), (16, False))

    def test_a_search_that_is_stopped_goes_on_from_its_cut(self):
        # Nobody waits for the proof that 16 is the most.
        directory = self.scratch / "ckpt"
        options = ("--graph", "johnson32-2-4", "--ckpt-dir", directory, "--time-limit", 1)
        first = self.found(*options, launcher=[MPIEXEC, "-n", 2], code=RUN_AGAIN)
        self.assertIsNone(first["restored_from"])
        self.assertFalse(first["proved"])
        again = self.found(*options, launcher=[MPIEXEC, "-n", 3], code=RUN_AGAIN)
        self.assertIsNotNone(again["restored_from"])
        self.assertGreaterEqual(again["size"], first["size"])
        self.assertGreater(again["nodes"], first["nodes"])

    def test_what_makes_no_sense_is_refused_in_one_line(self):
        self.refused(USAGE, words=["no graph", "--graph keller4"])
        self.refused(USAGE, "--graph", "hamming13-4", words=["hamming13-4", "4096"])
        self.refused(USAGE, "--graph", "keller4", "--task-depth", 9, words=["--task-depth"])
        self.refused(USAGE, "--graph", "keller4", "--task-nodes", 0, words=["--task-nodes"])
        self.refused(USAGE, "--graph", "keller4", "--target", -1, words=["--target"])
        self.refused(USAGE, "--graph", "keller4", "keller5", words=["keller5"])
        self.refused(NO_INPUT, "--graph", "kellerei", words=["kellerei", "no such file", "hamming8-4"])
        self.refused(NO_INPUT, "--graph", "keller4", "--result", self.scratch / "none" / "r.json", words=["none"])
        bad = self.scratch / "bad.clq"
        bad.write_text("p edge 3 1\ne 1 4\n")
        self.refused(BAD_DATA, "--graph", bad, words=["bad.clq, line 2", "no vertex 4"])
        self.refused(BAD_DATA, "--graph", bad, words=["bad.clq, line 2"], launcher=[MPIEXEC, "-n", 3])
        good = self.scratch / "good.clq"
        good.write_text("p edge 3 1\ne 1 2\n")
        self.refused(USAGE, "--graph", good, "--result", good, words=["are the same file"])
        self.assertEqual(good.read_text(), "p edge 3 1\ne 1 2\n")
        loop = self.scratch / "loop"
        loop.symlink_to("loop")
        self.refused(USAGE, "--graph", self.scratch, words=["is no regular file"])
        self.refused(INPUT_OUTPUT, "--graph", loop, words=["symbolic links"])

    def test_a_task_may_be_as_long_as_it_takes(self):
        done, _ = self.ended("--graph", "johnson16-2-4", "--task-nodes", 2**64 - 1, "--threads", 1, "--metrics")
        rank, *_, tasks = done.lines_of("cairn-clique")[-1].split()[1:8]
        self.assertEqual(rank, "0", done)
        self.assertLess(int(tasks), 10**5)

    def test_help_and_version(self):
        self.check_help_and_version("--graph", "johnson16-2-4", "--target", "--result", "--ckpt-dir")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
