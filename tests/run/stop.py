"""A request to stop `cairn run` becomes one epoch and exit code 75 (130 after Ctrl-C), and never a restart."""

import os
import signal
import sys
import time
import unittest

from support import CAIRN, JobTest

LONG = ["--steps", "4000"]


class Stop(JobTest):
    def test_signals_to_cairn_run(self):
        for number, code in ((signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGHUP, 75), (signal.SIGINT, 130)):
            with self.subTest(signal=number):
                process = self.cairn(probe=LONG)
                self.ranks()
                began = time.monotonic()
                process.send_signal(number)
                self.assertEqual(self.end(process), (code, "", [], []))
                self.assertLess(time.monotonic() - began, 8)
                self.assertGreater(self.saved_step(), 0)
                self.expect_nothing_left()
                os.remove(self.file)
                os.remove(self.file + ".jobs")

    def test_under_nohup_a_hangup_does_not_stop(self):
        process = self.cairn(hangup=signal.SIG_IGN, probe=["--steps", "200"])
        self.ranks()
        process.send_signal(signal.SIGHUP)
        self.assertEqual(self.end(process), (0, "done 200 ranks 3 launch 0\n", [], []))

    def test_an_epoch_may_take_its_time_and_more_signals_do_not_matter(self):
        process = self.cairn(probe=[*LONG, "--save-seconds", "4"])
        self.ranks()
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGUSR1):
            process.send_signal(number)
            time.sleep(0.5)
        self.assertEqual(self.end(process)[:2], (75, ""))
        self.assertGreater(self.saved_step(), 0)

    def test_signals_to_one_rank(self):
        for number, code in ((signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)):
            with self.subTest(signal=number):
                process = self.cairn(probe=LONG)
                os.kill(self.ranks()[1], number)
                self.assertEqual(self.end(process), (code, "", [], []))
                self.expect_nothing_left()
                os.remove(self.file + ".jobs")

    def test_a_second_ctrl_c_kills_at_once(self):
        process = self.cairn(probe=[*LONG, "--save-seconds", "60"])
        self.ranks()
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        code, _, lines, _ = self.end(process)
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(code, 130)
        self.assertIn("killed before the program could save", lines[-1])

    def test_the_grace_time_ends(self):
        process = self.cairn("--grace", "1", probe=[*LONG, "--deaf"])
        self.ranks()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, _, lines, _ = self.end(process)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(code, 75)
        self.assertIn("killed before the program could save", lines[-1])

    def test_a_program_that_does_not_catch_the_signal(self):
        process = self.start([CAIRN, "run", "-n", "2", "sh", "-c", f": {self.folder}; sleep 60"])
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        code, _, lines, _ = self.end(process)
        self.assertEqual(code, 75)
        self.assertIn("instead of saving", lines[-1])

    def wait_until_it_holds_signals(self, process):
        """Returns when `cairn run` has blocked SIGTERM, which it then reads at its leisure."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with open(f"/proc/{process.pid}/status") as file:
                blocked = next(line.split()[1] for line in file if line.startswith("SigBlk:"))
            if int(blocked, 16) >> (signal.SIGTERM - 1) & 1:
                return
            time.sleep(0.005)
        self.fail("cairn run has not started")

    def test_early_signals(self):
        for delay in (0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5):
            with self.subTest(delay=delay):
                process = self.cairn(probe=LONG)
                self.wait_until_it_holds_signals(process)
                time.sleep(delay)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(self.end(process)[0], 75)
                self.expect_nothing_left()

    def test_between_two_launches(self):
        process = self.cairn("--max-restarts", "9", ranks=1, CAIRN_FAILPOINTS="probe.step=kill")
        for _ in range(4):  # the pause behind this restart takes 1.6 s
            line = process.stderr.readline()
        self.assertIn("restart 4 of 9", line)
        process.send_signal(signal.SIGTERM)
        code, _, lines, _ = self.end(process, within=5)
        self.assertEqual(code, 75)
        self.assertIn("stopped between two launches", lines[-1])

    def test_cairn_run_itself_is_killed(self):
        process = self.cairn(probe=LONG)
        self.ranks()
        process.kill()
        self.end(process)
        self.expect_nothing_left(within=10)

    def test_cairn_run_is_killed_and_mpirun_does_not_obey(self):
        script = self.stubborn("pid = os.fork()", "time.sleep(60)")
        process = self.cairn("--mpirun", f"{sys.executable} {script}")
        self.wait_for(script + ".ready")
        process.kill()
        process.communicate(timeout=15)  # until nobody holds its stdout
        self.expect_nothing_left(within=3)

    def test_an_mpirun_that_does_not_notice_the_end_of_its_ranks(self):
        script = self.stubborn("os.fork() or os._exit(0)", "time.sleep(60)")
        process = self.cairn("--max-restarts", "0", "--mpirun", f"{sys.executable} {script}")
        code, _, lines, _ = self.end(process)
        self.assertEqual(code, 137)
        self.assertIn("mpirun did not end when its ranks had, and was killed", lines[0])

    def stubborn(self, *lines):
        """A stand-in for mpirun that ignores SIGTERM."""
        script = os.path.join(self.folder, "stubborn.py")
        with open(script, "w") as file:
            file.write("import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + lines[0] +
                       f"\nopen({script!r} + '.ready', 'w')\n" + "\n".join(lines[1:]) + "\n")
        return script

    def wait_for(self, path, within=10):
        deadline = time.monotonic() + within
        while not os.path.exists(path):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
