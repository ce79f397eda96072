"""Every example runs, is short, and says what it should; five lines make the plain program restartable.

usage: examples.py MPIEXEC SOURCES HELLO EXACT_SUM HALO PARTICLES PLAIN_HEAT CHECKPOINTED_HEAT
"""

import difflib
import os
import pathlib
import re
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import (children, committed_epochs, finish, newest_step, remove_segments, run,  # noqa: E402
                       scratch_directory, start, wait_until)

MPIEXEC, SOURCES, HELLO, EXACT_SUM, HALO, PARTICLES, PLAIN, CHECKPOINTED = sys.argv[1:9]
RANKS = (1, 2, 3, 4, 7)


def lines_of(name):
    return (pathlib.Path(SOURCES) / name).read_text().splitlines()


def segments_of(pids):
    """Shared-memory files that these processes have mapped; what a kill leaves behind of them is ours to remove."""
    maps = "".join(pathlib.Path(f"/proc/{pid}/maps").read_text() for pid in pids)
    return set(re.findall(r"/dev/shm/(\S+)", maps))


class Numbered(unittest.TestCase):
    def output(self, ranks, program):
        ended = run([MPIEXEC, "-n", ranks, program])
        self.assertEqual((ended.code, ended.err), (0, ""), ended)
        return ended.out

    def test_they_are_short(self):
        examples = sorted(pathlib.Path(SOURCES).glob("[0-9]*.cpp"))
        self.assertGreaterEqual(len(examples), 3)
        longer = {"04_particles.cpp": 85, "05_drifting_load.cpp": 63}  # with what they tell of errors
        for example in examples:
            self.assertLess(len(lines_of(example.name)), longer.get(example.name, 60), example)

    def test_hello(self):
        for p in RANKS:
            self.assertEqual(self.output(p, HELLO), f"hello from {p} ranks: 1 + … + {p} = {p * (p + 1) // 2}\n")

    def test_exact_sums_do_not_depend_on_the_ranks(self):
        outputs = [self.output(p, EXACT_SUM).splitlines() for p in RANKS]
        self.assertEqual(len({tuple(lines[1:]) for lines in outputs}), 1)
        plain, exact = (float.fromhex(line.split()[-1]) for line in outputs[0][:2])
        self.assertAlmostEqual(plain, exact, places=6)

    def test_halo(self):
        for p in RANKS:
            self.assertRegex(self.output(p, HALO), r"\d x \d ranks, sum of averages 6478200.0, expected 6478200.0\n")

    def test_particles(self):
        with scratch_directory() as scratch:
            outputs = {self.run_particles(p, scratch / str(p)) for p in RANKS}
        self.assertEqual(len(outputs), 1)
        self.assertRegex(outputs.pop(), r"1000 particles, step 20, digest [0-9a-f]{16}\n")

    def run_particles(self, ranks, directory):
        ended = run([MPIEXEC, "-n", ranks, PARTICLES, 1000, 20, directory])
        self.assertEqual((ended.code, ended.err), (0, ""), ended)
        return ended.out


    def test_particles_tell_what_is_wrong_once(self):
        with scratch_directory() as scratch:
            self.run_particles(2, scratch / "ckpt")
            for code, words, arguments in ((64, "usage: ", ("abc", 20, scratch / "none")), (64, "usage: ", (1000, "20x", scratch / "none")),
                                           (64, "usage: ", (1000, 20)), (64, "usage: ", (-1, 20, scratch / "none")),
                                           (65, "belongs to another run", (999, 20, scratch / "ckpt"))):
                ended = run([MPIEXEC, "-n", 3, PARTICLES, *arguments])
                self.assertEqual((ended.code, ended.out, ended.err.count(words)), (code, "", 1), ended)
            self.assertFalse((scratch / "none").exists())


class FiveLines(unittest.TestCase):
    def test_at_most_five_lines_are_added_beside_those_that_tell_an_error_and_none_changed(self):
        delta = difflib.ndiff(lines_of("plain_heat.cpp"), lines_of("checkpointed_heat.cpp"))
        changes = [line for line in delta if line[0] in "+-" and "core/error.hpp" not in line]
        told = [index for index, line in enumerate(changes) if "catch (const cairn::Error&" in line]
        self.assertEqual(told, [len(changes) - 6], changes)  # the last six
        self.assertLessEqual(told[0], 5, changes)
        self.assertTrue(all(line[0] == "+" for line in changes), changes)
        self.assertTrue(60 <= len(lines_of("plain_heat.cpp")) <= 90)

    def test_a_checkpoint_of_another_program_is_told_once(self):
        with scratch_directory() as scratch:
            os.chdir(scratch)
            self.assertEqual(run([MPIEXEC, "-n", 2, PARTICLES, 100, 5, "ckpt"]).code, 0)
            ended = run([MPIEXEC, "-n", 3, CHECKPOINTED, 20, 5, "out.raw"])
            os.chdir("/")
            self.assertEqual((ended.code, ended.err.count("belongs to another run")), (65, 1), ended)
            self.assertIn("by program '04_particles' and this is a program without a name", ended.err)

    def test_killed_and_restarted_on_other_ranks_it_ends_with_the_same_bits(self):
        with scratch_directory() as scratch:
            os.chdir(scratch)
            problem = (200, 12000)
            ended = run([MPIEXEC, "-n", 3, PLAIN, *problem, "plain.raw"])
            self.assertEqual(ended.code, 0, ended)
            self.assertEqual(os.path.getsize("plain.raw"), 8 * 200 * 200)
            reached = []
            for ranks in (4, 1):
                job = start([MPIEXEC, "-n", ranks, CHECKPOINTED, *problem, "restarted.raw"])
                newest = reached[-1] if reached else 0
                wait_until(lambda: os.path.exists("ckpt") and (newest_step("ckpt") or 0) > newest, "an epoch")
                processes = children(job.pid)
                left_behind = segments_of(processes)
                os.kill(processes[-1], signal.SIGKILL)
                ended = finish(job)
                self.assertNotEqual(ended.code, 0, ended)
                self.assertFalse(os.path.exists("restarted.raw"))
                reached.append(newest_step("ckpt"))
                remove_segments(left_behind)
            self.assertLess(reached[0], reached[1])
            self.assertLess(reached[1], problem[1], "killed before the end")
            ended = run([MPIEXEC, "-n", 3, CHECKPOINTED, *problem, "restarted.raw"])
            self.assertEqual(ended.code, 0, ended)
            self.assertEqual(pathlib.Path("plain.raw").read_bytes(), pathlib.Path("restarted.raw").read_bytes())
            self.assertEqual(max(committed_epochs("ckpt").values()), problem[1])
            os.chdir("/")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[9:]])
