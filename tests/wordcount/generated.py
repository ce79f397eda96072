"""cairn-wordcount against coreutils on text made to be awkward."""

import bz2
import gzip
import json
import lzma
import os
import random

from compare import check_against, regular_files
from harness import Harness, coreutils_table


def words(generator, length):
    """Words by Zipf's law, between all kinds of white space."""
    out = []
    size = 0
    while size < length:
        word = b"w%d" % int(generator.paretovariate(0.7))
        out += (word, generator.choice((b" ", b" ", b"\n", b"\r\n", b"\t", b"  ", b"\v", b"\f")))
        size += len(word) + 1
    return b"".join(out)


def binary(generator, length):
    return bytes(generator.choice(b"\x00\xff\x80\x1c\x85\xa0 \n\\xab") for _ in range(length))


def make_inputs(harness):
    generator = random.Random(20240607)
    for i in range(30):
        harness.write(f"in/d{i % 4}/e{i % 3}/text{i}", words(generator, generator.randrange(20000)))
    harness.write("in/large", words(generator, 3_000_000))
    harness.write("in/long-token", b"a " + b"L" * 2_500_000 + b" z")
    harness.write("in/many-long", b" ".join(b"%c" % (65 + i) * 100_000 for i in range(20)))
    harness.write("in/binary", binary(generator, 200_000))
    harness.write("in/utf8", "straße naïve 漢字 日本語 \\ \\x41 \u2003 \u00a0\n".encode() * 500)
    harness.write("in/empty", b"")
    harness.write("in/blank", b" \t\n\v\f\r" * 100)
    harness.write("in/no-newline", b"the end")
    harness.write("in/no-newline-2", b"the end")
    harness.write("in/odd\nname \xff".encode("utf-8", "surrogateescape").decode(), b"odd\n")
    harness.write("in/one.gz", gzip.compress(words(generator, 1_500_000), 1))
    harness.write("in/two-members", gzip.compress(b"over th") + gzip.compress(b"e edge\n"))
    harness.write("in/empty.gz", gzip.compress(b""))
    harness.write("in/named.gz", b"no gzip at all\n")
    text_bytes = 0
    files, _ = regular_files(harness.path("in"))
    for path in files:
        with open(path, "rb") as file:
            data = file.read()
        text_bytes += len(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    table = coreutils_table(files)
    harness.write("in/skipped.xz", lzma.compress(b"never counted\n"))
    harness.write("in/skipped.bz2", bz2.compress(b"never counted\n"))
    harness.write("in/skipped.zst", b"\x28\xb5\x2f\xfd never counted\n")
    os.symlink("large", harness.path("in/link"))
    os.symlink("..", harness.path("in/d0/loop"))
    told = {"plain": len(files) - 3, "gz": 3, "skipped": 3,
            "skipped_kinds": {"bzip2": 1, "xz": 1, "zstd": 1}, "symlinks": 2}
    return table, told, text_bytes


def check_variants(harness, table, digest):
    """The same run said differently."""
    inputs = harness.path("in")
    done = harness.run(2, inputs, "--output", "-", "--result", "result.json")
    harness.check(done.stdout == table, "--output - is the table and nothing else")
    text = done.stderr.decode()
    for words_of_summary in ("3 gz", "3 skipped (1 bzip2, 1 xz, 1 zstd)", "2 symbolic links"):
        harness.check(words_of_summary in text, f"'{words_of_summary}' on stderr\n{text}")

    lines = table.splitlines(keepends=True)
    for top in (0, 1, 1000, len(lines) + 5):
        done = harness.run(3, inputs, "--top", str(top))
        harness.check(done.stdout == b"".join(lines[:top]), f"--top {top} without --output")

    done = harness.run(2, inputs, "--result", "result.json", "--top", "0")
    with open(harness.path("result.json"), encoding="utf-8") as file:
        told = json.load(file)
    harness.check(done.stdout == b"" and told["top"] == [], "--top 0 prints nothing")
    harness.check(told["digest"] == digest, "the digest does not need the file")

    done = harness.run(2, inputs, "--compressed", "skip", "--result", "result.json")
    with open(harness.path("result.json"), encoding="utf-8") as file:
        told = json.load(file)
    harness.check(told["files"]["gz"] == 0 and told["files"]["skipped_kinds"]["gzip"] == 3,
                  f"--compressed skip: {told['files']}")

    whole = harness.run(2, inputs, harness.path("in/large"), inputs, "--top", "1")
    harness.check(whole.returncode == 0 and whole.stdout.split(b"\t")[0] == lines[0].split(b"\t")[0],
                  "an input may be named twice")


with Harness() as h:
    expected_table, expected_files, expected_bytes = make_inputs(h)
    found = check_against(h, [h.path("in")], expected_table, expected_files, expected_bytes)
    check_variants(h, expected_table, found)
    h.write("blank/only", b" \n")
    check_against(h, [h.path("blank")], b"", {"plain": 1, "gz": 0, "skipped": 0, "skipped_kinds": {},
                                              "symlinks": 0}, 2)
h.finish()
