"""Runs test programs under memcheck, which finds nothing but what tests/support/valgrind.supp lists.

    valgrind.py --preload LIBRARY [--mistakes PROGRAM] [--ranks 2 3] [--mpi PROGRAM…] [--serial PROGRAM…] [--test-cases=FILTER]
                [--without=FILTER]

LIBRARY is made of tests/support/defined_sends.cpp and tracked_requests.cpp. The program of mistakes
(valgrind_mistakes.cpp) shows first that each kind of error would be seen.
"""

import argparse
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
sys.path.insert(0, str(SUPPORT))
from processes import check, remove_segments, run, scratch_directory, segments  # noqa: E402

# Names of plug-ins stay readable after they are gone; programs may have an operator new of their own.
MEMCHECK = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite", "--keep-debuginfo=yes", "--num-callers=40",
            "--soname-synonyms=somalloc=nouserintercepts", f"--suppressions={SUPPORT / 'valgrind.supp'}"]

# Each mistake, and what the log says of it.
MISTAKES = {
    "undefined-send": ("Uninitialised byte", "PMPI_Bcast"),
    "undefined-term": ("Uninitialised byte", "PMPI_Allreduce"),
    "undefined-read": ("depends on uninitialised value", "read_undefined"),
    "request": ("definitely lost", "leak_request"),
    "datatype": ("definitely lost", "leak_datatype"),
    "memory": ("definitely lost", "leak_memory"),
}


def memcheck(program, *words, ranks, preload, error_code):
    """How the run ended, and what memcheck wrote: reports without process numbers, lines of a readable length."""
    with scratch_directory() as folder:
        command = [*MEMCHECK, f"--error-exitcode={error_code}", f"--log-file={folder}/%p", program, *words]
        if ranks:
            command = ["mpirun", "-n", ranks, "-x", f"LD_PRELOAD={preload}", *command]
        ended = run(command, timeout=300)
        lines = "".join(path.read_text() for path in sorted(folder.iterdir())).splitlines()
    return ended, "\n".join(re.sub(r"^==\d+== ?", "", line)[:400] for line in lines)


def mistakes_are_found(program, preload):
    # Without a code of its own: the reports are what counts.
    ended, log = memcheck(program, *MISTAKES, ranks=1, preload=preload, error_code=0)
    check(ended.code == 0, f"an end without a code expected\n{ended}\n{log}")
    reports = re.split(r"\n\s*\n", log)
    for mistake, texts in MISTAKES.items():
        check(any(all(text in report for text in texts) for report in reports), f"{mistake} was not found\n{log}")


def is_clean(program, ranks, filters, preload):
    ended, log = memcheck(program, *filters, ranks=ranks, preload=preload, error_code=99)
    check(ended.code == 0 and not log.strip(), f"no error of memcheck expected\n{ended}\n{log}")
    check(re.search(r"[1-9]\d* passed +\| 0 failed", ended.out), f"tests that pass expected\n{ended}")
    print(f"{pathlib.Path(program).name}, {ranks or 'no'} ranks: clean, {ended.seconds:.0f} s", flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("--preload", required=True)
parser.add_argument("--mistakes")
parser.add_argument("--ranks", nargs="+", type=int, default=[2])
parser.add_argument("--mpi", nargs="*", default=[])
parser.add_argument("--serial", nargs="*", default=[])
parser.add_argument("--test-cases", default="*")
parser.add_argument("--without", default="")
options = parser.parse_args()
doctest_filters = [f"--test-case={options.test_cases}", f"--test-case-exclude={options.without}"]
before = segments()
try:
    if options.mistakes:
        mistakes_are_found(options.mistakes, options.preload)
    for one in options.mpi:
        for number in options.ranks:
            is_clean(one, number, doctest_filters, options.preload)
    for one in options.serial:
        is_clean(one, 0, doctest_filters, options.preload)
finally:
    remove_segments(segments() - before)  # of jobs that memcheck ended
