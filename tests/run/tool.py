"""The `cairn` tool: what it answers, and what it says when it is used wrongly."""

import json
import os
import pty
import subprocess
import tempfile
import unittest

from support import CAIRN, PROBE


def cairn(*arguments, **environment):
    return subprocess.run([CAIRN, *arguments], capture_output=True, text=True, timeout=30,
                          env={**os.environ, **environment})


class Wrong(unittest.TestCase):
    def check(self, arguments, code, line, **environment):
        with self.subTest(arguments=arguments):
            result = cairn(*arguments, **environment)
            self.assertEqual((result.returncode, result.stdout), (code, ""))
            self.assertEqual(result.stderr.count("\n"), 1)
            self.assertIn(line, result.stderr)

    def test_usage(self):
        self.check([], 64, "cairn: error: which command? (cairn --help lists all)")
        self.check(["fly"], 64, "cairn: error: unknown command 'fly'")
        self.check(["run", "-n", "2"], 64, "cairn run: error: which program?")
        self.check(["run", PROBE], 64, "cairn run: error: how many ranks?")
        self.check(["run", "-n", "0", PROBE], 64, "--ranks: 0 is less than 1")
        self.check(["run", "-n", "-3", PROBE], 64, "--ranks: -3 is less than 1")
        self.check(["run", "-n", "two", PROBE], 64, "'two' is not an integer")
        self.check(["run", "-n", "1", "--max-restarts", "-1", PROBE], 64, "--max-restarts: -1 is less than 0")
        self.check(["run", "-n", "1", "--restart-ranks", "4,x", PROBE], 64, "--restart-ranks: 'x' is not a number")
        self.check(["run", "-n", "1", "--restart-ranks", "0", PROBE], 64, "--restart-ranks: '0' is not a number")
        self.check(["run", "-n", "1", "--max-restart", "3", PROBE], 64, "did you mean '--max-restarts'?")
        self.check(["info", "--colour"], 64, "unknown option '--colour'")

    def test_what_does_not_exist(self):
        self.check(["run", "-n", "1", "no-such-program"], 66,
                   "cairn run: error: the program 'no-such-program' was not found along PATH")
        self.check(["run", "-n", "1", "./no-such-program"], 66, "the program ./no-such-program does not exist")
        self.check(["run", "-n", "1", "--mpirun", "no-such-mpirun -q", PROBE], 66,
                   "--mpirun: the launcher 'no-such-mpirun' was not found along PATH")
        self.check(["run", "-n", "1", PROBE], 66, "'no-such-mpirun'", CAIRN_MPIRUN="no-such-mpirun")
        self.check(["run", "-n", "1", "/etc/passwd"], 77, "the program /etc/passwd may not be executed")
        self.check(["run", "-n", "1", "--report", "/dev/null/report", PROBE], 66, "make report folder")

    def test_an_mpirun_that_cannot_start_the_ranks_is_heard(self):
        result = cairn("run", "-n", "4", "--mpirun", "mpirun --host localhost:1 --map-by slot:nooversubscribe", PROBE,
                       OMPI_MCA_rmaps_base_oversubscribe="0")
        self.assertEqual(result.returncode, 69)
        self.assertIn("not enough slots", result.stderr)
        self.assertIn("cannot start 4 ranks here: what it says stands above", result.stderr)

    def test_what_another_run_has_left_is_no_verdict(self):
        with tempfile.TemporaryDirectory() as folder:
            script = 'echo 0 > "$TMPDIR/cairn-run-$$.verdict"; exec "$0" run -n 1 --mpirun "$1" true'
            launcher = os.path.join(folder, "launcher")
            with open(launcher, "w") as file:
                file.write("#!/bin/sh\nexit 1\n")
            os.chmod(launcher, 0o755)
            result = subprocess.run(["sh", "-c", script, CAIRN, launcher], capture_output=True, text=True, timeout=30,
                                    env={**os.environ, "TMPDIR": folder})
            self.assertEqual(result.returncode, 69, result.stderr)
            left = [name for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name))]
            self.assertEqual(left, [])


