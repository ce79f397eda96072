"""cairn-heat from outside: its files as independent readers see them, its exit codes, its memory.

usage: program.py MPIEXEC CAIRN_HEAT
"""

import json
import math
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import unittest
import xml.etree.ElementTree as xml
from fractions import Fraction

import h5py
import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from processes import children, finish, run, scratch_directory, start  # noqa: E402

MPIEXEC, HEAT = sys.argv[1:3]


def heat(ranks, *options, **environment):
    launcher = [MPIEXEC, "-n", ranks] if ranks > 1 else []
    return run([*launcher, HEAT, *options], OMP_WAIT_POLICY="passive", **environment)


class Case(unittest.TestCase):
    def setUp(self):
        scratch = scratch_directory()
        self.scratch = scratch.__enter__()
        self.addCleanup(scratch.__exit__, None, None, None)

    def finished(self, ranks, *options, **environment):
        ended = heat(ranks, *options, "--result", self.scratch / "result.json", **environment)
        self.assertEqual(ended.code, 0, ended)
        return json.loads((self.scratch / "result.json").read_text()), ended


class Output(Case):
    def write(self, ranks, name="u.h5"):
        result, _ = self.finished(ranks, "--size", 53, "--steps", 40, "--initial", "spots", "--output",
                                  self.scratch / name, "--picture", self.scratch / "u.png")
        with h5py.File(self.scratch / name) as file:
            return result, file["u"][()], dict(file["u"].attrs)

    def test_hdf5_is_the_same_for_any_ranks_and_has_the_digest_of_the_result(self):
        fields, pictures = [], []
        for ranks in (1, 3, 4):
            result, u, attributes = self.write(ranks)
            self.assertEqual((u.shape, u.dtype), ((53, 53), numpy.dtype("<f8")))
            self.assertEqual(attributes["step"], 40)
            self.assertEqual(attributes["time"], result["time"])
            self.assertAlmostEqual(attributes["time"], 40 * 0.2 / 54**2, places=15)
            self.assertEqual(attributes["units"], b"1")
            fields.append((result["digest"], u.tobytes()))
            pictures.append((self.scratch / "u.png").read_bytes())
            self.assertEqual(sorted(p.name for p in self.scratch.iterdir()),
                             ["result.json", "u.h5", "u.png", "u.xdmf"], "and no temporary files")
        self.assertEqual(len(set(fields)), 1)
        self.assertEqual(len(set(pictures)), 1)
        self.assertEqual(struct.unpack(">II", pictures[0][16:24]), (53, 53))
        xxhsum = shutil.which("xxhsum")
        if xxhsum is None:
            self.skipTest("no xxhsum here (package xxhash): the digest is not compared with it")
        raw = self.scratch / "u.raw"
        raw.write_bytes(fields[0][1])
        told = subprocess.run([xxhsum, "-H2", raw], capture_output=True, text=True, check=True, timeout=20).stdout
        self.assertEqual(told.split()[0], fields[0][0])

    def test_a_link_is_followed_and_a_file_of_a_similar_name_stays(self):
        (self.scratch / "far").mkdir()
        (self.scratch / "u.h5").symlink_to("far/u.h5")
        similar = self.scratch / "u.h5.tmp"
        similar.write_text("of a user")
        for _ in range(2):
            self.write(2)
            self.assertTrue((self.scratch / "u.h5").is_symlink())
            self.assertEqual([path.name for path in (self.scratch / "far").iterdir()], ["u.h5"])
        self.assertEqual(similar.read_text(), "of a user")

    def test_norms_are_the_correctly_rounded_ones(self):
        result, u, _ = self.write(2)
        values = [Fraction(x) for x in u.ravel().tolist()]
        norms = {name: float.fromhex(text) for name, text in result["norms"].items()}
        self.assertEqual(norms["sum"], float(sum(values)))
        self.assertEqual(norms["l2"], (1 / 54) * math.sqrt(float(sum(x * x for x in values))))
        self.assertEqual((norms["min"], norms["max"]), (u.min(), u.max()))
        self.assertEqual(norms, result["norms_decimal"])

    def test_xdmf_is_well_formed_and_leads_to_the_dataset(self):
        self.write(2, "a & b <1>.h5")
        tree = xml.parse(self.scratch / "a & b <1>.xdmf").getroot()
        self.assertEqual((tree.tag, tree.get("Version")), ("Xdmf", "3.0"))
        grid = tree.find("Domain/Grid")
        self.assertEqual(grid.find("Topology").get("Dimensions"), "1 53 53")
        origin, spacing = (item.text.split() for item in grid.findall("Geometry/DataItem"))
        self.assertEqual([float(x) for x in origin], [0, 1 / 54, 1 / 54])
        self.assertEqual([float(x) for x in spacing], [1 / 54] * 3)
        item = grid.find("Attribute/DataItem")
        self.assertEqual(item.get("Format"), "HDF")
        name, dataset = item.text.strip().split(":")
        with h5py.File(self.scratch / name) as file:
            self.assertEqual((1, *file[dataset].shape), tuple(map(int, item.get("Dimensions").split())))
            self.assertAlmostEqual(float(grid.find("Time").get("Value")), file[dataset].attrs["time"], places=18)


