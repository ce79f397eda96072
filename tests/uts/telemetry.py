"""What cairn-uts tells about its own run: --metrics, the trace, the progress line, and the answer to SIGUSR2.

usage: telemetry.py MPIEXEC CAIRN_UTS
"""

import json
import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import children, finish, run, start, wait_until  # noqa: E402
from program_case import ProgramCase  # noqa: E402

MPIEXEC, UTS = sys.argv[1:3]
PARTS = ("work_seconds", "poll_seconds", "search_seconds", "idle_seconds")


def signals(pid, *fields):
    """The signals in these masks of a process."""
    masks = 0
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        masks |= int(value, 16) if name in fields else 0
    return {number for number in range(1, 65) if masks >> (number - 1) & 1}


class Case(ProgramCase):
    program = UTS

    def measured(self, ranks, threads, *options):
        return self.ended("--tree", "T1", "--threads", threads, *options, launcher=[MPIEXEC, "-n", ranks])

    def check_metrics(self, result, ranks, threads):
        metrics = result["metrics"]
        self.assertEqual(len(metrics["ranks"]), ranks)
        useful = busiest = longest = 0
        for rank in metrics["ranks"]:
            for part in (*PARTS, "helpers_work_seconds"):
                self.assertGreaterEqual(rank[part], 0)
            self.assertAlmostEqual(sum(rank[part] for part in PARTS), rank["seconds"], places=6)
            self.assertLessEqual(rank["seconds"], result["seconds"])
            self.assertEqual(rank["threads"], threads)
            self.assertEqual(sum(rank["steal_latency"]["bins_below_us_2_to_the"]), rank["steals_tried"])
            useful += rank["work_seconds"] + rank["helpers_work_seconds"]
            busiest = max(busiest, rank["busiest_thread_seconds"])
            longest = max(longest, rank["seconds"])
        mean = useful / (ranks * threads)
        self.assertAlmostEqual(metrics["load_balance"], mean / busiest, places=6)
        self.assertAlmostEqual(metrics["communication_efficiency"], busiest / longest, places=6)
        self.assertAlmostEqual(metrics["parallel_efficiency"], mean / longest, places=6)
        self.assertEqual(sum(rank["tasks"] for rank in metrics["ranks"]), 4130071)
        self.assertEqual(sum(rank["task_messages_got"] for rank in metrics["ranks"]),
                         sum(rank["task_messages_given"] for rank in metrics["ranks"]))

    def test_metrics_stand_in_the_result_and_on_stderr(self):
        for ranks, threads in ((1, 1), (3, 2)):
            done, result = self.measured(ranks, threads, "--metrics")
            self.check_metrics(result, ranks, threads)
            text = "\n".join(done.lines_of("cairn-uts"))
            self.assertIn("parallel efficiency", text)
            self.assertEqual(len(done.out.splitlines()), 4, done)

    def test_metrics_are_of_all_parts_of_a_run_that_is_cut(self):
        _, result = self.measured(2, 1, "--metrics", "--cut-every", 1000000, "--ckpt-dir", self.scratch / "ckpt")
        self.check_metrics(result, 2, 1)

    def test_without_the_option_there_are_none(self):
        done, result = self.measured(2, 1)
        self.assertIsNone(result["metrics"])
        self.assertNotIn("efficiency", done.err)

    def test_the_trace_has_each_rank(self):
        trace = self.scratch / "trace"
        done = run([MPIEXEC, "-n", 3, UTS, "--tree", "T1", "--threads", 1], CAIRN_TRACE=trace)
        self.assertEqual(done.code, 0, done)
        for rank in range(3):
            lines = (trace / f"launch-0.rank-{rank}.events").read_text().splitlines()
            events = [json.loads(line.rstrip(",")) for line in lines]
            spans = sorted((e["ts"], e["dur"]) for e in events if e["ph"] == "X" and e["name"].startswith("pool."))
            self.assertTrue(spans)
            for (begin, length), (after, _) in zip(spans, spans[1:]):
                self.assertLessEqual(begin + length, after + 1)  # µs
            busy = [e["args"]["value"] for e in events if e["name"] == "pool.busy"]
            self.assertGreater(len(busy), 1)
            self.assertTrue(all(0 <= share <= 1 for share in busy))
            self.assertTrue(any(e["name"] == "pool.steals_per_second" for e in events))

    def test_while_it_runs_it_shows_progress_and_answers_a_signal(self):
        job = start([MPIEXEC, "-n", 2, UTS, "--tree", "T3XXL", "--threads", 1], CAIRN_TERMINAL=1, TERM="dumb")

        def ranks():
            found = [pid for pid in children(job.pid)
                     if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == os.path.basename(UTS)]
            return [pid for pid in found if signal.SIGUSR2 in signals(pid, "SigBlk")]

        wait_until(lambda: len(ranks()) == 2, "two ranks that hold SIGUSR2 back")
        pids = ranks()
        for pid in pids:
            os.kill(pid, signal.SIGUSR2)
        wait_until(lambda: not any(signal.SIGUSR2 in signals(pid, "ShdPnd", "SigPnd") for pid in pids),
                   "a look for SIGUSR2")
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        done = finish(job)
        for rank in range(2):
            said = [line for line in done.err.splitlines() if f"SIGUSR2, rank {rank}: after " in line]
            self.assertEqual(len(said), 1, done)
            for words in ("tasks done", "at hand", "sent ", "received ", "sends under way"):
                self.assertIn(words, said[0])
        self.assertIn("nodes of rank 0", done.err)
        self.assertIn("if they do as rank 0 does", done.err)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
