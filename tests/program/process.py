"""What run(), Log and Progress do, seen from outside: process.py PROBE"""

import os
import pty
import re
import subprocess
import sys
import time
import unittest

PROBE = sys.argv.pop(1)
# As users have it: what a rank says after MPI_Finalize, while others have left already, comes out.
os.environ.pop("OMPI_MCA_odls_base_sigkill_timeout", None)


def launch(ranks, *arguments, **environment):
    command = ["mpirun", "-n", str(ranks), PROBE, *arguments] if ranks else [PROBE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, env={**os.environ, **environment})


def own_lines(result):
    """The lines on stderr that come from the program, not from mpirun."""
    return [line for line in result.stderr.splitlines() if line.startswith("program-probe:")]


class Answers(unittest.TestCase):
    def test_help_and_version_come_once_and_from_any_number_of_ranks(self):
        for ranks in (0, 1, 3):
            with self.subTest(ranks=ranks):
                result = launch(ranks, "--help")
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual(result.stdout.count("Usage: program-probe [OPTION…] WORD…"), 1)
                self.assertIn("Example\n  program-probe --size 5 word", result.stdout)
                result = launch(ranks, "--version")
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertRegex(result.stdout, r"\Aprogram-probe \(Cairn\) \d+\.\d+\.\d+\n\Z")

    def test_failpoints_are_listed(self):
        self.assertEqual(launch(2, "--list-failpoints").stdout, "probe.step\n")


