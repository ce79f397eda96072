"""cairn run starts a crashed job again, and nothing else."""

import os
import signal
import subprocess
import time
import unittest

from support import CAIRN, PROBE, JobTest

KILL_0 = "probe.step=kill,rank=1,hit=12,launch=0"
KILL_1 = "probe.step=kill,rank=0,hit=8,launch=1"


class Restart(JobTest):
    def test_a_killed_job_goes_on_from_its_epoch_on_other_ranks(self):
        process = self.cairn("--restart-ranks", "4,2", probe=["--every", "10"], CAIRN_FAILPOINTS=f"{KILL_0}; {KILL_1}")
        code, out, lines, others = self.end(process)
        self.assertEqual((code, out, others), (0, "done 40 ranks 2 launch 2\n", []))
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^cairn run: launch 0 on 3 ranks ended by signal 9 \(Killed\) after \d+\.\d s, "
                         r"rank 1 first; restart 1 of 3 on 4 ranks$")
        self.assertRegex(lines[1], r"^cairn run: launch 1 on 4 ranks ended by signal 9 \(Killed\) after \d+\.\d s, "
                         r"rank 0 first; restart 2 of 3 on 2 ranks$")

    def test_it_gives_up(self):
        for limit in (0, 1):
            with self.subTest(limit=limit):
                process = self.cairn("--max-restarts", str(limit), ranks=2, CAIRN_FAILPOINTS="probe.step=kill,hit=2,rank=1")
                code, out, lines, others = self.end(process)
                self.assertEqual((code, out, others), (137, "", []))
                self.assertEqual(len(lines), limit + 1)
                self.assertRegex(lines[-1], rf"^cairn run: error: gave up after {limit} restarts: launch {limit} on 2 ranks ended by "
                                 r"signal 9 \(Killed\) after \d+\.\d s, rank 1 first$")

    def test_a_lost_node_of_a_slurm_job_is_left_to_the_batch_script(self):
        for nodes, launches in (("2", 1), ("1", 2)):
            with self.subTest(nodes=nodes):
                process = self.cairn("--max-restarts", "1", ranks=1, probe=["--steps", "1", "--code", "205"],
                                     SLURM_JOB_NUM_NODES=nodes)
                code, out, lines, _ = self.end(process)
                self.assertEqual((code, out.count("done")), (205, launches))
                self.assertEqual("requeue it" in lines[0], nodes == "2")

    def test_a_code_of_another_program_is_passed_on_with_a_line(self):
        for first in (f": {self.folder}", f"{PROBE} --steps 1 --file {self.file}"):
            with self.subTest(first=first):
                code, _, lines, _ = self.end(self.start([CAIRN, "run", "-n", "2", "sh", "-c", f"{first}; exit 3"]))
                self.assertEqual((code, len(lines)), (3, 1))
        self.assertIn("ended by exit code 3", lines[0])

    def test_a_lost_service_is_worth_another_launch(self):
        process = self.cairn("--max-restarts", "1", ranks=2, probe=["--steps", "1", "--code", "69"])
        code, out, lines, _ = self.end(process)
        self.assertEqual((code, out.count("done")), (69, 2))
        self.assertIn("ended by exit code 69", lines[0])

    def test_the_verdict_of_the_program_passes_through(self):
        for verdict in (0, 1, 3, 64, 65, 66, 70, 74, 75, 77, 130):
            with self.subTest(verdict=verdict):
                process = self.cairn(ranks=2, probe=["--steps", "1", "--code", str(verdict)])
                self.assertEqual(self.end(process), (verdict, "done 1 ranks 2 launch 0\n", [], []))

    def test_mpirun_itself_is_killed(self):
        process = self.cairn(probe=["--every", "10", "--step-ms", "50"])
        os.kill(self.mpirun(), signal.SIGKILL)
        code, out, lines, others = self.end(process)
        self.assertEqual((code, out), (0, "done 40 ranks 3 launch 1\n"))
        self.assertIn("restart 1 of 3", lines[0])

    def test_the_pause_grows_but_a_restart_is_quick(self):
        began = time.monotonic()
        process = self.cairn("--max-restarts", "2", ranks=1, CAIRN_FAILPOINTS="probe.step=kill")
        self.assertEqual(self.end(process)[0], 137)
        self.assertLess(time.monotonic() - began, 20)
        self.assertGreater(time.monotonic() - began, 0.2 + 0.4)

    def test_stdin_reaches_rank_0_and_output_is_untouched(self):
        result = subprocess.run([CAIRN, "run", "-n", "2", "sh", "-c", "cat; printf 'e\\n' >&2"], input="a\nb\n",
                                capture_output=True, text=True, timeout=30)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "a\nb\n", "e\ne\n"))


if __name__ == "__main__":
    unittest.main()
