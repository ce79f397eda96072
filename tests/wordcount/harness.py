"""What the tests of cairn-wordcount share: running it, and counting words with coreutils alone."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

NAME = "cairn-wordcount"


class Harness:
    """Runs the program in a private folder, which goes away at the end."""

    def __init__(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--mpiexec", required=True)
        parser.add_argument("--program", required=True)
        arguments = parser.parse_args()
        self.mpiexec = arguments.mpiexec
        self.program = os.path.abspath(arguments.program)
        self.folder = tempfile.mkdtemp(prefix="cairn-wordcount-")
        os.chmod(self.folder, 0o755)
        self.sessions = tempfile.mkdtemp(prefix="cairn-mpi-")
        os.chmod(self.sessions, 0o755)
        self.failures = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.sessions, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        """Writes bytes; returns the path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def command(self, ranks, *arguments, wrapper=()):
        """On so many ranks; 0 is one process without mpiexec."""
        if ranks == 0:
            return [*wrapper, self.program, *arguments]
        return [self.mpiexec, "-n", str(ranks), *wrapper, self.program, *arguments]

    def environment(self, more=None):
        """Every job keeps Open MPI's session files apart: one mpiexec that ends removes the common
        folder while another one that starts relies on it."""
        session = tempfile.mkdtemp(dir=self.sessions)
        os.chmod(session, 0o777)
        return {**os.environ, "TMPDIR": session, **(more or {})}

    def run(self, ranks, *arguments, environment=None, prefix=(), wrapper=(), timeout=100):
        """The finished process; a hang is a failure of the test."""
        return subprocess.run(
            [*prefix, *self.command(ranks, *arguments, wrapper=wrapper)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, cwd=self.folder,
            env=self.environment(environment))

    def check(self, holds, what):
        if not holds:
            self.failures += 1
            print("FAILED:", what, flush=True)

    def check_error(self, done, code, *words, what=""):
        """One clear line on stderr, with these words in it, and this exit code."""
        text = done.stderr.decode(errors="replace")
        ours = [line for line in text.splitlines() if "error:" in line and NAME in line]
        self.check(done.returncode == code, f"{what}: exit {done.returncode}, not {code}\n{text}")
        self.check(len(ours) == 1 and ours[0].startswith(NAME + ": error: "),
                   f"{what}: one line 'error:'\n{text}")
        for word in words:
            self.check(any(word in line for line in ours), f"{what}: '{word}' in the line\n{text}")
        self.check(done.stdout == b"", f"{what}: nothing on stdout: {done.stdout[:200]}")

    def leftovers(self, folder):
        return [name for name in os.listdir(folder) if name.startswith(".cairn-")]

    def finish(self):
        print("failures:", self.failures)
        sys.exit(1 if self.failures else 0)


def coreutils_table(files):
    """The table as coreutils count it: token<TAB>count, by falling count, then by bytes. Each file
    is followed by a newline, since the end of a file ends a token."""
    script = r"""
      for file in "$@"; do
        case "$(head -c 2 "$file" | od -An -tx1)" in
          " 1f 8b") zcat < "$file" ;;
          *) cat "$file" ;;
        esac || exit 1
        echo
      done | tr -s ' \t\n\v\f\r' '\n' | grep -av '^$' | sort | uniq -c"""
    listing = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script, "sh", *files], stdout=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"}, timeout=200)
    if listing.returncode not in (0, 1):  # grep says 1 when no token is there
        raise RuntimeError(f"coreutils failed: {listing.returncode}")
    counted = [line.lstrip(b" ").split(b" ", 1) for line in listing.stdout.split(b"\n") if line]
    counted.sort(key=lambda pair: (-int(pair[0]), pair[1]))
    return b"".join(b"%s\t%s\n" % (token, count) for count, token in counted)


def unescape(text):
    """The bytes that a token of the result file stands for."""
    data = text.encode()
    out = bytearray()
    at = 0
    while at < len(data):
        if data[at] != 0x5C:
            out.append(data[at])
            at += 1
        elif data[at + 1] == 0x5C:
            out.append(0x5C)
            at += 2
        else:
            assert data[at + 1] == ord("x")
            out.append(int(data[at + 2:at + 4], 16))
            at += 4
    return bytes(out)
