"""All published trees, on all pairs of 1, 2, 3, 4, 7 ranks and 1, 2, 4 threads, under all policies, with and without
interruption: their counts.

Each tree is counted by each pair under each policy alone. And each of these is interrupted: in runs that go through them in a
random order, each launch is killed, or asked to stop, after its next cut, and the next pair goes on from there under its own
policy; as many runs as that takes, for a small tree is through before it has met all.

That is seconds for the small trees, and hours for the largest five: with --record, what has been checked is noted there, and
the same command goes on with the rest.

usage: all_trees.py MPIEXEC CAIRN_UTS [--seed N] [--trees T1,T2,…] [--record FILE] [--jobs N]
"""

import argparse
import concurrent.futures
import json
import pathlib
import random
import shutil
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
COMBINATIONS = [(ranks, threads, policy) for ranks in (1, 2, 3, 4, 7) for threads in (1, 2, 4) for policy in POLICIES]
LARGE = 2 * 10**8  # nodes; there leaves are counted where they are made, which takes half the time


class Record:
    """Which combinations have been checked of a tree, alone and interrupted; kept in a file, if there is one."""

    def __init__(self, path):
        self.path = path
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.checked = {tuple(json.loads(line)) for line in lines}

    def note(self, tree, how, combinations):
        new = [(tree, how, *combination) for combination in combinations]
        self.checked.update(new)
        if self.path:
            with self.path.open("a") as file:
                file.writelines(json.dumps(entry) + "\n" for entry in new)

    def remaining(self, tree, how, chooser):
        """In a random order."""
        left = [combination for combination in COMBINATIONS if (tree, how, *combination) not in self.checked]
        return chooser.sample(left, len(left))


def command(args, tree, combination, result, *options):
    ranks, threads, policy = combination
    tree_options = OPTIONS.get(tree, ("--tree", tree))
    leaves = "count" if TREES[tree][0] > LARGE else "push"
    return [args.mpiexec, "-n", ranks, args.uts, *tree_options, "--threads", threads, "--schedule", policy, "--leaves", leaves,
            "--result", result, *options]


def check_counts(tree, result, how):
    """Returns the epoch from which the run went on."""
    found = json.loads(result.read_text())
    counted = tuple(found[name] for name in ("nodes", "depth", "leaves"))
    check(counted == TREES[tree], f"{tree} {how} is counted as {counted}, not {TREES[tree]}")
    return found["restored_from"]


def alone(args, tree, combination, scratch):
    name = " ".join(map(str, combination))
    result = scratch / f"{tree} {name}.json"
    ended = run(command(args, tree, combination, result), 3600)
    check(ended.code == 0, ended)
    check_counts(tree, result, f"on {name} (ranks, threads, policy)")


def interrupted(chooser, args, tree, combinations, scratch):
    """One run through the tree. Returns the combinations that were interrupted in it: with the last one that ran through, each
    of them has lost nothing, and none has counted anything twice.
    """
    directory, result = scratch / tree, scratch / f"{tree}.json"
    options = ("--ckpt-dir", directory, "--cut-every", max(TREES[tree][0] // 200, 10**5))
    if TREES[tree][0] < 10**7:  # so that there is time for it
        options += ("--kernel", "portable")
    met = []
    for combination in combinations:
        process = start(command(args, tree, combination, result, *options))
        in_time = disturb(chooser, process, directory, 1800)
        ended = finish(process, 3600)
        if ended.code == 0:
            break
        check(in_time, f"it ended by itself:\n{ended}")
        met.append(combination)
    ended = run(command(args, tree, chooser.choice(COMBINATIONS), result, *options), 3600)
    check(ended.code == 0, ended)
    restored_from = check_counts(tree, result, f"after {len(met)} interruptions")
    check(not met or restored_from is not None, f"{tree} did not go on from a checkpoint:\n{ended}")
    shutil.rmtree(directory)
    return met


def check_tree(chooser, args, tree, record, scratch):
    runs = in_vain = 0
    while left := record.remaining(tree, "interrupted", chooser):
        met = interrupted(chooser, args, tree, left, scratch)
        record.note(tree, "interrupted", met)
        runs += 1
        in_vain = 0 if met else in_vain + 1
        check(in_vain < 20, f"{tree} was never interrupted in 20 runs; not yet: {left}")
    left = record.remaining(tree, "alone", chooser)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(alone, args, tree, combination, scratch): combination for combination in left}
        try:
            for job in concurrent.futures.as_completed(jobs):
                job.result()
                record.note(tree, "alone", [jobs[job]])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return runs, len(left)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mpiexec")
    parser.add_argument("uts")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--trees", default=",".join(TREES))
    parser.add_argument("--record", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    chooser = random.Random(args.seed)
    as_users_have_mpirun()
    before = segments()
    record = Record(args.record)
    with scratch_directory() as scratch:
        for tree in args.trees.split(","):
            begin = time.monotonic()
            runs, counted_alone = check_tree(chooser, args, tree, record, scratch)
            print(f"{tree}: {TREES[tree][0]} nodes; {counted_alone} combinations alone, all of {len(COMBINATIONS)} interrupted in "
                  f"{runs} runs, {time.monotonic() - begin:.0f} s", flush=True)
            remove_segments(segments() - before)


main()