class Values(unittest.TestCase):
    def test_values_reach_every_rank(self):
        result = launch(3, "--size", "5", "a b", "", "c")
        self.assertRegex(result.stdout, r"\Aranks 3 sum 15 threads \d+ omp \d+ words a b\|\|c\n\Z")
        self.assertEqual(launch(3, CAIRN_SIZE="4").stdout.split()[:4], ["ranks", "3", "sum", "12"])

    def test_without_mpirun_a_program_is_one_rank(self):
        self.assertEqual(launch(0).stdout.split()[:4], ["ranks", "1", "sum", "7"])

    def test_threads(self):
        cores = len(os.sched_getaffinity(0))
        clean = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        for ranks in (1, 2, 3):
            result = subprocess.run(["mpirun", "-n", str(ranks), PROBE], env=clean, text=True, timeout=40,
                                    capture_output=True)
            share = max(1, cores // ranks)
            self.assertIn(f"threads {share} omp {share} ", result.stdout)
        self.assertIn("threads 5 omp 5 ", launch(2, OMP_NUM_THREADS="5").stdout)
        self.assertIn("threads 3 omp 3 ", launch(2, "--threads", "3", OMP_NUM_THREADS="5").stdout)
        self.assertIn("threads 4 omp 4 ", launch(2, CAIRN_THREADS="4").stdout)

    def test_every_rank_prints_before_mpirun_ends_the_job_for_an_exit_code(self):
        result = launch(3, "--mode", "code", "--size", "75")
        self.assertEqual(result.returncode, 75)
        self.assertEqual(sorted(result.stdout.splitlines()), ["rank 0", "rank 1", "rank 2"])


class Errors(unittest.TestCase):
    def check(self, ranks, arguments, code, line, **environment):
        with self.subTest(ranks=ranks, arguments=arguments):
            result = launch(ranks, *arguments, **environment)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertEqual(own_lines(result), [line])

    def test_usage_is_told_once(self):
        for ranks in (0, 1, 3):
            self.check(ranks, ["--siez", "5"], 64, "program-probe: error: unknown option '--siez'; did you mean "
                       "'--size'? (program-probe --help lists all)")
            self.check(ranks, ["--size", "x"], 64, "program-probe: error: --size: 'x' is not an integer between "
                       "-2147483648 and 2147483647")
            self.check(ranks, ["--log-level", "loud"], 64, "program-probe: error: --log-level: 'loud' is not "
                       "trace, debug, info, warning or error")
            self.check(ranks, ["--progress-every", "-1"], 64, "program-probe: error: --progress-every: '-1' is not 0 or more")
            self.check(ranks, ["--config", "/nonexistent"], 66,
                       "program-probe: error: --config: open /nonexistent: No such file or directory")

    def test_an_agreed_error_is_one_line_from_rank_0(self):
        self.check(1, ["--mode", "agreed"], 65, "program-probe: error: input is damaged")
        self.check(3, ["--mode", "agreed"], 65, "program-probe: error: rank 2: input is damaged")

    def test_a_lone_error_ends_the_job(self):
        for mode, code, text in (("lone", 74, "disk is gone"), ("foreign", 70, "surprise"),
                                 ("memory", 69, "out of memory")):
            self.check(0, ["--mode", mode], code, f"program-probe: error: {text}")
            self.check(3, ["--mode", mode], code, f"program-probe: [rank 2] error: {text}")

    def test_what_a_part_of_the_ranks_agreed_on_ends_the_job(self):
        for ranks in (2, 3, 4):
            self.check(ranks, ["--mode", "part"], 65, "program-probe: [rank 1] error: a part is damaged")
        self.check(3, ["--mode", "part-caught"], 65, "program-probe: [rank 2] error: a part is damaged")

    def test_an_error_before_the_program_has_begun(self):
        self.check(3, [], 64, "program-probe: error: rank 0: CAIRN_FAILPOINTS: 'x=kill': unknown failpoint; this "
                   "program has: probe.step", CAIRN_FAILPOINTS="x=kill")


class Lines(unittest.TestCase):
    def test_lines_of_many_ranks_do_not_interleave(self):
        result = launch(4, "--mode", "log", "--size", "50")
        self.assertEqual(result.returncode, 0)
        lines = result.stderr.splitlines()
        whole = re.compile(r"program-probe: (info a{200} end|\[rank (\d)\] warning: \d+ ([a-d])\3{199} end)")
        for line in lines:
            self.assertRegex(line, whole)
        self.assertEqual(sum(" info " in line for line in lines), 50)
        for rank in range(4):
            self.assertEqual(sum(f"[rank {rank}] warning" in line for line in lines), 50)

    def test_quiet_and_levels(self):
        self.assertNotIn("info", launch(1, "--mode", "log", "--size", "1", "--quiet").stderr)
        self.assertIn("warning", launch(1, "--mode", "log", "--size", "1", "--quiet").stderr)
        self.assertNotIn("info", launch(1, "--mode", "log", "--size", "1", CAIRN_LOG_LEVEL="warning").stderr)
        self.assertRegex(launch(1, "--mode", "log", "--size", "1", "--log-level", "debug").stderr,
                         r"\A\d\d:\d\d:\d\d\.\d{3} program-probe: info")


    def test_progress_in_a_log(self):
        lines = launch(2, "--mode", "progress", "--progress-every", "0.25").stderr.splitlines()
        told = [line for line in lines if re.fullmatch(r"program-probe: probe  +\d+ %  \d+/40  [\d.]+/s(  \d+ s left)?", line)]
        self.assertGreaterEqual(len(told), 1, lines)
        for quiet in (["--progress-every", "0"], [], ["--progress-every", "0.25", "--quiet"]):
            self.assertNotIn("/40", launch(2, "--mode", "progress", *quiet).stderr)

    def test_a_rank_without_tasks_says_what_it_waits_for(self):
        lines = launch(2, "--mode", "silence", "--progress-every", "0.25").stderr.splitlines()
        told = [line for line in lines if "no task of rank 0 has ended for" in line]
        self.assertGreaterEqual(len(told), 1, lines)
        self.assertIn("10 tasks done, 0 at hand", told[0])
        self.assertIn("SIGUSR2", told[0])
        self.assertTrue(any("tasks of rank 0  15 " in line for line in lines), lines)
        self.assertNotIn("no task of rank 0", launch(2, "--mode", "silence").stderr)


class OnATerminal(unittest.TestCase):
    def stderr_of(self, *arguments, **environment):
        """What the probe writes to a terminal."""
        parent, child = pty.openpty()
        process = subprocess.Popen([PROBE, "--mode", "progress", *arguments], stdout=subprocess.DEVNULL, stderr=child,
                                   env={**os.environ, "TERM": "xterm", **environment})
        os.close(child)
        text = b""
        deadline = time.monotonic() + 30
        try:
            while time.monotonic() < deadline and (piece := os.read(parent, 4096)):
                text += piece
        except OSError:  # the terminal is closed
            pass
        os.close(parent)
        self.assertEqual(process.wait(timeout=10), 0)
        return text.decode()

    def test_progress(self):
        text = self.stderr_of()
        updates = re.findall(r"probe  \[.*?\] +\d+ %  \d+/40  [\d.]+/s", text)
        self.assertTrue(3 <= len(updates) <= 13, text)  # 0.8 s, ten a second, and one again under the log line
        self.assertIn("left", text)
        self.assertIn("\x1b[32m", text)
        self.assertRegex(text, r"\r\x1b\[Kprogram-probe: half way\r\n")
        self.assertTrue(text.endswith("\r\x1b[K"), "the line is removed")

    def test_progress_through_the_pipe_of_mpirun(self):
        for terminal, shown in (({"CAIRN_TERMINAL": "1"}, True), ({}, False)):
            text = launch(2, "--mode", "progress", TERM="xterm", **terminal).stderr
            self.assertEqual(len(re.findall(r"probe  \[.*?\] +\d+ %", text)) >= 3, shown, text)

    def test_no_colour(self):
        self.assertNotIn("\x1b[32m", self.stderr_of(NO_COLOR="1"))

    def test_quiet(self):
        self.assertEqual(self.stderr_of("--quiet"), "")


if __name__ == "__main__":
    unittest.main()
