"""cairn-bench: the table, the JSON, --strict and bad arguments. Times are only checked to be times."""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from processes import check, run, scratch_directory  # noqa: E402

mpiexec, program = sys.argv[1:]


def bench(ranks, *arguments):
    return run([mpiexec, "-n", str(ranks), program, *arguments], timeout=60)


def test_list():
    ended = bench(2, "--list")
    check(ended.code == 0, ended)
    names = [line.split()[0] for line in ended.out.splitlines()]
    check(names == sorted(set(names)) and {"collectives", "exact"} <= set(names), f"listed once, sorted: {ended}")
    readme = (pathlib.Path(__file__).parents[2] / "apps/bench/README.md").read_text()
    missing = [name for name in names if f"| `{name}` |" not in readme]
    check(not missing, f"benchmarks that the README does not name: {missing}")


def test_rows(directory):
    for ranks, names in ((1, ["exact", "collectives"]), (3, ["collectives"])):
        file = directory / f"rows-{ranks}.json"
        ended = bench(ranks, *names, "--seconds", "0.001", "--strict", "--json", file)
        rows = json.loads(file.read_text())
        lines = ended.out.splitlines()
        check(len(lines) == len(rows) + 1 and len({len(line) for line in lines}) == 1, f"an aligned table: {ended}")
        for row, line in zip(rows, lines[1:]):
            check_row(row, line, ranks)
        keys = [(row["name"], str(row["parameters"])) for row in rows]
        check(len(keys) == len(set(keys)), "a row is named by its name and parameters")
        check(list(dict.fromkeys(row["name"].split(".")[0] for row in rows)) == names, "all that were named, in order")
        check(ended.code == (1 if any(row["holds"] is False for row in rows) else 0), f"--strict's exit code: {ended}")


def check_row(row, line, ranks):
    check(list(row) == ["name", "parameters", "ours", "baseline", "ratio", "target", "holds"], row)
    check(line.split()[0] == row["name"], f"{row} in {line}")
    check(row["parameters"]["ranks"] == ranks, row)
    check(0 < row["ours"] < 10 and 0 < row["baseline"] < 10, f"seconds a call: {row}")
    check(abs(row["ratio"] - row["ours"] / row["baseline"]) < 1e-9 * row["ratio"], row)
    check(row["holds"] == (None if row["target"] is None else row["ratio"] <= row["target"]), row)
    check(row["target"] == target_of(row, ranks), row)


def target_of(row, ranks):
    if row["name"] == "exact.dot-eigen":
        return 1.6 if row["parameters"]["threads"] == 1 else 1.3
    if row["name"].startswith("collectives.") and ranks > 1:
        return 1.05 if row["parameters"]["bytes"] < 65536 else 1.02
    return None


def test_loadbalance(directory):
    for ranks in (1, 2, 3):
        file = directory / f"loadbalance-{ranks}.json"
        ended = bench(ranks, "loadbalance", "--seconds", "0.001", "--threads", 1, "--json", file)
        check(ended.code == 0, ended)
        rows = json.loads(file.read_text())
        names = {row["name"].removeprefix("loadbalance.") for row in rows}
        wanted = {"task_overhead"} | ({"quiet", "quiet_messages", "skew", "skew_block"} if ranks > 1 else set())
        if ranks == 2:
            wanted |= {"two_ranks"} | ({"two_threads"} if len(os.sched_getaffinity(0)) > 1 else set())
        check(wanted <= names, f"{wanted} in {names}")
        for row in rows:
            check(row["parameters"]["ranks"] == ranks and 0 < row["ours"] < 10 and 0 < row["baseline"] < 10, row)


def test_trials(directory):
    for ranks, benchmark, wanted in (
            (2, "steal_model", {"one_rank", "time", "steals"}),
            (3, "steal_model", set()),
            (1, "consensus", {"commit", "selection"}),
            (4, "consensus", {"commit", "selection", "poll_beside_stopped"})):
        file = directory / f"{benchmark}-{ranks}.json"
        ended = bench(ranks, benchmark, "--seconds", "0.001", "--threads", 1, "--json", file)
        check(ended.code == 0, ended)
        rows = json.loads(file.read_text())
        check({row["name"].removeprefix(f"{benchmark}.") for row in rows} == wanted, f"{wanted} in {rows}")
        for row in rows:
            check(0 < row["ours"] and 0 < row["baseline"], row)
            if row["name"] == "steal_model.one_rank":
                check(row["ratio"] == 1, f"one rank takes as long as its nodes: {row}")


def test_bad_arguments(directory):
    for arguments, code, words in [
        ((), 64, ["--list"]),
        (("exakt",), 64, ["exakt", "exact", "collectives"]),
        (("exact", "--seconds", "0"), 64, ["--seconds"]),
        (("collectives", "--seconds", "1000", "--json", directory / "none" / "rows.json"), 66, ["none/"]),
        (("collectives", "--seconds", "1000", "--json", directory), 64, ["is a folder"]),
    ]:
        ended = bench(2, *arguments)
        errors = [line for line in ended.lines_of("cairn-bench") if "error" in line]
        check(ended.code == code and len(errors) == 1 and not ended.out, f"one line and code {code}: {ended}")
        check(all(word in errors[0] for word in words), f"{words} in: {ended}")


with scratch_directory() as scratch:
    test_list()
    test_rows(scratch)
    test_loadbalance(scratch)
    test_trials(scratch)
    test_bad_arguments(scratch)