class Result(Case):
    def test_it_says_how_the_run_was(self):
        result, ended = self.finished(3, "--size", 30, "--steps", 20, "--threads", 2, "--norm-every", 8,
                                      "--initial", "sine", CAIRN_LAUNCH=4)
        self.assertEqual((result["size"], result["steps"], result["ranks"], result["threads"]), (30, 20, 3, 2))
        self.assertEqual((result["restarts"], result["restored_from"]), (4, None))
        self.assertGreater(result["seconds"], 0)
        self.assertAlmostEqual(result["cells_per_second"] * result["seconds"], 20 * 900, delta=1)
        lines = [line.split() for line in ended.out.splitlines()]
        self.assertEqual([line[1] for line in lines if line[0] == "step"], ["8", "16", "20"])
        last = [line for line in lines if line[0] == "step"][-1]
        self.assertEqual((last[2], last[3]), ("l2", result["norms"]["l2"]))
        self.assertEqual(float.fromhex(last[3]), float(last[4]))
        self.assertIn(["digest", result["digest"]], lines)
        self.assertTrue(all(line.startswith("cairn-heat: ") for line in ended.err.splitlines()), ended)

    def test_what_it_prints_must_arrive(self):
        with open("/dev/full", "w") as full:
            ended = subprocess.run([HEAT, "--size", "8", "--steps", "1"], stdout=full, stderr=subprocess.PIPE, text=True,
                                   timeout=60)
        self.assertEqual(ended.returncode, 74, ended)
        self.assertIn("standard output could not be written", ended.stderr)

    def test_names_that_are_not_utf_8(self):
        name = os.fsencode(self.scratch) + b"/caf\xe9.png"
        self.assertEqual(heat(1, "--size", 8, "--steps", 1, "--picture", os.fsdecode(name)).code, 0)
        self.finished(1, "--size", 8, "--steps", 1, "--initial", os.fsdecode(name))

    def test_no_steps_leave_the_initial_field(self):
        result, _ = self.finished(2, "--size", 20, "--steps", 0)
        self.assertEqual((result["error_l2"], result["error_max"], result["steps"]), (0.0, 0.0, 0))

    def test_the_error_shrinks_with_the_square_of_the_spacing(self):
        errors = []
        for size, steps in ((31, 100), (63, 400), (127, 1600)):  # the same time
            result, _ = self.finished(2, "--size", size, "--steps", steps)
            errors.append((result["error_l2"], result["error_max"]))
        for coarse, fine in zip(errors, errors[1:]):
            for norm in (0, 1):
                self.assertAlmostEqual(coarse[norm] / fine[norm], 4.0, delta=0.1)

    def test_settings_come_from_the_environment_too(self):
        result, _ = self.finished(1, CAIRN_SIZE=12, CAIRN_STEPS=3, CAIRN_INITIAL="spots")
        self.assertEqual((result["size"], result["steps"], result["initial"]), (12, 3, "spots"))
        self.assertIsNone(result["error_l2"])

    def test_settings_come_through_a_pipe(self):
        shell = 'exec "$0" --config <(echo size = 12) --steps 3 --result "$1"'
        for _ in range(2):  # the result is there already
            done = run(["bash", "-c", shell, HEAT, self.scratch / "result.json"])
            self.assertEqual(done.code, 0, done)
        self.assertEqual(json.loads((self.scratch / "result.json").read_text())["size"], 12)

    def test_the_trace_has_steps_and_speed(self):
        self.finished(2, "--size", 40, "--steps", 50, CAIRN_TRACE=self.scratch / "trace")
        events = "".join(path.read_text() for path in (self.scratch / "trace").iterdir())
        self.assertIn("heat.steps", events)
        self.assertIn("heat.cells_per_second", events)


