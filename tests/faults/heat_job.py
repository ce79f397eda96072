"""A small cairn-heat run under mpirun, as the fault tests use it."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from processes import check, finish, newest_step, run, scratch_directory, start  # noqa: F401,E402

# Failpoints that only a run with compression passes.
OF_COMPRESSION = ("ckpt.pack", "ckpt.chunk.")
# Failpoints that rank 0 alone passes. (The field of these tests is one chunk.)
OF_RANK_0 = (*OF_COMPRESSION, "ckpt.layout", "ckpt.record.", "ckpt.publish.", "ckpt.recycle.", "ckpt.retire.")


class HeatJob:
    """cairn-heat with fixed parameters in a scratch directory; each call is one launch."""

    def __init__(self, mpiexec, program, scratch, size=64, steps=60, every=10, mode="sync",
                 compress="none"):
        self.mpiexec, self.program = mpiexec, program
        self.directory = scratch / "ckpt"
        self.result_file = scratch / "result.json"
        self.options = ["--size", size, "--steps", steps, "--initial", "spots", "--threads", 1,
                        "--result", self.result_file]
        self.checkpoints = ["--ckpt-dir", self.directory, "--ckpt-every", every, "--ckpt-mode", mode,
                            "--ckpt-compress", compress]

    def command(self, ranks, *more):
        return [self.mpiexec, "-n", ranks, self.program, *self.options, *more]

    def start(self, ranks, **environment):
        return start(self.command(ranks, *self.checkpoints), **environment)

    def launch(self, ranks, failpoints="", *more, **environment):
        return run(self.command(ranks, *self.checkpoints, *more), CAIRN_FAILPOINTS=failpoints, **environment)

    def undisturbed_digest(self, ranks=1, *more):
        ended = run(self.command(ranks, *more))
        check(ended.code == 0, f"undisturbed run: {ended}")
        return self.result()["digest"]

    def result(self):
        return json.loads(self.result_file.read_text())

    def check_finished(self, ended, digest, restored_from):
        check(ended.code == 0, f"{ended}")
        result = self.result()
        check(result["digest"] == digest, f"digest {result['digest']} instead of {digest}: {ended}")
        check(result["restored_from"] == restored_from,
              f"restored from {result['restored_from']} instead of {restored_from}: {ended}")
