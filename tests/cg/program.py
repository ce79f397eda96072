"""cairn-cg from outside: the same bits on any ranks and threads and through crashes, solutions as numpy finds them, exit
codes.

usage: program.py MPIEXEC CAIRN_CG CAIRN
"""

import gzip
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import unittest

import h5py
import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import (children, committed_epochs, finish, newest_step, remove_segments, run,  # noqa: E402
                       scratch_directory, segments, start, wait_until)

MPIEXEC, CG, CAIRN = sys.argv[1:4]
RANKS = (1, 2, 3, 4, 7)


def cg(ranks, *options, **environment):
    launcher = [MPIEXEC, "-n", ranks] if ranks > 1 else []
    return run([*launcher, CG, *options], OMP_WAIT_POLICY="passive", **environment)


def rough_matrix(n, seed):
    """{(row, column): value}, the lower triangle; far couplings of many magnitudes, a dominant diagonal."""
    chooser = random.Random(seed)
    entries, sums = {}, [0.0] * n
    for row in range(n):
        for column in (chooser.randrange(n) for _ in range(4)):
            place = max(row, column), min(row, column)
            if row != column and place not in entries:
                entries[place] = (chooser.random() - 0.5) * 2.0 ** -chooser.randrange(12)
                sums[row] += abs(entries[place])
                sums[column] += abs(entries[place])
    entries.update({(row, row): 1.02 * sums[row] + 0.001 for row in range(n)})
    return entries


def matrix_file(n, entries, symmetry="symmetric"):
    lines = [f"{row + 1} {column + 1} {value!r}\n" for (row, column), value in entries.items()]
    return f"%%MatrixMarket matrix coordinate real {symmetry}\n{n} {n} {len(lines)}\n" + "".join(lines)


def read_array(path):
    """A Matrix Market array as numpy reads numbers, without our reader."""
    header, sizes, *values = pathlib.Path(path).read_text().splitlines()
    assert header == "%%MatrixMarket matrix array real general", header
    assert sizes == f"{len(values)} 1", sizes
    return numpy.array([float(value) for value in values])


def read_dense(path):
    """A Matrix Market matrix as a dense array, without our reader."""
    raw = pathlib.Path(path).read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    header, *lines = [line for line in text.splitlines() if line.strip() and not line.startswith("% ")]
    n = int(lines[0].split()[0])
    dense = numpy.zeros((n, n))
    for line in lines[1:]:
        row, column, value = line.split()
        dense[int(row) - 1, int(column) - 1] += float(value)
        if header.endswith("symmetric") and row != column:
            dense[int(column) - 1, int(row) - 1] += float(value)
    return dense


class Case(unittest.TestCase):
    def setUp(self):
        scratch = scratch_directory()
        self.scratch = scratch.__enter__()
        self.addCleanup(scratch.__exit__, None, None, None)
        self.result_file = self.scratch / "result.json"

    def write(self, name, text):
        packed = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
        (self.scratch / name).write_bytes(packed)
        return self.scratch / name

    def result(self):
        return json.loads(self.result_file.read_text())

    def finished(self, ranks, *options, code=0, **environment):
        self.result_file.unlink(missing_ok=True)
        ended = cg(ranks, *options, "--result", self.result_file, **environment)
        self.assertEqual(ended.code, code, ended)
        return self.result(), ended


def bits(result):
    return {key: result[key] for key in ("digest", "iterations", "residual", "converged", "rows", "nonzeros")}


