"""cairn-mandelbrot from outside: one checksum for all schedules, its files, how it is stopped, and what is refused.

usage: program.py MPIEXEC CAIRN_MANDELBROT
"""

import os
import pathlib
import re
import signal
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import children, finish, run, start  # noqa: E402
from program_case import ProgramCase  # noqa: E402

MPIEXEC, MANDELBROT = sys.argv[1:3]
USAGE, NO_INPUT, RUN_AGAIN, INTERRUPTED = 64, 66, 75, 130

SCHEDULES = ("block", "round-robin", "random", "weighted", "repartition", "stealing")
SMALL = ("--view", "corner", "--iterations", 300, "--width", 61, "--height", 43)


def size_of_png(path):
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n" and header[12:16] == b"IHDR", header
    return struct.unpack(">II", header[16:24])


class Case(ProgramCase):
    program = MANDELBROT

    def drawn(self, *options, launcher=()):
        """The result file, which must say what stands on stdout."""
        done, result = self.ended(*options, launcher=launcher)
        lines = [line.split() for line in done.out.splitlines()]
        out = {words[0]: words[1] for words in lines if len(words) == 2}
        self.assertEqual(out["checksum"], result["checksum"])
        for name in ("iterations", "pixels"):
            self.assertEqual(int(out[name]), result[name])
        for name in ("seconds", "ideal_seconds", "imbalance"):
            self.assertAlmostEqual(float(out[name]) / result[name], 1, places=2)
        ranks = [words for words in lines if words[0] == "rank"]
        self.assertEqual([int(words[1]) for words in ranks], list(range(result["ranks"])))
        self.assertEqual(len(result["cpu_seconds"]), result["ranks"])
        busy, utilisation = result["busy_seconds"], result["utilisation"]
        self.assertEqual((len(busy), len(utilisation)), (result["ranks"], result["ranks"]))
        workers = result["ranks"] * result["threads"]
        self.assertAlmostEqual(result["ideal_seconds"], sum(busy) / workers)
        self.assertAlmostEqual(result["imbalance"], max(busy) / sum(busy) * len(busy))
        for busy_seconds, part in zip(busy, utilisation):
            self.assertAlmostEqual(part, busy_seconds / result["seconds"] / result["threads"])
        return result

    def test_all_schedules_have_one_checksum(self):
        expected = self.drawn(*SMALL, "--threads", 1)
        self.assertEqual((expected["pixels"], expected["schedule"]), (61 * 43, "stealing"))
        for ranks, threads, schedules in ((2, 1, SCHEDULES), (3, 2, SCHEDULES[3:]), (7, 1, SCHEDULES[4:])):
            for schedule in schedules:
                result = self.drawn(*SMALL, "--threads", threads, "--schedule", schedule, "--rows", 3, "--columns", 61,
                                    launcher=[MPIEXEC, "-n", ranks])
                self.assertEqual((result["ranks"], result["threads"], result["schedule"]), (ranks, threads, schedule))
                for name in ("checksum", "iterations", "pixels"):
                    self.assertEqual(result[name], expected[name])

    def test_metrics_are_on_stderr_under_any_schedule(self):
        for schedule in SCHEDULES:
            ended = run([MPIEXEC, "-n", 2, MANDELBROT, *SMALL, "--schedule", schedule, "--threads", 2, "--rows", 4,
                         "--frames", 2, "--metrics"])
            self.assertEqual(ended.code, 0, ended)
            lines = "\n".join(ended.lines_of("cairn-mandelbrot"))
            self.assertIn("4 threads of 2 ranks", lines)
            found = re.search(r"load balance (\S+) x communication efficiency (\S+) = parallel efficiency (\S+)", lines)
            self.assertIsNotNone(found, ended)
            balance, communication, parallel = map(float, found.groups())
            self.assertAlmostEqual(balance * communication, parallel, delta=0.002)
            self.assertTrue(0 < parallel <= 1.001, ended)

    def test_ranks_with_unlike_threads_draw_every_pixel_once(self):
        one = ["-n", 1, "-x", "OMP_NUM_THREADS=1", MANDELBROT, *SMALL, "--schedule", "weighted"]
        two = ["-n", 1, "-x", "OMP_NUM_THREADS=2", MANDELBROT, *SMALL, "--schedule", "weighted"]
        ended = run([MPIEXEC, *one, ":", *two])
        self.assertEqual(ended.code, 0, ended)
        alone = self.drawn("--schedule", "block", *SMALL)
        self.assertIn(f"checksum {alone['checksum']}\n", ended.out)

    def test_frames_are_pictures_one_after_the_other_under_any_schedule(self):
        frames = [self.drawn(*SMALL, "--center", "-0.813,0.2035", "--zoom", zoom) for zoom in (34, 34 * 1.5, 34 * 1.5 * 1.5)]
        iterations = sum(frame["iterations"] for frame in frames)
        checksum = sum(int(frame["checksum"], 16) for frame in frames) % 2**64
        for schedule in ("repartition", "weighted", "stealing"):
            result = self.drawn(*SMALL, "--center", "-0.813,0.2035", "--zoom", 34, "--frames", 3, "--zoom-step", 1.5,
                                "--schedule", schedule, launcher=[MPIEXEC, "-n", 3])
            self.assertEqual((result["iterations"], int(result["checksum"], 16)), (iterations, checksum))
            self.assertEqual((len(result["frame_seconds"]), len(result["frame_imbalance"])), (3, 3))
            self.assertAlmostEqual(sum(result["frame_seconds"]), result["seconds"])

    def test_a_view_is_its_centre_zoom_and_iterations(self):
        named = self.drawn(*SMALL)
        (x, y), zoom = named["center"], named["zoom"]
        raw = self.drawn("--center", f"{x},{y}", "--zoom", zoom, *SMALL[2:])
        self.assertEqual(raw["checksum"], named["checksum"])
        self.assertNotEqual(self.drawn("--center", f"{x},{y + 0.01}", *SMALL)["checksum"], named["checksum"])

    def test_pictures_are_png_of_the_right_size_and_the_same_for_any_ranks(self):
        pictures = set()
        for launcher in ((), (MPIEXEC, "-n", 3)):
            picture, owners = self.scratch / "set.png", self.scratch / "owners.png"
            self.drawn(*SMALL, "--picture", picture, "--owners", owners, launcher=launcher)
            self.assertEqual(size_of_png(picture), (61, 43))
            self.assertEqual(size_of_png(owners), (61, 43))
            self.assertEqual(sorted(path.name for path in self.scratch.iterdir()),
                             ["owners.png", "result.json", "set.png"])
            pictures.add(picture.read_bytes())
            owners.unlink()
        self.assertEqual(len(pictures), 1)

    def test_what_makes_no_sense_is_refused_in_one_line(self):
        self.refused(USAGE, "--schedule", "fair", words=["fair", "block, round-robin", "repartition"])
        self.refused(USAGE, "--view", "home", words=["home", "set, corner"])
        for center in ("1,2,3", "nan,0"):
            self.refused(USAGE, "--center", center, words=["--center"])
        self.refused(USAGE, "--zoom", 0, words=["--zoom"])
        self.refused(USAGE, "--frames", 0, words=["--frames"])
        self.refused(USAGE, "--zoom-step", 0, words=["--zoom-step"])
        self.refused(USAGE, "--frames", 1000, "--zoom-step", 10, words=["zoom"])
        self.refused(USAGE, "--height", 100000, words=["--height", "100000"])
        self.refused(USAGE, "--rows", 0, words=["--rows"])
        self.refused(USAGE, "--iterations", 2**40, words=["--iterations"])
        none = self.scratch / "none" / "x"
        for option in ("--picture", "--owners", "--result"):
            self.refused(NO_INPUT, option, none, words=["none"], launcher=[MPIEXEC, "-n", 2])
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_a_signal_ends_it_at_once(self):
        endless = ("--view", "corner", "--width", 8000, "--height", 8000, "--iterations", 500000, "--threads", 2)
        for schedule, number, code in (("stealing", signal.SIGINT, INTERRUPTED), ("block", signal.SIGTERM, RUN_AGAIN)):
            job = start([MANDELBROT, *endless, "--schedule", schedule])
            self.assertIn("8000 x 8000 pixels", job.stderr.readline())  # now it takes an hour
            job.send_signal(number)
            done = finish(job)
            self.assertEqual((done.code, done.out), (code, ""), done)
            self.assertIn(f"stopped on request ({number.name})", done.lines_of("cairn-mandelbrot")[0])

    def test_a_signal_at_a_rank_whose_tiles_are_done_ends_the_run(self):
        # Rank 0 has the rows that take no time.
        job = start([MPIEXEC, "-n", 2, MANDELBROT, "--view", "corner", "--schedule", "block", "--threads", 1,
                     "--iterations", 15000])
        self.addCleanup(job.kill)
        self.assertIn("pixels", job.stderr.readline())
        time.sleep(1)  # when it is slower, the signal comes in the midst of its tiles, which ends the run too
        os.kill(children(job.pid)[0], signal.SIGTERM)
        done = finish(job)
        self.assertEqual((done.code, done.out), (RUN_AGAIN, ""), done)

    def test_help_and_version(self):
        self.check_help_and_version("--schedule", "round-robin", "--view", "corner", "--owners", "--threads", "--rows")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
