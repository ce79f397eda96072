"""What goes wrong is one clear line, the documented exit code, no half output and no hang."""

import concurrent.futures
import gzip
import os
import subprocess
import threading
import time

from harness import Harness

USAGE, BAD_DATA, NO_INPUT, INPUT_OUTPUT, PERMISSION = 64, 65, 66, 74, 77


def check_command_lines(h):
    good = h.write("good", b"some words\n")
    os.makedirs(h.path("empty"))
    os.mkfifo(h.path("pipe"))
    os.symlink(h.write("folder/good", b"words in a folder\n"), h.path("link"))
    h.write("only/skipped.xz", b"\xfd7zXZ\0....")
    packed = gzip.compress(os.urandom(3000) + b"\n")
    h.write("cut.gz", packed[:-9])
    h.write("flipped.gz", packed[:1500] + bytes([packed[1500] ^ 1]) + packed[1501:])
    cases = (
        (("missing",), NO_INPUT, "missing"),
        (("good", "missing"), NO_INPUT, "missing"),
        (("empty",), NO_INPUT, "nothing to read"),
        (("only",), NO_INPUT, "1 xz skipped"),
        (("pipe",), NO_INPUT, "pipe"),
        (("/dev/null",), NO_INPUT, "/dev/null"),
        (("cut.gz", good), BAD_DATA, "cut.gz"),
        (("flipped.gz",), BAD_DATA, "flipped.gz"),
        ((), USAGE, "INPUT"),
        (("good", "--outptu", "x"), USAGE, "--output"),
        (("good", "--top", "-1"), USAGE, "top"),
        (("good", "--top", "many"), USAGE, "top"),
        (("good", "--compressed", "maybe"), USAGE, "compressed"),
        (("good", "--output", "nowhere/counts.tsv"), NO_INPUT, "nowhere/counts.tsv"),
        (("good", "--output", "empty"), USAGE, "empty"),
        (("good", "--result", "nowhere/r.json"), NO_INPUT, "nowhere/r.json"),
        (("good", "--output", "/proc/counts.tsv"), NO_INPUT if os.geteuid() == 0 else PERMISSION, "/proc/counts.tsv"),
        (("good", "--output", "/dev/full"), INPUT_OUTPUT, "/dev/full"),
        (("good", "--output", "good"), USAGE, "same file"),
        (("folder", "--output", "folder/good"), USAGE, "same file"),
        (("folder", "--result", "link"), USAGE, "same file"),
        (("good", "--output", "both", "--result", "both"), USAGE, "same file"),
    )
    def check(case):
        arguments, code, word = case
        for ranks in (0, 3):
            done = h.run(ranks, *arguments)
            h.check_error(done, code, word, what=f"{arguments} on {ranks} ranks")

    # mpiexec takes two seconds of sleep to end after an error.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(check, cases))
    done = h.run(2, "cut.gz", "good", "--compressed", "skip")
    h.check(done.returncode == 0, "--compressed skip passes over a damaged gz")


def check_permissions(h):
    """As another user than root, who may read everything."""
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if os.geteuid() != 0 or subprocess.run([*nobody, "test", "-x", h.program], check=False,
                                           timeout=10).returncode != 0:
        print("skipped: cannot run the program as nobody")
        return
    h.write("secret/file", b"words\n")
    h.write("open/a", b"words\n")
    os.chmod(h.write("open/unreadable", b"words\n"), 0)
    os.makedirs(h.path("closed"), mode=0o700)
    os.chmod(h.path("secret"), 0o700)
    h.write("protected/counts.tsv", b"old\n")
    cases = (
        (("open",), "open/unreadable"),
        (("secret",), "secret"),
        (("open/a", "secret/file"), "secret/file"),
        (("open/a", "--output", "protected/counts.tsv"), "protected/counts.tsv"),
        (("open/a", "--result", "closed/r.json"), "closed/r.json"),
    )
    done = h.run(2, "open/a", "--output", "/dev/null", prefix=nobody, environment={"HOME": "/"})
    h.check(done.returncode == 0, f"nobody may write to /dev/null: {done}")
    for arguments, word in cases:
        done = h.run(2, *arguments, prefix=nobody, environment={"HOME": "/"})
        h.check_error(done, PERMISSION, word, what=f"{arguments} as nobody")


def check_full_disk(h):
    """A tmpfs of 64 kB: the old table stays, nothing else is left."""
    disk = h.path("disk")
    os.makedirs(disk)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk],
                             stderr=subprocess.DEVNULL, check=False, timeout=10)
    if mounted.returncode != 0:
        print("skipped: cannot mount a tmpfs")
        return
    try:
        h.write("many", b"".join(b"word%d\n" % i for i in range(100_000)))
        h.write("disk/counts.tsv", b"old\n")
        for ranks in (0, 3):
            done = h.run(ranks, "many", "--output", "disk/counts.tsv")
            h.check_error(done, INPUT_OUTPUT, "disk/counts.tsv", "No space left", "free some space",
                          what=f"full disk on {ranks} ranks")
            with open(h.path("disk/counts.tsv"), "rb") as file:
                h.check(file.read() == b"old\n", "the old table is still there")
            h.check(os.listdir(disk) == ["counts.tsv"], f"nothing else: {os.listdir(disk)}")
    finally:
        subprocess.run(["umount", disk], check=True, timeout=10)


def check_changes_while_reading(h):
    """Rank 1 is held up before it opens its file; meanwhile the file changes."""
    def later(action):
        timer = threading.Timer(1.0, action)
        timer.start()
        return timer

    for change, code, word in ((lambda path: os.remove(path), NO_INPUT, "No such file"),
                               (lambda path: os.truncate(path, 10), INPUT_OUTPUT, "shorter")):
        path = h.write("changing", b"words " * 100)
        timer = later(lambda: change(path))
        start = time.monotonic()
        done = h.run(2, "changing", "--output", "counts.tsv",
                     environment={"CAIRN_FAILPOINTS": "mapreduce.open=stall:2,rank=1,hit=1"})
        timer.join()
        h.check_error(done, code, "changing", word, what=f"a file that changes ({word})")
        h.check(time.monotonic() - start < 20, "no hang")
        h.check(not os.path.exists(h.path("counts.tsv")), "no half output")
        h.check(h.leftovers(h.folder) == [], "no temporary file")


with Harness() as harness:
    check_command_lines(harness)
    check_permissions(harness)
    check_full_disk(harness)
    check_changes_while_reading(harness)
harness.finish()
