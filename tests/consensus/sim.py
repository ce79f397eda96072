"""cairn sim: what it prints, its exit codes, and that a failing seed tells the same story again."""

import json
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

CAIRN = sys.argv[1]


def sim(*arguments):
    return subprocess.run([CAIRN, "sim", "consensus", *arguments], capture_output=True, text=True, timeout=60)


def check(holds, what):
    if not holds:
        print("FAILED:", what)
        sys.exit(1)


def good_runs():
    for protocol in ("commit", "paxos"):
        result = sim("--protocol", protocol, "--schedules", "300", "--seed", "5")
        check(result.returncode == 0, result)
        for line in ("schedules: 300", "violations: 0", "steps: ", "crashes: ", "lost writes: ", "rate: "):
            check(line in result.stdout, (line, result.stdout))
    report = json.loads(sim("--schedules", "300", "--json").stdout)
    check(report["violations"] == 0 and report["schedules"] == 300 and report["failing_seed"] is None, report)


def caught_mutant(scratch):
    stories = []
    for name in ("first", "second"):
        trace = scratch / name
        result = sim("--mutant", "quorum-of-one", "--protocol", "paxos", "--schedules", "500", "--trace", str(trace))
        check(result.returncode == 70, result)
        check("violations: 0" not in result.stdout and "first violation: seed " in result.stdout, result)
        picture = pathlib.Path(str(trace) + ".svg").read_text()
        xml.dom.minidom.parseString(picture)
        stories.append((trace.read_bytes(), picture))
    check(stories[0] == stories[1], "two stories of one seed differ")
    check(b"\t! agreement" in stories[0][0], stories[0][0][-300:])

    seed = json.loads(sim("--mutant", "quorum-of-one", "--protocol", "paxos", "--schedules", "500",
                          "--json").stdout)["failing_seed"]
    alone = scratch / "alone"
    check(sim("--mutant", "quorum-of-one", "--protocol", "paxos", "--schedules", "1", "--seed", str(seed),
              "--trace", str(alone)).returncode == 70, "the seed alone does not fail")
    check(alone.read_bytes() == stories[0][0], "the seed alone tells another story")


def explorer():
    result = sim("--explore", "--nodes", "2", "--acceptors", "1")
    check(result.returncode == 0 and "distinct states: 8174\n" in result.stdout and "depth: 23\n" in result.stdout,
          result)
    result = sim("--explore", "--protocol", "raft", "--nodes", "2", "--fast-disks", "--commands", "0", "--crashes", "1")
    check(result.returncode == 0 and "distinct states: 26142\n" in result.stdout, result)
    result = sim("--explore", "--nodes", "2", "--acceptors", "1", "--mutant", "vote-before-persist")
    check(result.returncode == 70 and "violations: 1" in result.stdout, result)


def wrong_usage():
    for arguments in (["--protocol", "poll"], ["--mutant", "typo"], ["--nodes", "0"], ["--acceptors", "10"],
                      ["--protocol", "paxos", "--mutant", "unilateral-abort"], ["--schedules", "0"],
                      ["--explore", "--nodes", "7"], ["--explore", "--protocol", "raft", "--nodes", "2", "--commands", "16"]):
        result = sim(*arguments)
        check(result.returncode == 64 and result.stderr.startswith("cairn sim: error: "), (arguments, result))


def places_are_looked_at_first(scratch):
    (scratch / "drawn.svg").mkdir()
    for trace, code in ((scratch / "none" / "story", 66), (scratch, 64), (scratch / "drawn", 64)):
        result = sim("--schedules", str(10**9), "--trace", str(trace))
        check(result.returncode == code and not result.stdout, result)


good_runs()
with tempfile.TemporaryDirectory() as folder:
    caught_mutant(pathlib.Path(folder))
    places_are_looked_at_first(pathlib.Path(folder))
explorer()
wrong_usage()
print("cairn sim: in order")