class Restart(Case):
    CHECKPOINTS = ("--size", 40, "--initial", "spots", "--ckpt-every", 7)

    def test_more_steps_go_on_from_the_checkpoint_on_other_ranks(self):
        whole, _ = self.finished(1, "--size", 40, "--initial", "spots", "--steps", 50)
        self.finished(4, *self.CHECKPOINTS, "--ckpt-dir", self.scratch / "ckpt", "--steps", 30)
        result, _ = self.finished(3, *self.CHECKPOINTS, "--ckpt-dir", self.scratch / "ckpt", "--steps", 50)
        self.assertEqual(result["restored_from"], 28)
        self.assertEqual((result["digest"], result["norms"]), (whole["digest"], whole["norms"]))

    def test_fewer_steps_than_the_checkpoint_has_are_refused(self):
        self.finished(2, *self.CHECKPOINTS, "--ckpt-dir", self.scratch / "ckpt", "--steps", 30)
        ended = heat(2, *self.CHECKPOINTS, "--ckpt-dir", self.scratch / "ckpt", "--steps", 20)
        self.assertEqual(ended.code, 64, ended)
        self.assertIn("is of step 28, behind --steps 20", ended.err)

    def stopped(self, *options, failpoint=""):
        """The one warning of a run that gets a signal after its first step."""
        job = start([MPIEXEC, "-n", 3, HEAT, "--size", 40, "--initial", "spots", "--steps", 100000, "--norm-every", 1,
                     *options], CAIRN_FAILPOINTS=f"heat.step=stall:0.01,rank=0;{failpoint}")
        job.stdout.readline()  # the first step is done
        os.kill(children(job.pid)[1], signal.SIGTERM)
        ended = finish(job, timeout=30)
        self.assertEqual(ended.code, 75, ended)
        warnings = [line for line in ended.lines_of("cairn-heat") if "stopped on request (SIGTERM) at step" in line]
        self.assertEqual(len(warnings), 1, ended)
        self.assertIn("warning", warnings[0])
        return warnings[0]

    def test_a_stop_without_a_checkpoint_folder_says_that_nothing_was_saved(self):
        self.assertIn("nothing was saved", self.stopped())

    def test_a_stop_that_cannot_be_saved_says_where_it_goes_on(self):
        full = "ckpt.data.sync=ENOSPC,rank=1,hit=1"
        options = ("--ckpt-dir", self.scratch / "ckpt", "--ckpt-on-error", "continue")
        self.assertIn("could not be saved; the same command begins again", self.stopped(*options, failpoint=full))
        self.finished(2, *self.CHECKPOINTS, "--ckpt-dir", self.scratch / "ckpt", "--steps", 7)
        self.assertIn("could not be saved; run the same command again to go on from epoch 1",
                      self.stopped(*options, failpoint=full))


