"""Work stealing of cairn-uts against another UTS program over MPI: nodes a second of both, run in turns.

    python3 apps/bench/against_uts.py build/release/bin/cairn-uts REFERENCE [-n RANKS] [--turns N] [--trees T1,T3,T1L]
                                      [--mpirun "mpirun --bind-to core"]

REFERENCE is the work-stealing MPI program of the UTS benchmark (mpi_workstealing.c), with its options -t -a -d -b -q -m -r,
-c for the nodes of a steal, -v. It prints the wall clock time of its search to a millisecond; ours too is that of the search
alone. Each of its chunk sizes is run once a turn, and each of ours behind it; the best chunk size of all counts. Per tree and
kernel: the median rate of each side, and the median ratio, ours / reference, of the same turn, with its target.
A cairn-uts that was configured with -DCAIRN_UTS_REFERENCE=FOLDER, the reference's sources, has a kernel `reference`, so that
both have the same hash.
"""

import argparse
import json
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile

TREES = {  # options for the reference, and nodes
    "T1": ("-t 1 -a 3 -d 10 -b 4 -r 19", 4130071),
    "T3": ("-t 0 -b 2000 -q 0.124875 -m 8 -r 42", 4112897),
    "T1L": ("-t 1 -a 3 -d 13 -b 4 -r 29", 102181082),
}
CHUNKS = (2, 5, 10, 20, 50)
SIDES = {  # kernel and leaves of ours: the least ratio, by tree
    ("reference", "push"): {"T1": 1.15, "T3": 1.15, "T1L": 1.15},
    ("reference", "count"): {"T1": 1.15, "T3": 1.15, "T1L": 1.15},
    ("portable", "push"): {"T1": 1.15, "T3": 1.15, "T1L": 1.15},
    ("sha_ni", "push"): {"T1": 5, "T3": 5, "T1L": 5},
    ("avx512", "count"): {"T1L": 7},
}


def output_of(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def reference_rate(launcher, program, tree, chunk):
    """Nodes a second by its own clock."""
    options, nodes = TREES[tree]
    out = output_of([*launcher, program, *options.split(), "-c", str(chunk), "-v", "1"])
    size = re.search(r"Tree size = (\d+)", out)
    rate = re.search(r"performance = (\d+) nodes/sec", out)
    if size is None or rate is None or int(size[1]) != nodes:
        sys.exit(f"{program} did not count the {nodes} nodes of {tree}:\n{out}")
    return float(rate[1])


def our_rate(launcher, program, tree, kernel, leaves, directory):
    file = pathlib.Path(directory) / "result.json"
    output_of([*launcher, program, "--tree", tree, "--kernel", kernel, "--leaves", leaves, "--threads", "1",
               "--result", str(file)])
    result = json.loads(file.read_text())
    if result["nodes"] != TREES[tree][1]:
        sys.exit(f"{program} counted {result['nodes']} nodes of {tree}")
    return result["nodes_per_second"]


def kernels_here(program):
    return {kernel for kernel, _ in SIDES
            if subprocess.run([program, "-d", "1", "--kernel", kernel], capture_output=True, check=False).returncode == 0}


def measure(arguments, tree, kernels):
    launcher = [*shlex.split(arguments.mpirun), "-n", str(arguments.ranks)]
    sides = [side for side, least in SIDES.items() if side[0] in kernels and tree in least]
    ours = {side: {chunk: [] for chunk in CHUNKS} for side in sides}
    reference = {chunk: [] for chunk in CHUNKS}
    with tempfile.TemporaryDirectory() as directory:
        for turn in range(arguments.turns):
            for i, chunk in enumerate(CHUNKS):
                reference[chunk].append(reference_rate(launcher, arguments.reference, tree, chunk))
                first = (turn + i) % len(sides)
                for side in sides[first:] + sides[:first]:
                    ours[side][chunk].append(our_rate(launcher, arguments.cairn_uts, tree, *side, directory))
    medians = {chunk: statistics.median(rates) for chunk, rates in reference.items()}
    best = max(medians, key=medians.get)
    for side, rates in ours.items():
        mine = statistics.median(rate for of_chunk in rates.values() for rate in of_chunk)
        ratio = statistics.median(a / b for a, b in zip(rates[best], reference[best], strict=True))
        least = SIDES[side][tree]
        print(f"{tree:5} {arguments.ranks:5} {side[0]:9} {side[1]:6} {mine / 1e6:9.1f} {medians[best] / 1e6:10.1f} {best:6} "
              f"{ratio:6.2f} {least:6.2f}  {'yes' if ratio >= least else 'NO'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cairn_uts")
    parser.add_argument("reference")
    parser.add_argument("-n", "--ranks", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--trees", default="T1,T3,T1L")
    parser.add_argument("--mpirun", default="mpirun --bind-to core")
    arguments = parser.parse_args()
    trees = arguments.trees.split(",")
    if unknown := [tree for tree in trees if tree not in TREES]:
        parser.error(f"no tree {unknown[0]}; there are {', '.join(TREES)}")
    kernels = kernels_here(arguments.cairn_uts)
    print(f"{'tree':5} {'ranks':>5} {'kernel':9} {'leaves':6} {'ours':>9} {'reference':>10} {'chunk':>6} {'ratio':>6} {'target':>6}"
          "  holds   (million nodes a second)")
    for tree in trees:
        measure(arguments, tree, kernels)


if __name__ == "__main__":
    main()
