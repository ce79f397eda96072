"""Compares cairn-wordcount with coreutils on 1, 2, 3 and 7 ranks."""

import json
import os

RANKS = (1, 2, 3, 7)


def regular_files(folder):
    """What a walk of the folder has to find: regular files, links not followed."""
    files, links = [], 0
    for root, folders, names in os.walk(folder):
        links += sum(os.path.islink(os.path.join(root, name)) for name in folders)
        for name in names:
            path = os.path.join(root, name)
            if os.path.islink(path):
                links += 1
            elif os.path.isfile(path):
                files.append(path)
    return sorted(files), links


def check_against(harness, inputs, table, expected_files, text_bytes):
    """Every count, the totals, the top list, and equal bytes on every number of ranks."""
    import harness as tools

    lines = table.splitlines(keepends=True)
    counts = [int(line.rsplit(b"\t", 1)[1]) for line in lines]
    digests = set()
    for ranks in RANKS:
        output, result = harness.path("counts.tsv"), harness.path("result.json")
        done = harness.run(ranks, *inputs, "--output", output, "--result", result, "--top", "5")
        what = f"{ranks} ranks"
        harness.check(done.returncode == 0, f"{what}: exit {done.returncode}\n{done.stderr.decode()}")
        with open(output, "rb") as file:
            harness.check(file.read() == table, f"{what}: the table is that of coreutils")
        with open(result, encoding="utf-8") as file:
            told = json.load(file)
        expected = {"tokens": sum(counts), "distinct": len(counts), "files": expected_files,
                    "bytes": text_bytes, "ranks": ranks}
        for key, value in expected.items():
            harness.check(told[key] == value, f"{what}: {key} is {told[key]}, not {value}")
        top = [b"%s\t%d\n" % (tools.unescape(t["token"]), t["count"]) for t in told["top"]]
        harness.check(top == lines[:5], f"{what}: top of the result file {top}")
        harness.check(done.stdout == b"".join(lines[:5]), f"{what}: top on stdout {done.stdout}")
        harness.check(told["seconds"] > 0 and told["threads"] >= 1, f"{what}: {told}")
        harness.check(harness.leftovers(harness.folder) == [], f"{what}: nothing left behind")
        digests.add(told["digest"])
    harness.check(len(digests) == 1, f"one digest on all numbers of ranks: {digests}")
    return digests.pop()