class Refusals(Case):
    def refused(self, code, words, *options, ranks=(1,)):
        for count in ranks:
            with self.subTest(ranks=count, options=options):
                ended = heat(count, *options)
                self.assertEqual(ended.code, code, ended)
                errors = ended.lines_of("cairn-heat")
                self.assertEqual(len([line for line in errors if "error" in line]), 1, ended)
                self.assertIn(words, errors[-1])
                self.assertEqual(ended.out, "", ended)

    def test_impossible_sizes_and_steps(self):
        self.refused(64, "makes no sense", "--size", 0, ranks=(1, 3))
        self.refused(64, "makes no sense", "--size", -4)
        self.refused(64, "use --size 7 or more", "--size", 6, ranks=(7,))
        self.refused(64, "--steps", "--size", 8, "--steps", -1)
        self.refused(64, "use a smaller size", "--size", 2000000000, ranks=(1, 7))  # 32 EB: no vector, no address
        self.refused(64, "--size 2000000000 needs 59604644894 GiB on each rank", "--size", 2000000000)
        self.assertEqual(heat(7, "--size", 7, "--steps", 5).code, 0)
        self.assertEqual(heat(1, "--size", 1, "--steps", 5).code, 0)

    def test_checkpoints_without_a_folder_for_them(self):
        for option, value in (("--ckpt-every", 2), ("--ckpt-interval", 1), ("--ckpt-interval", "auto"),
                              ("--ckpt-local", self.scratch), ("--ckpt-local-every", 2), ("--ckpt-journal", self.scratch)):
            for folder in ((), ("--ckpt-dir", "")):
                self.refused(64, f"{option} needs --ckpt-dir", "--size", 8, option, value, *folder)
        self.refused(64, "--ckpt-local-every needs --ckpt-local,", "--size", 8, "--ckpt-dir", self.scratch / "ckpt",
                     "--ckpt-local-every", 2)
        self.assertEqual(heat(2, "--size", 8, "--steps", 2, "--ckpt-every", 0, "--ckpt-interval", 0).code, 0)

    def test_bad_initial_values(self):
        self.refused(64, "choose sine, spots, or a FILE.png", "--size", 8, "--initial", "hot")
        self.refused(66, "No such file", "--size", 8, "--initial", self.scratch / "none.png", ranks=(1, 3))
        broken = self.scratch / "broken.png"
        broken.write_bytes(b"\x89PNG\r\n\x1a\nand then nothing")
        self.refused(65, "cannot be read as a PNG picture", "--size", 8, "--initial", broken)

    def test_places_that_cannot_be_written_are_refused_before_the_first_step(self):
        for option in ("--picture", "--output", "--result"):
            self.refused(66, "No such file", "--size", 8, "--steps", 10**9, option, self.scratch / "none" / "file",
                         ranks=(1, 2))
            self.refused(64, "is a folder", "--size", 8, "--steps", 10**9, option, self.scratch)
        picture = self.scratch / "u.png"
        self.assertEqual(heat(1, "--size", 8, "--steps", 1, "--picture", picture).code, 0)
        before = picture.read_bytes()
        for option in ("--picture", "--result", "--output"):
            self.refused(64, "are the same file", "--size", 8, "--steps", 10**9, "--initial", picture, option, picture)
        self.assertEqual(picture.read_bytes(), before)
        for option in ("--picture", "--result"):
            self.refused(64, "are the same file", "--size", 8, "--steps", 10**9, "--output", self.scratch / "u.h5", option,
                         self.scratch / "u.xdmf")
        key = self.scratch / "key"
        key.write_text("0" * 64)
        key.chmod(0o600)
        for option in ("--picture", "--result"):
            self.refused(64, "are the same file", "--size", 8, "--ckpt-key-file", key, option, key, ranks=(1, 2))
        self.assertEqual(key.read_text(), "0" * 64)
        settings = self.scratch / "my.conf"
        settings.write_text("size = 8\n")
        self.refused(64, "are the same file", "--config", settings, "--result", settings, ranks=(1, 2))
        self.assertEqual(settings.read_text(), "size = 8\n")
        epochs = self.scratch / "epochs"
        self.assertEqual(heat(1, "--size", 8, "--steps", 2, "--ckpt-dir", epochs, "--ckpt-every", 1).code, 0)
        (self.scratch / "to-record").symlink_to("epochs/epoch-0000000002.record")
        for name in ("epochs/epoch-0000000002.record", "epochs/epoch-0000000003.h5", "epochs/lock", "to-record"):
            self.refused(64, "is a name of the checkpoint directory's own", "--size", 8, "--steps", 3, "--ckpt-dir", epochs,
                         "--result", self.scratch / name, ranks=(1, 2))
        self.assertEqual(heat(1, "--size", 8, "--steps", 3, "--ckpt-dir", epochs, "--result", epochs / "result.json").code, 0)
        loop = self.scratch / "loop"
        loop.symlink_to("loop")
        self.refused(74, "symbolic links", "--size", 8, "--steps", 10**9, "--result", loop)
        os.mkfifo(self.scratch / "pipe.png")
        self.refused(64, "is no regular file", "--size", 8, "--initial", self.scratch / "pipe.png", ranks=(1, 2))
        self.refused(64, "cannot be replaced by one", "--size", 8, "--steps", 10**9, "--output", self.scratch / "pipe.png",
                     ranks=(1, 2))
        self.assertTrue((self.scratch / "pipe.png").is_fifo())
        self.refused(64, "names an HDF5 file", "--size", 8, "--steps", 10**9, "--output", self.scratch / "u.xdmf")


class Memory(Case):
    def test_a_rank_needs_at_most_2_2_times_its_block_and_64_mib(self):
        for ranks, size in ((2, 2000), (1, 4000)):  # growing: the system keeps the largest child's peak
            self.finished(ranks, "--size", size, "--steps", 3, "--initial", "spots", "--output",
                          self.scratch / "u.h5", "--picture", self.scratch / "u.png", "--ckpt-dir",
                          self.scratch / f"ckpt-{ranks}", "--ckpt-every", 2, "--norm-every", 2)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
            allowed = 2.2 * 8 * size * size / ranks + (64 << 20)
            print(f"{ranks} ranks, size {size}: peak {peak / 2**20:.0f} MiB of {allowed / 2**20:.0f} MiB", flush=True)
            self.assertLessEqual(peak, allowed)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
