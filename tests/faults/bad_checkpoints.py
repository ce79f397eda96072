"""Checkpoint directories that are unusable, full, damaged or foreign: one clear line, the right exit code, no hang,
and the older good epochs still usable.

usage: bad_checkpoints.py MPIEXEC CAIRN_HEAT WRITE_EPOCH
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

from heat_job import HeatJob, check, newest_step, run, scratch_directory
from processes import is_claim, strays

BAD_DATA, NO_INPUT, INPUT_OUTPUT, PERMISSION = 65, 66, 74, 77


@contextlib.contextmanager
def tmpfs(path, options):
    """A small file system of its own; None where mounting is not allowed."""
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True).returncode == 0
    try:
        yield path if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", path], check=True)


def expect_refusal(ended, code, *words):
    check(ended.code == code, f"exit code {code} expected: {ended}")
    errors = [line for line in ended.lines_of("cairn-heat") if "error" in line]
    check(len(errors) == 1, f"one line of error expected: {ended}")
    for word in words:
        check(word in errors[0], f"'{word}' expected in the line: {ended}")


def unusable_directories(mpiexec, program):
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch)
        job.directory.write_text("a file, not a directory")
        expect_refusal(job.launch(3), NO_INPUT, "checkpoint directory", str(job.directory))
        job.directory.unlink()
        with tmpfs(job.directory, "ro,size=64k") as mounted:
            if mounted is None:
                print("no mount allowed here: read-only directory not tried")
                return
            expect_refusal(job.launch(3), PERMISSION, "Read-only file system")


def full_directory(mpiexec, program, digest):
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch, size=128)  # 128 KiB an epoch
        digest = job.undisturbed_digest()
        with tmpfs(job.directory, "size=320k") as mounted:
            if mounted is None:
                print("no mount allowed here: full directory not tried")
                return
            expect_refusal(job.launch(3), INPUT_OUTPUT, "No space left on device", "free some space")
            good = newest_step(job.directory)
            check(good is not None and not strays(job.directory), f"an older epoch and no litter: {os.listdir(mounted)}")
            expect_refusal(job.launch(2), INPUT_OUTPUT, "No space left on device")
            check(newest_step(job.directory) == good, "the older epoch stays")
            ended = job.launch(3, "", "--ckpt-on-error", "continue")
            job.check_finished(ended, digest, good)
            warnings = [line for line in ended.lines_of("cairn-heat") if "goes on without it" in line]
            check(warnings and "No space left on device" in warnings[0], f"a warning for each lost checkpoint: {ended}")
            check(newest_step(job.directory) == good and not strays(job.directory), f"as before: {os.listdir(mounted)}")
            subprocess.run(["mount", "-o", "remount,size=8m", mounted], check=True)
            job.check_finished(job.launch(4), digest, good)


def interrupted_job(mpiexec, program, scratch, template=None):
    """A job with epochs of steps 20 and 30, killed in step 35; or a copy of one."""
    job = HeatJob(mpiexec, program, scratch)
    if template:
        shutil.copytree(template.directory, job.directory)
    else:
        job.launch(3, "heat.step=kill,rank=1,hit=35")
    check(newest_step(job.directory) == 30, "epochs of steps 20 and 30")
    return job


def flip_bit(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 4
    path.write_bytes(data)


def middle_of(path):
    return path.stat().st_size // 2


def damaged_epochs(mpiexec, program, digest, template):
    damages = {
        "a flipped bit in a field": lambda data, record: flip_bit(data, middle_of(data)),
        "a flipped bit in the HDF5 structure": lambda data, record: flip_bit(data, 100),
        "truncated data": lambda data, record: os.truncate(data, middle_of(data)),
        "no data": lambda data, record: data.unlink(),
        "a flipped bit in the record": lambda data, record: flip_bit(record, middle_of(record)),
        "an empty record": lambda data, record: os.truncate(record, 0),
    }
    for what, damage in damages.items():
        with scratch_directory() as scratch:
            job = interrupted_job(mpiexec, program, scratch, template)
            epochs = sorted(job.directory.glob("epoch-*.h5"))
            damage(epochs[-1], epochs[-1].with_suffix(".record"))
            ended = job.launch(2)
            job.check_finished(ended, digest, 20)
            warnings = [line for line in ended.lines_of("cairn-heat") if "warning" in line]
            check(len(warnings) == 1 and "trying an older one" in warnings[0], f"{what}: one warning expected: {ended}")
        with scratch_directory() as scratch:
            job = interrupted_job(mpiexec, program, scratch, template)
            for data in job.directory.glob("epoch-*.h5"):
                damage(data, data.with_suffix(".record"))
            def left():
                return sorted(path for path in job.directory.iterdir() if not is_claim(path.name))
            before = left()
            expect_refusal(job.launch(2), BAD_DATA, "can be restored", "move the directory away")
            check(left() == before, f"{what}: a refusal removes nothing")


def foreign_epochs(mpiexec, program, write_epoch):
    with scratch_directory() as scratch:
        job = interrupted_job(mpiexec, program, scratch)
        expect_refusal(job.launch(2, "", "--size", 65), BAD_DATA, "belongs to another run", "choose another")
        expect_refusal(job.launch(2, "", "--initial", "sine"), BAD_DATA, "belongs to another run")
        check(newest_step(job.directory) == 30, "a refusal leaves the epochs")
    with scratch_directory() as scratch:
        job = HeatJob(mpiexec, program, scratch)
        check(run([mpiexec, "-n", 2, write_epoch, job.directory]).code == 0, "write-epoch")
        expect_refusal(job.launch(2), BAD_DATA, "written by program 'write-epoch'")


def main(mpiexec, program, write_epoch):
    with scratch_directory() as scratch:
        digest = HeatJob(mpiexec, program, scratch).undisturbed_digest()
    unusable_directories(mpiexec, program)
    full_directory(mpiexec, program, digest)
    with scratch_directory() as scratch:
        damaged_epochs(mpiexec, program, digest, interrupted_job(mpiexec, program, scratch))
    foreign_epochs(mpiexec, program, write_epoch)
    print("every bad checkpoint directory was refused or passed over as documented")


main(*map(pathlib.Path, sys.argv[1:]))
