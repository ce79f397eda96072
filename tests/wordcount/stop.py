"""A request to stop while counting: all leave together at once, and nothing is left behind."""

import os
import signal
import subprocess
import time

from harness import Harness


def pid_of_rank(h, rank, launcher):
    """The process of that rank below `launcher`; itself when there is no launcher."""
    for _ in range(100):
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    environment = file.read().split(b"\0")
                with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                program = os.readlink(f"/proc/{name}/exe")
            except OSError:
                continue
            if (program == h.program and parent == launcher
                    and b"OMPI_COMM_WORLD_RANK=%d" % rank in environment):
                return int(name)
        time.sleep(0.05)
    raise RuntimeError("the rank did not appear")


def wait_for_text(path, text):
    for _ in range(400):
        with open(path, encoding="utf-8", errors="replace") as file:
            if text in file.read():
                return
        time.sleep(0.05)
    raise RuntimeError(f"'{text}' did not appear")


def check_stop(h, ranks, to, number, code):
    """Every read of the last rank takes 50 ms, so that counting takes long; then the signal comes."""
    what = f"{signal.Signals(number).name} to {to} of {ranks}"
    errors = h.path("stderr")
    command = h.command(ranks, "many" if ranks > 0 else "few", "--output", "counts.tsv",
                        "--result", "result.json")
    with open(errors, "wb") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, cwd=h.folder,
            env=h.environment(
                {"CAIRN_FAILPOINTS": f"mapreduce.read=stall:0.05,rank={max(ranks, 1) - 1}"}))
        try:
            wait_for_text(errors, "plain files")
            time.sleep(0.3)
            h.check(process.poll() is None, f"{what}: still counting")
            target = process.pid if to == "launcher" else pid_of_rank(h, int(to), process.pid)
            start = time.monotonic()
            os.kill(target, number)
            wait_for_text(errors, "stopped on request")
            seconds = time.monotonic() - start  # mpiexec itself then takes two seconds to end
            stdout, _ = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
    with open(errors, encoding="utf-8", errors="replace") as file:
        text = file.read()
    h.check(process.returncode == code, f"{what}: exit {process.returncode}, not {code}\n{text}")
    # About a second at the most; counting would go on for five. The rest is for a busy machine.
    h.check(seconds < 2.5, f"{what}: took {seconds:.1f} s")
    print(f"{what}: {seconds:.2f} s")
    lines = [line for line in text.splitlines() if "error:" in line and "cairn-wordcount" in line]
    h.check(len(lines) == 1 and "stopped on request" in lines[0], f"{what}: one line\n{text}")
    h.check(stdout == b"", f"{what}: nothing on stdout")
    left = sorted(set(os.listdir(h.folder)) - {"many", "few", "stderr"})
    h.check(left == [], f"{what}: left {left}")


with Harness() as harness:
    for i in range(400):
        harness.write(f"many/{i}", b"some words\n" * 10)
    for i in range(100):
        harness.write(f"few/{i}", b"some words\n" * 10)
    for ranks, to, number, code in ((2, "0", signal.SIGTERM, 75), (3, "1", signal.SIGUSR1, 75),
                                    (3, "2", signal.SIGINT, 130), (2, "launcher", signal.SIGUSR1, 75)):
        check_stop(harness, ranks, to, number, code)
    for number, code in ((signal.SIGTERM, 75), (signal.SIGINT, 130)):
        check_stop(harness, 0, "launcher", number, code)
harness.finish()