class Bits(Case):
    N = 500

    def setUp(self):
        super().setUp()
        self.matrix = self.write("rough.mtx", matrix_file(self.N, rough_matrix(self.N, 1)))
        self.options = ("--matrix", self.matrix, "--tolerance", 1e-12)

    def test_they_are_the_same_for_any_ranks_and_threads(self):
        expected, _ = self.finished(1, *self.options, "--threads", 1)
        self.assertGreater(expected["iterations"], 20)
        self.assertTrue(expected["converged"])
        for ranks in RANKS:
            for threads in (1, 2):
                result, _ = self.finished(ranks, *self.options, "--threads", threads)
                self.assertEqual((result["ranks"], result["threads"]), (ranks, threads))
                self.assertEqual(bits(result), bits(expected))
                self.assertEqual(result["error_max"], expected["error_max"])

    def test_they_are_the_same_where_threads_share_the_terms_of_a_dot_product(self):
        # exact_dot takes a second thread from 2 * 2^15 terms a rank on: here on one rank, and on two.
        options = ("--poisson", 363, "--max-iterations", 5)
        self.assertGreaterEqual(363 ** 2 // 2, 2 ** 16)
        expected, _ = self.finished(1, *options, "--threads", 1, code=1)
        self.assertEqual(expected["rows"], 363 ** 2)
        for ranks, threads in ((1, 2), (2, 2), (1, 3), (3, 1), (7, 2)):
            result, _ = self.finished(ranks, *options, "--threads", threads, code=1)
            self.assertEqual((result["ranks"], result["threads"]), (ranks, threads))
            self.assertEqual(bits(result), bits(expected))

    def test_they_are_the_same_for_the_general_file_in_any_order(self):
        expected, _ = self.finished(3, *self.options)
        lower = rough_matrix(self.N, 1)
        both = [*lower.items(), *(((j, i), value) for (i, j), value in lower.items() if i != j)]
        random.Random(2).shuffle(both)
        general = self.write("general.mtx.gz", matrix_file(self.N, dict(both), "general"))
        result, _ = self.finished(2, "--matrix", general, "--tolerance", 1e-12)
        self.assertEqual(bits(result), bits(expected))

    def test_they_are_the_same_after_crashes_and_restarts_on_more_and_fewer_ranks(self):
        expected, _ = self.finished(1, *self.options)
        before = segments()
        for first, second in ((4, 3), (2, 7), (3, 1)):
            ended = run([CAIRN, "run", "-n", first, "--restart-ranks", second, "--", CG, *self.options, "--threads", 1,
                         "--ckpt-dir", self.scratch / f"ckpt-{first}", "--ckpt-every", 5, "--result", self.result_file],
                        CAIRN_FAILPOINTS=f"cg.iteration=kill,rank={first - 1},hit=18,launch=0")
            self.assertEqual(ended.code, 0, ended)
            result = self.result()
            self.assertEqual((result["restarts"], result["restored_from"], result["ranks"]), (1, 15, second))
            self.assertEqual(bits(result), bits(expected))
        remove_segments(segments() - before)


class Solution(Case):
    def check_against_numpy(self, result, matrix, b, x):
        residual = numpy.linalg.norm(b - matrix @ x) / numpy.linalg.norm(b)
        self.assertLessEqual(residual, 1.01e-12)
        self.assertAlmostEqual(result["residual_decimal"] / 1e-12, residual / 1e-12, delta=0.05)
        self.assertEqual(float.fromhex(result["residual"]), result["residual_decimal"])
        direct = numpy.linalg.solve(matrix, b)
        self.assertLessEqual(numpy.abs(x - direct).max(), 1e-8 * numpy.abs(direct).max())

    def test_of_a_packed_file_with_a_right_hand_side_in_both_formats(self):
        path = self.write("rough.mtx.gz", matrix_file(300, rough_matrix(300, 3)))
        chooser = random.Random(4)
        b = numpy.array([chooser.uniform(-1, 1) for _ in range(300)])
        rhs = self.write("b.mtx", "%%MatrixMarket matrix array real general\n% b\n300 1\n"
                         + "".join(f"{value!r}\n" for value in b.tolist()))
        for precondition in ("jacobi", "none"):
            solutions = []
            for ranks, output in ((1, "x.mtx"), (3, "x.h5")):
                result, _ = self.finished(ranks, "--matrix", path, "--rhs", rhs, "--precondition", precondition,
                                          "--tolerance", 1e-12, "--output", self.scratch / output)
                self.assertIsNone(result["error_max"])
                self.assertEqual(result["nonzeros"], numpy.count_nonzero(read_dense(path)))
            solutions.append(read_array(self.scratch / "x.mtx"))
            with h5py.File(self.scratch / "x.h5") as file:
                solutions.append(file["x"][()])
            self.assertEqual(solutions[0].tobytes(), solutions[1].tobytes())
            self.check_against_numpy(result, read_dense(path), b, solutions[0])
            self.check_digest(result["digest"], solutions[0])

    def check_digest(self, digest, x):
        xxhsum = shutil.which("xxhsum")
        if xxhsum is None:
            self.skipTest("no xxhsum here (package xxhash): the digest is not compared with it")
        raw = self.scratch / "x.raw"
        raw.write_bytes(x.tobytes())
        told = subprocess.run([xxhsum, "-H2", raw], capture_output=True, text=True, check=True, timeout=20).stdout
        self.assertEqual(told.split()[0], digest)

    def test_without_a_right_hand_side_it_is_ones(self):
        path = self.write("rough.mtx", matrix_file(100, rough_matrix(100, 5)))
        result, _ = self.finished(2, "--matrix", path, "--tolerance", 1e-13, "--output", self.scratch / "x.mtx")
        x = read_array(self.scratch / "x.mtx")
        self.assertEqual(result["error_max"], numpy.abs(x - 1).max())
        self.assertLess(result["error_max"], 1e-10)

    def test_of_the_model_problem_it_is_the_closed_form(self):
        result, _ = self.finished(3, "--poisson", 30, "--tolerance", 1e-13, "--output", self.scratch / "x.h5")
        t = numpy.arange(1, 31) / 31
        with h5py.File(self.scratch / "x.h5") as file:
            self.assertLess(numpy.abs(file["x"][()] - numpy.outer(t * (1 - t), t * (1 - t)).ravel()).max(), 1e-13)
        self.assertLess(result["error_max"], 1e-13)
        self.assertEqual((result["rows"], result["nonzeros"]), (900, 5 * 900 - 4 * 30))


class LocalEpochs(Case):
    def test_they_are_made_however_quick_the_iterations_are(self):
        ended = cg(1, "--poisson", 60, "--ckpt-dir", self.scratch / "shared", "--ckpt-local", self.scratch / "local",
                   "--ckpt-local-every", 20, "--ckpt-redundancy", "none", "--log-level", "debug")
        self.assertEqual(ended.code, 0, ended)
        self.assertGreater(ended.err.count("saved"), 3, ended)


class Result(Case):
    def test_it_says_how_the_run_was(self):
        result, ended = self.finished(3, "--poisson", 20, "--threads", 2, "--residual-every", 10, "--precondition",
                                      "none", CAIRN_LAUNCH=4)
        self.assertEqual((result["program"], result["system"], result["precondition"]), ("cairn-cg", "poisson 20", "none"))
        self.assertEqual((result["ranks"], result["threads"], result["restarts"]), (3, 2, 4))
        self.assertEqual((result["restored_from"], result["converged"], result["tolerance"]), (None, True, 1e-8))
        self.assertLessEqual(result["residual_decimal"], 1e-8)
        self.assertAlmostEqual(result["iterations_per_second"] * result["seconds"], result["iterations"], delta=0.01)
        lines = [line.split() for line in ended.out.splitlines()]
        progress = [line for line in lines if line[0] == "iteration"]
        self.assertEqual([int(line[1]) for line in progress], list(range(10, result["iterations"] + 1, 10)))
        for line in progress:
            self.assertEqual((line[2], float.fromhex(line[3])), ("residual", float(line[4])))
        self.assertIn(["digest", result["digest"]], lines)
        self.assertIn(["iterations", str(result["iterations"])], lines)
        self.assertIn(["residual", result["residual"], str(result["residual_decimal"])], lines)
        self.assertTrue(all(line.startswith("cairn-cg: ") for line in ended.err.splitlines()), ended)

    def test_the_trace_has_iterations_and_residuals(self):
        self.finished(2, "--poisson", 20, CAIRN_TRACE=self.scratch / "trace")
        events = "".join(path.read_text() for path in (self.scratch / "trace").iterdir())
        self.assertIn("cg.iterations", events)
        self.assertIn("cg.residual", events)


class NoConvergence(Case):
    def test_it_has_a_code_a_warning_and_a_result_and_goes_on_from_there_on_other_ranks(self):
        options = ("--poisson", 30, "--ckpt-dir", self.scratch / "ckpt")
        whole, _ = self.finished(1, "--poisson", 30)
        for ranks in (2, 3):  # the second time there is nothing left to do
            result, ended = self.finished(ranks, *options, "--max-iterations", 12, code=1)
            self.assertEqual((result["converged"], result["iterations"]), (False, 12))
            self.assertGreater(result["residual_decimal"], 1e-8)
            self.assertIn("no convergence within --max-iterations 12", ended.err)
            self.assertEqual(committed_epochs(self.scratch / "ckpt"), {1: 12})
        result, _ = self.finished(4, *options)
        self.assertEqual(result["restored_from"], 12)
        self.assertEqual(bits(result), bits(whole))

    def test_a_tolerance_below_rounding(self):
        result, ended = self.finished(2, "--poisson", 30, "--tolerance", 1e-20, code=1)
        self.assertFalse(result["converged"])
        self.assertLess(result["residual_decimal"], 1e-13)
        self.assertIn("rounding keeps the residual above", ended.err)

    def test_fewer_iterations_than_the_checkpoint_has_are_refused(self):
        options = ("--poisson", 30, "--ckpt-dir", self.scratch / "ckpt", "--max-iterations")
        self.finished(2, *options, 12, code=1)
        ended = cg(2, *options, 11)
        self.assertEqual(ended.code, 64, ended)
        self.assertIn("is of iteration 12, behind --max-iterations 11", ended.err)

    def test_the_checkpoint_of_another_system_is_refused(self):
        entries = rough_matrix(50, 6)
        matrix = self.write("a.mtx", matrix_file(50, entries))
        options = ("--matrix", matrix, "--ckpt-dir", self.scratch / "ckpt", "--max-iterations")
        self.finished(2, *options, 5, code=1)
        entries[(7, 7)] *= 1.5
        self.write("a.mtx", matrix_file(50, entries))
        ended = cg(2, *options, 50)
        self.assertEqual(ended.code, 65, ended)
        self.assertIn("belongs to another run", ended.err)


class Stop(Case):
    def test_it_saves_a_last_epoch_and_goes_on_on_other_ranks(self):
        options = ("--poisson", 60, "--tolerance", 1e-12)
        whole, _ = self.finished(1, *options)
        saved = (*options, "--ckpt-dir", self.scratch / "ckpt", "--residual-every", 1)
        job = start([MPIEXEC, "-n", 3, CG, *saved], CAIRN_FAILPOINTS="cg.iteration=stall:0.05,rank=0",
                    OMP_WAIT_POLICY="passive")
        job.stdout.readline()  # the first iteration is done
        os.kill(children(job.pid)[1], signal.SIGTERM)
        ended = finish(job, timeout=30)
        self.assertEqual(ended.code, 75, ended)
        step = newest_step(self.scratch / "ckpt")
        self.assertIn(f"stopped on request (SIGTERM) at iteration {step}, which is saved", ended.err)
        result, _ = self.finished(2, *saved)
        self.assertEqual(result["restored_from"], step)
        self.assertEqual(bits(result), bits(whole))


class Refusals(Case):
    def refused(self, code, words, *options, ranks=(1,)):
        for count in ranks:
            with self.subTest(ranks=count, options=options):
                ended = cg(count, *options)
                self.assertEqual(ended.code, code, ended)
                errors = ended.lines_of("cairn-cg")
                self.assertEqual(len([line for line in errors if "error" in line]), 1, ended)
                self.assertIn(words, errors[-1])
                self.assertEqual(ended.out, "", ended)

    def test_options(self):
        matrix = self.write("a.mtx", matrix_file(5, rough_matrix(5, 1)))
        self.refused(64, "no system to solve", ranks=(1, 3))
        self.refused(64, "choose one", "--matrix", matrix, "--poisson", 4)
        self.refused(64, "makes no sense", "--poisson", 0)
        self.refused(64, "--poisson 1073741824 needs 171798691712 GiB on each rank", "--poisson", 2**30)
        self.refused(64, "use a smaller size, or more ranks", "--poisson", 2**30, ranks=(3,))
        self.refused(64, "--tolerance 0 is not between", "--poisson", 4, "--tolerance", 0)
        self.refused(64, "jacobi or none, not 'ilu'", "--poisson", 4, "--precondition", "ilu")
        self.refused(64, "neither an HDF5 file", "--poisson", 4, "--output", self.scratch / "x.txt")
        self.refused(66, "No such file", "--poisson", 4, "--output", self.scratch / "none" / "x.h5")
        self.refused(64, "is a folder", "--poisson", 4, "--result", self.scratch)
        os.mkfifo(self.scratch / "pipe.h5")
        self.refused(64, "cannot be replaced by one", "--poisson", 4, "--output", self.scratch / "pipe.h5", ranks=(1, 2))

    def test_outputs_over_other_files(self):
        text = matrix_file(5, rough_matrix(5, 1))
        matrix = self.write("a.mtx", text)
        vector = "%%MatrixMarket matrix array real general\n5 1\n" + "1\n" * 5
        rhs = self.write("b.mtx", vector)
        link = self.scratch / "link.mtx"
        link.symlink_to("x.mtx")
        x = self.scratch / "x.mtx"
        above = self.scratch / ".." / self.scratch.name / "a.mtx"
        for output, other, options in (
                (x, x, ("--output", x, "--result", x)),
                (x, link, ("--output", x, "--result", link)),
                (os.path.relpath(x), x, ("--output", os.path.relpath(x), "--result", x)),
                (above, matrix, ("--output", above)),
                (os.path.relpath(rhs), rhs, ("--output", os.path.relpath(rhs))),
                (matrix, matrix, ("--result", matrix)),
                (rhs, rhs, ("--result", rhs))):
            self.refused(64, f"{output} and {other} are the same file", "--matrix", matrix, "--rhs", rhs, *options, ranks=(1, 2))
        self.assertEqual((matrix.read_text(), rhs.read_text(), x.exists()), (text, vector, False))

    def test_files(self):
        header = "%%MatrixMarket matrix coordinate real general\n"
        for name, text, words in (
                ("kind", "%%MatrixMarket matrix coordinate complex general\n1 1 1\n1 1 1 0\n", "kind.mtx, line 1: 'complex'"),
                ("shape", header + "% a\n2 3 3\n", "shape.mtx, line 3: a matrix of 2 x 3 is not square"),
                ("few", header + "2 2 3\n1 1 1\n2 2 1\n", "few.mtx, line 4: the file ends after 2 entries of 3"),
                ("many", header + "1 1 1\n1 1 1\n1 1 1\n", "many.mtx, line 4: more entries"),
                ("lie", header + f"{9 * 10 ** 18} {9 * 10 ** 18} {9 * 10 ** 18}\n{9 * 10 ** 18} 1 1\n",
                 "lie.mtx, line 2: the file is too short for"),
                ("index", header + "2 2 2\r\n1 1 1\r\n2 3 1\r\n", "index.mtx, line 4: '3' is no column"),
                ("skew", header + "2 2 4\n1 1 2\n2 2 2\n1 2 1\n2 1 -1\n", "not symmetric: entry (1, 2) is 1 and entry (2, 1) is -1"),
                ("minus", header + "2 2 2\n1 1 2\n2 2 -2\n", "entry (2, 2) of the matrix is -2"),
                ("saddle", header + "2 2 4\n1 1 1\n2 2 1\n1 2 3\n2 1 3\n", "entry")):
            path = self.write(f"{name}.mtx", text)
            if name == "saddle":  # found out by the iteration alone
                rhs = self.write("b.mtx", "%%MatrixMarket matrix array real general\n2 1\n1\n-1\n")
                self.refused(65, "not positive definite", "--matrix", path, "--rhs", rhs, ranks=(1, 2))
            else:
                self.refused(65, words, "--matrix", path, ranks=(2,) if name in ("index", "skew") else (1,))
        self.refused(66, "No such file", "--matrix", self.scratch / "none.mtx", ranks=(1, 3))
        self.refused(64, "is no regular file", "--matrix", self.scratch)
        whole = gzip.compress((header + "1 1 1\n1 1 1\n").encode())
        (self.scratch / "cut.mtx.gz").write_bytes(whole[:-3])
        self.refused(65, "is a damaged gzip file: it ends too early", "--matrix", self.scratch / "cut.mtx.gz")
        short = self.write("short.mtx", "%%MatrixMarket matrix array real general\n3 1\n1\n2\n3\n")
        self.refused(65, "short.mtx, line 2: an array of 3 x 1 where a vector of 16 x 1", "--poisson", 4, "--rhs", short,
                     ranks=(2,))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