class Answers(unittest.TestCase):
    def test_help_and_version(self):
        for arguments in (["--help"], ["run", "--help"], ["info", "--help"]):
            result = cairn(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("Usage: cairn", result.stdout)
        self.assertRegex(cairn("--version").stdout, r"\Acairn \(Cairn\) \d+\.\d+\.\d+\n\Z")
        self.assertRegex(cairn("run", "--version").stdout, r"\Acairn run \(Cairn\) \d+\.\d+\.\d+\n\Z")

    def test_info(self):
        self.assertIn("MPI               Open MPI", cairn("info").stdout)
        self.assertIn("--list-failpoints", cairn("info", "--failpoints").stdout)
        text = cairn("info", "--settings", CAIRN_THREADS="3").stdout
        self.assertIn("now: 3", text)
        info = json.loads(cairn("info", "--json", CAIRN_TRACE="/x").stdout)
        self.assertEqual(info["cores"], len(os.sched_getaffinity(0)))
        values = {row["name"]: row["value"] for row in info["settings"]}
        self.assertEqual((values["CAIRN_TRACE"], values["CAIRN_FAILPOINTS"]), ("/x", None))

    def test_a_disk_that_is_full_is_no_success(self):
        for arguments in (["--help"], ["info"], ["info", "--json"]):
            with open("/dev/full", "w") as full:
                result = subprocess.run([CAIRN, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
            self.assertEqual(result.returncode, 74, arguments)
            self.assertIn("standard output could not be written", result.stderr)

    def test_info_hides_the_key_and_bears_any_bytes(self):
        info = json.loads(cairn("info", "--json", CAIRN_CKPT_KEY="1f" * 32, CAIRN_REPORT="\udcff").stdout)
        values = {row["name"]: row["value"] for row in info["settings"]}
        self.assertEqual((values["CAIRN_CKPT_KEY"], values["CAIRN_REPORT"]), ("a secret", "\ufffd"))
        self.assertEqual(list(values), sorted(values))

    def test_info_measures_the_node_engine(self):
        result = subprocess.run(["mpirun", "-n", "2", CAIRN, "info", "--node-engine"], capture_output=True, text=True,
                                timeout=60, env={**os.environ, "CAIRN_NODE_ENGINE": "on"})
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["node", "engine", "on"])
        self.assertRegex(lines[1], r"\Aranks +2 on 1 node, \d+ cores")
        rows = [line for line in lines if line.endswith(("   engine", "   MPI"))]
        self.assertGreaterEqual(len(rows), 6)
        alone = cairn("info", "--node-engine").stdout
        self.assertIn("not available: no two ranks share a node", alone)

    def test_info_knows_every_option_of_cairn_run(self):
        words = {word.strip(",") for word in cairn("run", "--help").stdout.split("Settings")[0].split() if word.startswith("--")}
        known = {row["name"] for row in json.loads(cairn("info", "--json").stdout)["settings"]}
        for option in words - {"--", "--help", "--version"}:
            self.assertIn("CAIRN_" + option[2:].upper().replace("-", "_"), known)

    def test_settings_of_the_environment(self):
        with tempfile.TemporaryDirectory() as folder:
            result = cairn("run", PROBE, "--steps", "1", CAIRN_RANKS="2", CAIRN_REPORT=folder)
            self.assertEqual((result.returncode, result.stdout), (0, "done 1 ranks 2 launch 0\n"))
            self.assertTrue(os.path.exists(os.path.join(folder, "report.html")))
        self.assertEqual(cairn("run", PROBE, "--steps", "1", SLURM_NTASKS="2").stdout, "done 1 ranks 2 launch 0\n")


class OnATerminal(unittest.TestCase):
    def test_the_ranks_behind_mpirun_know_that_a_person_looks_on(self):
        parent, child = pty.openpty()
        process = subprocess.Popen([CAIRN, "run", "-n", "2", "sh", "-c", "echo terminal=$CAIRN_TERMINAL"], stderr=child,
                                   stdout=subprocess.PIPE, text=True)
        out, _ = process.communicate(timeout=20)
        os.close(child)
        os.close(parent)
        self.assertEqual(out, "terminal=1\n" * 2)
        self.assertEqual(cairn("run", "-n", "1", "sh", "-c", "echo terminal=$CAIRN_TERMINAL").stdout, "terminal=\n")


if __name__ == "__main__":
    unittest.main()
