"""cairn sim steal: exact counts, what it prints and draws, planted mistakes, and what is refused."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import xml.dom.minidom

CAIRN = sys.argv[1]
USAGE, CAUGHT = 64, 70


def sim(*arguments):
    return subprocess.run([CAIRN, "sim", "steal", *map(str, arguments)], capture_output=True, text=True, timeout=3600)


def check(holds, what):
    if not holds:
        print("FAILED:", what)
        sys.exit(1)


def report(*arguments):
    result = sim(*arguments, "--json")
    check(result.returncode == 0, result)
    return json.loads(result.stdout)


def trees():
    alone = report("--tree", "T1", "--ranks", 1)
    check(alone["nodes"] == 4130071 and alone["messages"] == 0, alone)
    check(abs(alone["simulated_seconds"] - 4130071 * 100e-9) < 1e-9, alone)
    wide = report("--tree", "T1", "--ranks", 64)
    check(wide["nodes"] == 4130071 and wide["efficiency"] > 0.94, wide)
    check(wide["termination_seconds"] < 0.3e-3, wide)
    check(wide == {**report("--tree", "T1", "--ranks", 64), "seconds": wide["seconds"]}, "another run, another report")
    hosts = report("--tree", "T3", "--ranks", 32, "--ranks-per-host", 8)
    check(hosts["nodes"] == 4112897 and hosts["efficiency"] > 0.8, hosts)


def large_trees():
    """What the README says of thousands of ranks; the simulator has no chance in it but the seed's."""
    for tree, ranks, nodes, least in (("T1L", 1024, 102181082, 0.94), ("T1L", 4096, 102181082, 0.82),
                                      ("T3L", 1024, 111345631, 0.25), ("T1XL", 16384, 1635119272, 0.92)):
        told = report("--tree", tree, "--ranks", ranks)
        check(told["nodes"] == nodes and told["efficiency"] >= least, told)
        check(told["termination_seconds"] < 0.3e-3, told)
        print(f"{tree} on {ranks} ranks: efficiency {told['efficiency']:.3f}", flush=True)


def picture(scratch):
    path = scratch / "busy.svg"
    result = sim("--tree", "T1", "--ranks", 100, "--picture", path)
    check(result.returncode == 0 and "efficiency: 0." in result.stdout and "termination: 0." in result.stdout, result)
    xml.dom.minidom.parseString(path.read_text())
    result = sim("--tree", "T1", "--ranks", 2, "--picture", scratch / "no such folder" / "busy.svg")
    check(result.returncode != 0 and "cairn sim" in result.stderr, result)


def schedules():
    good = report("--schedules", 500, "--ranks", 4)
    check(good["violations"] == 0 and good["schedules"] == 500 and good["pauses"] > 0, good)
    result = sim("--schedules", 5000, "--ranks", 6, "--mutant", "two-counters", "--json")
    check(result.returncode == CAUGHT, result)
    caught = json.loads(result.stdout)
    again = sim("--schedules", 1, "--seed", caught["failing_seed"], "--ranks", 6, "--mutant", "two-counters", "--json")
    check(json.loads(again.stdout)["violation"] == caught["violation"], "the seed alone does not fail")
    last = report("--schedules", 3, "--ranks", 4, "--seed", 2**64 - 2)
    check(last["schedules"] == 3, last)
    many = sim("--schedules", 2**64 - 1, "--ranks", 6, "--mutant", "two-counters", "--json")
    check(json.loads(many.stdout)["failing_seed"] == caught["failing_seed"], many)


def places_are_looked_at_first(folder):
    for picture, code in ((folder / "none" / "busy.svg", 66), (folder, USAGE)):
        result = sim("--tree", "T1", "--ranks", 2, "--picture", picture)
        check(result.returncode == code and not result.stdout, result)


def peak_memory(*arguments):
    """Of the largest simulation so far."""
    report("--tree", "T1", "--ranks", 12000, *arguments)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def one_host():
    """Where all ranks are on one host, each asks any of them, and wants no list of all."""
    without_hosts = peak_memory()
    with_one = peak_memory("--ranks-per-host", 12000)
    check(with_one < 2 * without_hosts, (without_hosts, with_one))


def refusals():
    for words in (("--tree", "T9"), ("--ranks", 0), ("--latency-us", 0), ("--node-ns", -1), ("--node-ns", 1e300),
                  ("--latency-us", 1e300), ("--random-tries", -1), ("--random-tries", 2**31 - 1), ("--ranks-per-host", -1),
                  ("--poll-nodes", 0), ("--schedules", 10, "--mutant", "no-such"), ("--schedules", 10, "--tree", "T1"),
                  ("--schedules", 10, "--random-tries", 2), ("--tree", "T1", "--mutant", "two-counters"),
                  ("--mutant", "none"), ("--tree", "T1L", "--ranks", 1, "--node-ns", 1e9),
                  ("--tree", "T1L", "--ranks", 1, "--poll-nodes", 1, "--poll-ns", 1e9), ("--no-such-option",),
                  ("surplus",)):
        result = sim(*words)
        check(result.returncode == USAGE and result.stderr.startswith("cairn"), (words, result))


with tempfile.TemporaryDirectory(prefix="cairn-sim-") as folder:
    trees()
    if os.environ.get("CAIRN_TEST_LONG"):
        large_trees()
    picture(pathlib.Path(folder))
    places_are_looked_at_first(pathlib.Path(folder))
    schedules()
    one_host()
    refusals()
