"""All published trees, on all pairs of 1, 2, 3, 4, 7 ranks and 1, 2, 4 threads, with and without interruption: their counts.

Of each tree there is one run that goes through all pairs in a random order, each under a random policy: each launch is killed,
or asked to stop, after its next cut, and the next pair goes on from there. All are also counted by each pair alone: trees of up
to 200 million nodes under each policy, larger ones under one policy after the other.

usage: all_trees.py MPIEXEC CAIRN_UTS [--seed N] [--trees T1,T2,…]
"""

import argparse
import itertools
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cuts import POLICIES, disturb  # noqa: E402
from processes import (as_users_have_mpirun, check, finish, remove_segments, run, scratch_directory, segments,  # noqa: E402
                       start)

# Nodes, depth, leaves: as published, or as counted by independent programs where nobody has.
TREES = {
    "T1": (4130071, 10, 3305118), "T2": (4117769, 81, 2342762), "T3": (4112897, 1572, 3599034),
    "T4": (4132453, 134, 3108986), "T5": (4147582, 20, 2181318),
    "T1L": (102181082, 13, 81746377), "T2L": (96793510, 67, 53791152), "T3L": (111345631, 17844, 89076904),
    "T1XL": (1635119272, 15, 1308100063), "T1XXL": (4230646601, 15, 3384495738),
    "T3XXL": (2793220501, 99049, 1396611250), "T2XXL": (10612052303, 216370, 5306027151),
    "BOTS-tiny": (30399117, 6974, 20266744), "BOTS-medium": (1606963542, 79868, 1071309694),
}
# Trees without a name of their own in the program: T2XXL, and those of the Barcelona OpenMP Tasks Suite.
OPTIONS = {
    "T2XXL": ("-t", 0, "-b", 2000, "-q", 0.499999995, "-m", 2, "-r", 0),
    "BOTS-tiny": ("-t", 0, "-b", 2000, "-q", 0.333332, "-m", 3, "-r", 8),
    "BOTS-medium": ("-t", 0, "-b", 2000, "-q", 0.333344, "-m", 3, "-r", 23),
}
PAIRS = list(itertools.product((1, 2, 3, 4, 7), (1, 2, 4)))


def command(args, tree, pair, policy, result, *options):
    ranks, threads = pair
    tree_options = OPTIONS.get(tree, ("--tree", tree))
    return [args.mpiexec, "-n", ranks, args.uts, *tree_options, "--threads", threads, "--schedule", policy, "--result",
            result, *options]


def counts(result):
    found = json.loads(result.read_text())
    return tuple(found[name] for name in ("nodes", "depth", "leaves")), found["restored_from"]


def check_counts(tree, counted, how):
    check(counted == TREES[tree], f"{tree} {how} is counted as {counted}, not {TREES[tree]}")


def alone(args, tree, scratch):
    """Returns how many runs that were."""
    each = itertools.product(PAIRS, POLICIES)
    in_turn = zip(PAIRS, itertools.cycle(POLICIES))
    runs = list(each if TREES[tree][0] < 2 * 10**8 else in_turn)
    for pair, policy in runs:
        result = scratch / "alone.json"
        ended = run(command(args, tree, pair, policy, result), 3600)
        check(ended.code == 0, ended)
        check_counts(tree, counts(result)[0], f"on {pair[0]} ranks of {pair[1]} threads, {policy},")
    return len(runs)


def interrupted(chooser, args, tree, scratch):
    directory, result = scratch / tree, scratch / f"{tree}.json"
    options = ("--ckpt-dir", directory, "--cut-every", TREES[tree][0] // 40)
    if TREES[tree][0] < 10**7:  # so that there is time for it
        options += ("--kernel", "portable")
    pairs = chooser.sample(PAIRS, len(PAIRS))
    interruptions = 0
    for pair in pairs:
        process = start(command(args, tree, pair, chooser.choice(POLICIES), result, *options))
        in_time = disturb(chooser, process, directory)
        ended = finish(process, 3600)
        if ended.code == 0:
            break
        check(in_time, f"it ended by itself:\n{ended}")
        interruptions += 1
    ended = run(command(args, tree, pairs[0], chooser.choice(POLICIES), result, *options), 3600)
    check(ended.code == 0, ended)
    counted, restored_from = counts(result)
    check_counts(tree, counted, f"after {interruptions} interruptions")
    check(interruptions > 0 and restored_from is not None, f"{tree} was never interrupted")
    return interruptions


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mpiexec")
    parser.add_argument("uts")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--trees", default=",".join(TREES))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    chooser = random.Random(args.seed)
    as_users_have_mpirun()
    before = segments()
    with scratch_directory() as scratch:
        for tree in args.trees.split(","):
            begin = time.monotonic()
            runs = alone(args, tree, scratch)
            interruptions = interrupted(chooser, args, tree, scratch)
            print(f"{tree}: {TREES[tree][0]} nodes, {runs} runs without and one with {interruptions} interruptions, "
                  f"{time.monotonic() - begin:.0f} s", flush=True)
            remove_segments(segments() - before)


main()
