"""How programs end that make one mistake with collectives.  misuse.py PROGRAM   (the program is misuse.cpp)"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from processes import check, run, segments, remove_segments  # noqa: E402

PROGRAM = sys.argv[1]
SOURCE = pathlib.Path(__file__).with_name("misuse.cpp").read_text().splitlines()


def mpirun(ranks, *words, **environment):
    return run(["mpirun", "-n", ranks, PROGRAM, *words], timeout=30, **environment)


def line_of(mistake, side):
    """The line of misuse.cpp that says in a comment whose call it is."""
    found = [n for n, line in enumerate(SOURCE, 1) if line.endswith(f"// {mistake} of {side}")]
    check(len(found) == 1, f"one line '{mistake} of {side}' expected, found {found}")
    return found[0]


SUM = "all_reduce of 10 double with cairn::Sum"
AUTOMATIC = "route automatic, message_bytes 8192"
NAMESPACE = "a_namespace_with_a_name_so_long_that_nobody_would_like_to_read_all_of_it"

# What the message says that the others call, what the last rank does, and what it says at the end.
MISMATCHES = {
    "call": (SUM, "barrier"),
    "count": (SUM, "all_reduce of 9 double with cairn::Sum"),
    "root": ("bcast of 10 double, root 2", "bcast of 10 double, root 0"),
    "operation": (SUM, "all_reduce of 10 double with cairn::Maximum"),
    "type": (SUM, "all_reduce of 10 float with cairn::Sum"),
    "future": ("async " + SUM, "async bcast of 10 double, root 0"),
    "async-or-not": (SUM, "async " + SUM),
    "planned-or-not": (SUM, "planned " + SUM),
    "async-or-planned": ("async " + SUM, "planned " + SUM),
    "exact": ("exact_sum", "exact_norm"),
    "exact-sums": ("exact_sums of 10 double", "exact_sums of 9 double"),
    "exact-async": ("async exact_dot", "exact_dot"),
    "exact-merge": ("all_reduce of 1 cairn::ExactSum", "async all_reduce of 1 cairn::ExactSum"),
    "sparse-type": (f"sparse_exchange of double with {AUTOMATIC}", f"sparse_exchange of float with {AUTOMATIC}"),
    "sparse-route": (
        f"sparse_exchange of double with {AUTOMATIC}",
        "sparse_exchange of double with route direct, message_bytes 8192",
    ),
    "split": ("Communicator::split", "Communicator::duplicate"),
    "duplicate": ("Communicator::duplicate", "barrier"),
    "grid": ("CartesianGrid with 2 axes, open", "CartesianGrid with 2 axes, periodic"),
    "graph": ("NeighbourGraph", "CartesianGrid with 2 axes, open"),
    "all-gather-counts": (
        "all_gather_v of double, counts 2 2 2",
        "all_gather_v of double, counts 2 1 2",
    ),
    "all-gather-wide-counts": (
        "all_gather_v of a wide layout of double, counts 2 2 2",
        "all_gather_v of a wide layout of double, counts 2 1 2",
    ),
    "reduce-scatter-counts": (
        "reduce_scatter of 6 double with cairn::Sum, counts 2 2 2",
        "reduce_scatter of 6 double with cairn::Sum, counts 3 1 2",
    ),
    "reduce-scatter-wide-counts": (
        "reduce_scatter of wide counts of 6 double with cairn::Sum, counts 2 2 2",
        "reduce_scatter of wide counts of 6 double with cairn::Sum, counts 3 1 2",
    ),
    "long-name": (
        f"bcast of 10 {{anonymous}}::{NAMESPACE}::Mass, root 0",
        f"bcast of 10 {{anonymous}}::{NAMESPACE}::Charge, root 0",
    ),
    "lambda": ("all_reduce of 10 double with cairn::", "all_reduce of 10 double with cairn::"),
}
ALIKE = "; they read alike, but are of two types or operations (two lambdas?), or further counts differ"


def mismatches_are_errors_that_name_both_sides():
    for mistake, (others, last) in MISMATCHES.items():
        ended = mpirun(3, mistake, CAIRN_CHECK="collectives")
        check(ended.code == 70, f"{mistake}: code 70 expected\n{ended}")
        lines = [line for line in ended.out.splitlines() if line.startswith("the ranks do not call the same")]
        check(len(lines) == 3 and len(set(lines)) == 1, f"the same error on all three ranks\n{ended}")
        sides = re.fullmatch(
            r"the ranks do not call the same collective: (.*) \((.*)\) on rank 0, but (.*) \((.*)\) on rank 2(;.*)?",
            lines[0],
        )
        check(sides is not None, f"{mistake}: two sides expected\n{ended}")
        for text, wanted in ((sides[1], others), (sides[3], last)):
            whole = text == wanted or wanted.endswith("::") and text.startswith(wanted)
            check(whole, f"{mistake}: '{wanted}' expected, not '{text}'")
        for place, side in ((sides[2], "others"), (sides[4], "last")):
            wanted = f"misuse.cpp:{line_of(mistake, side)}"
            check(place.endswith("/" + wanted), f"{mistake}: {wanted} expected\n{ended}")
        check((sides[5] == ALIKE) == (sides[1] == sides[3]), f"{mistake}: a word on texts that are alike\n{ended}")


def right_calls_pass_the_check():
    for level in ("collectives", ""):
        ended = mpirun(3, "none", CAIRN_CHECK=level)
        check(ended.code == 0 and ended.out.count("fine") == 3, str(ended))


def unfinished_calls_are_loud():
    for mistake, call in (("unfinished-future", "all_reduce"), ("unfinished-plan", "all_reduce")):
        ended = mpirun(2, mistake)
        check(ended.code != 0, f"{mistake}: an exit code expected\n{ended}")
        check(f"the Future or Plan of {call} is destroyed while the call is under way" in ended.err, str(ended))


def what_is_left_halfway_is_loud():
    for mistake, text in (
        ("unfinished-halo", "a HaloExchange is destroyed while an exchange is under way"),
        ("unreceived-message", "a Message is destroyed that was probed and not received"),
    ):
        ended = mpirun(2, mistake)
        check(ended.code != 0 and text in ended.err, f"{mistake}: '{text}' expected\n{ended}")
    ended = mpirun(2, "unreceived-for-a-reason")
    check(ended.code == 3 and "is destroyed" not in ended.err, f"the exception's way out expected\n{ended}")


def waiting_twice_is_an_error():
    ended = mpirun(2, "twice")
    check(ended.code == 3 and "a Future is waited for once" in ended.out, str(ended))


def objects_may_outlive_mpi():
    for order in ("statics", "host-owns-mpi", "host-ends-mpi-late"):
        for ranks in (1, 3):
            ended = mpirun(ranks, order)
            check(ended.code == 0 and ended.err == "", f"{order}: a clean end expected\n{ended}")


before = segments()
try:
    mismatches_are_errors_that_name_both_sides()
    right_calls_pass_the_check()
    unfinished_calls_are_loud()
    waiting_twice_is_an_error()
    objects_may_outlive_mpi()
    what_is_left_halfway_is_loud()
finally:
    remove_segments(segments() - before)  # of the jobs that ended in std::terminate
