"""What the tests of whole programs share: bounded runs under mpirun, leftovers, and epochs on disk."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SHARED_MEMORY = pathlib.Path("/dev/shm")


def fail(message):
    print(f"FAILED: {message}", flush=True)
    sys.exit(1)


def check(holds, message):
    if not holds:
        fail(message)


@contextlib.contextmanager
def scratch_directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="cairn-test-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def segments():
    """Shared-memory files of Open MPI that no living process has mapped: what a job has left behind."""
    found = {p.name for p in SHARED_MEMORY.iterdir() if "vader" in p.name or "osc" in p.name or "ompi" in p.name}
    for maps in pathlib.Path("/proc").glob("[0-9]*/maps"):
        if not found:
            break
        with contextlib.suppress(OSError):
            text = maps.read_text()
            found = {name for name in found if name not in text}
    return found


def remove_segments(names):
    for name in names:
        (SHARED_MEMORY / name).unlink(missing_ok=True)


class Ended:
    """A process that has ended: code (negative: by that signal), out, err, seconds."""

    def __init__(self, command, code, out, err, seconds):
        self.command, self.code, self.out, self.err, self.seconds = command, code, out, err, seconds

    def __str__(self):
        return (f"{' '.join(map(str, self.command))}\nended with {self.code} after {self.seconds:.1f} s\n"
                f"--- stdout\n{self.out}\n--- stderr\n{self.err}")

    def lines_of(self, program):
        """The lines on stderr that this program wrote (mpirun adds its own)."""
        return [line for line in self.err.splitlines() if line.startswith(program + ":")]


def as_users_have_mpirun():
    """From now on mpirun leaves the ranks its two seconds before it kills them, as it does outside of the tests."""
    os.environ.pop("OMPI_MCA_odls_base_sigkill_timeout", None)


def start(command, **environment):
    """Starts a process group of its own, so that nothing of it can survive stop(). A variable that is None is unset."""
    of_it = {**os.environ, **environment}
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
                               env={name: str(value) for name, value in of_it.items() if value is not None})
    process.started = time.monotonic()
    process.command = command
    return process


def finish(process, timeout=60):
    """Waits for the end of what start() began; a hang is a failure that says what was printed so far."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        fail(f"no end within {timeout} s:\n{Ended(process.command, 'a kill', out, err, timeout)}")
    return Ended(process.command, process.returncode, out, err, time.monotonic() - process.started)


def run(command, timeout=60, **environment):
    return finish(start(command, **environment), timeout)


def children(pid):
    """Process ids of the direct children."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(entry.name))
    return sorted(found)


def wait_until(condition, what, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            fail(f"{what} did not come about within {timeout} s")
        time.sleep(0.02)


def committed_epochs(directory):
    """{epoch: step} of the committed epochs, read without the library: the record's JSON behind its first line.

    May be asked beside a running job, which retires epochs meanwhile: what has just gone is no longer one.
    """
    epochs = {}
    for record in pathlib.Path(directory).glob("epoch-*.record"):
        try:
            body = json.loads(record.read_text().split("\n", 1)[1])
        except FileNotFoundError:
            continue
        data = record.with_name(body["data_file"])
        is_whole = data.exists() and data.stat().st_size == body["data_bytes"]
        check(is_whole or not record.exists(), f"{record} names no such data")
        if is_whole:
            epochs[body["epoch"]] = body["step"]
    return epochs


def newest_step(directory):
    epochs = committed_epochs(directory)
    return epochs[max(epochs)] if epochs else None


def is_claim(name):
    """Of an incarnation, with its heartbeat; one that is being made is litter."""
    return name.startswith("inc.") and not name.endswith(".tmp")


def strays(directory):
    """Files that no committed epoch owns."""
    names = {p.name for p in pathlib.Path(directory).iterdir() if not is_claim(p.name)}
    owned = {"lock"}
    for epoch in committed_epochs(directory):
        owned |= {f"epoch-{epoch:010}.h5", f"epoch-{epoch:010}.record"}
    return names - owned
