"""cairn-queens from outside: counts on stdout and in the result file, how it is stopped, and what is refused.

usage: program.py MPIEXEC CAIRN_QUEENS
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import children, finish, start  # noqa: E402
from program_case import ProgramCase  # noqa: E402

MPIEXEC, QUEENS = sys.argv[1:3]
USAGE, NO_INPUT, RUN_AGAIN, INTERRUPTED = 64, 66, 75, 130

KNOWN = {1: (1, 2), 3: (0, 6), 8: (92, 2057), 12: (14200, 856189)}


class Case(ProgramCase):
    program = QUEENS

    def counted(self, n, *options, launcher=()):
        """The result file, which says what stands on stdout and what is known."""
        done, result = self.ended("--n", n, *options, launcher=launcher)
        out = dict(line.split() for line in done.out.splitlines())
        self.assertGreater(float(out.pop("nodes_per_second")), 0)
        self.assertEqual((int(out.pop("solutions")), int(out.pop("nodes")), out), (*KNOWN[n], {}))
        self.assertEqual((result["solutions"], result["nodes"], result["n"]), (*KNOWN[n], n))
        self.assertGreater(result["seconds"], 0)
        return result

    def test_boards_have_their_known_counts(self):
        for n in KNOWN:
            self.assertEqual(self.counted(n)["program"], "cairn-queens")
        for depth in (0, 8):
            self.assertEqual(self.counted(8, "--depth", depth)["depth"], depth)

    def test_ranks_and_threads_change_nothing(self):
        for ranks, threads in ((2, 1), (3, 2), (7, 1)):
            result = self.counted(12, "--threads", threads, launcher=[MPIEXEC, "-n", ranks])
            self.assertEqual((result["ranks"], result["threads"]), (ranks, threads))

    def test_metrics_are_of_all_ranks(self):
        done, result = self.ended("--n", 10, "--threads", 1, "--metrics", launcher=[MPIEXEC, "-n", 2])
        lines = done.lines_of("cairn-queens")
        self.assertTrue(any("parallel efficiency" in line for line in lines), done)
        self.assertTrue(any("times parked" in line for line in lines), done)
        self.assertEqual(result["solutions"], 724)

    def test_what_makes_no_sense_is_refused_in_one_line(self):
        self.refused(USAGE, words=["no board", "cairn-queens --n 12"])
        for n in (0, 25):
            self.refused(USAGE, "--n", n, words=["--n is 1 to 24", str(n)])
        self.refused(USAGE, "--n", "many", words=["many", "--n"])
        self.refused(USAGE, "--n", 8, "--depth", 9, words=["--depth is 0 to --n", "9"])
        self.refused(USAGE, "8", words=["8"])
        none = self.scratch / "none" / "r.json"
        self.refused(NO_INPUT, "--n", 8, "--result", none, words=["none"], launcher=[MPIEXEC, "-n", 3])
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_a_result_on_stdout_stands_beside_what_else_is_there(self):
        out = self.scratch / "out.txt"
        for result in ("/dev/stdout", "/dev/fd/1", out):
            with open(out, "w") as stdout:
                stdout.write("header\n")
                stdout.flush()
                subprocess.run([QUEENS, "--n", "8", "--result", result], stdout=stdout, stderr=subprocess.PIPE, check=True,
                               timeout=60)
                stdout.write("footer\n")
            words = out.read_text()
            self.assertEqual((words[:7], words[-8:]), ("header\n", "\nfooter\n"))
            self.assertEqual(words.count("solutions"), 2)  # the line and the result's
            self.assertEqual(json.loads(words[words.index("{"):words.rindex("}") + 1])["solutions"], 92)

    def test_a_signal_ends_it_at_once(self):
        for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, RUN_AGAIN)):
            job = start([QUEENS, "--n", 22, "--threads", 2])
            self.assertIn("22 queens", job.stderr.readline())  # now it takes days
            job.send_signal(number)
            done = finish(job)
            self.assertEqual((done.code, done.out), (code, ""), done)
            self.assertIn(f"stopped on request ({number.name})", done.lines_of("cairn-queens")[0])

    def test_a_signal_at_a_rank_without_tasks_ends_all_when_the_task_of_the_other_is_over(self):
        job = start([MPIEXEC, "-n", 2, QUEENS, "--n", 15, "--depth", 0, "--threads", 1])
        self.addCleanup(job.kill)
        self.assertIn("15 queens", job.stderr.readline())
        os.kill(children(job.pid)[1], signal.SIGTERM)
        done = finish(job)
        self.assertEqual((done.code, done.out), (RUN_AGAIN, ""), done)
        self.assertIn("error: rank 1: stopped on request (SIGTERM)", done.err)

    def test_help_and_version(self):
        self.check_help_and_version("--n", "--depth", "--result", "--threads")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
