"""How programs end that make one mistake with collectives.  misuse.py PROGRAM   (made of misuse.cpp and mismatches.cpp)"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from processes import check, run, segments, remove_segments  # noqa: E402

PROGRAM = sys.argv[1]
SOURCE = pathlib.Path(__file__).with_name("mismatches.cpp").read_text().splitlines()


def mpirun(ranks, *words, **environment):
    return run(["mpirun", "-n", ranks, PROGRAM, *words], timeout=30, **environment)


def line_of(mistake, side):
    """The line of mismatches.cpp that says in a comment whose call it is."""
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


# What one rank misses in its arguments, what it would have called, and what the others call.
REFUSALS = {
    "refused-size": ("out of size p·n", "all_gather of 2 double", "all_gather of 2 double"),
    "refused-root": (
        "a rank of the communicator",
        "async bcast of 10 double, root 3",
        "async bcast of 10 double, root 1",
    ),
    "refused-plan": ("out of size p·n", "planned all_gather of 2 double", "planned all_gather of 2 double"),
    "refused-layout": (
        "one count and one displacement per part",
        "all_gather_v of double",
        "all_gather_v of double, counts 2 2 2",
    ),
    "refused-counts": (
        "in of the size of all counts, out of the size of this rank's",
        "reduce_scatter of 6 double with cairn::Sum",
        "reduce_scatter of 6 double with cairn::Sum, counts 2 2 2",
    ),
    "refused-reduction": ("out of the size of in", SUM, SUM.replace("10", "6")),
    "refused-exact": ("two factors of equal size", "exact_dot", "exact_dot"),
    "refused-exact-sums": ("as many sums as terms", "async exact_sums of 6 double", "async exact_sums of 6 double"),
    "refused-parts": (
        "as many values as the sum of the counts",
        "all_to_all_v of unknown counts of double",
        "all_to_all_v of unknown counts of double",
    ),
    "refused-destination": (
        "destinations that are ranks",
        "sparse_exchange of double",
        f"sparse_exchange of double with {AUTOMATIC}",
    ),
    "refused-colour": ("a colour of 0 or more", "Communicator::split", "Communicator::split"),
}


def messages():
    """What the ranks say on each mistake, all of them made one after the other."""
    ended = mpirun(3, "mismatches", CAIRN_CHECK="collectives")
    check(ended.code == 0, f"an error on all ranks for each mistake expected\n{ended}")
    found = dict(line.split(": ", 1) for line in ended.out.splitlines())
    check(set(found) == set(MISMATCHES) | set(REFUSALS), f"the mistakes of this file expected\n{ended}")
    return found


def check_place(place, mistake, side):
    wanted = f"mismatches.cpp:{line_of(mistake, side)}"
    check(place.endswith("/" + wanted), f"{mistake}: {wanted} expected, not {place}")


def mismatches_are_errors_that_name_both_sides(found):
    ended = mpirun(3, "mismatch", CAIRN_CHECK="collectives")
    check(ended.code == 70, f"code 70 expected\n{ended}")
    beginning = "the ranks do not call the same collective: "
    for mistake, (others, last) in MISMATCHES.items():
        message = found[mistake]
        sides = re.fullmatch(beginning + r"(.*) \((.*)\) on rank 0, but (.*) \((.*)\) on rank 2(;.*)?", message)
        check(sides is not None, f"{mistake}: two sides expected\n{message}")
        for text, wanted in ((sides[1], others), (sides[3], last)):
            whole = text == wanted or wanted.endswith("::") and text.startswith(wanted)
            check(whole, f"{mistake}: '{wanted}' expected, not '{text}'")
        check_place(sides[2], mistake, "others")
        check_place(sides[4], mistake, "last")
        check((sides[5] == ALIKE) == (sides[1] == sides[3]), f"{mistake}: a word on texts that are alike\n{message}")


def a_call_that_one_rank_cannot_make_is_an_error_on_all(found):
    beginning = "rank 2 cannot make its call: precondition: "
    for mistake, wanted in REFUSALS.items():
        message = found[mistake]
        told = re.fullmatch(beginning + r"(.*), in (.*) \((.*)\) on rank 2, beside (.*) \((.*)\) on rank 0", message)
        check(told is not None, f"{mistake}: two sides expected\n{message}")
        check((told[1], told[2], told[4]) == wanted, f"{mistake}: {wanted} expected\n{message}")
        check_place(told[3], mistake, "last")
        check_place(told[5], mistake, "others")


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


def an_exception_beside_an_unfinished_call_is_told_of():
    for what in ("future", "plan", "halo"):
        ended = mpirun(2, what + "-meets-an-error")
        text = "while an exception was on its way"
        check(ended.code != 0 and text in ended.err, f"{what}: '{text}' expected\n{ended}")
    ended = mpirun(2, "unfinished-future")
    check("exception was on its way" not in ended.err, str(ended))


def a_host_without_threads_hears_how_to_join():
    ended = mpirun(2, "host-is-single")
    for remedy in ("MPI_Init_thread with MPI_THREAD_FUNNELED", "RuntimeOptions{.thread_level = MPI_THREAD_SINGLE}"):
        check(ended.out.count(remedy) == 2, f"'{remedy}' expected\n{ended}")
    check(ended.code == 0 and ended.out.count("joined") == 2, str(ended))


def an_unknown_word_of_the_check_is_everybodys_error():
    for word in ("collective", "1"):
        ended = mpirun(3, "check", CAIRN_CHECK=word)
        text = f"64 agreed: rank 0: CAIRN_CHECK: '{word}' is none of collectives and the empty word"
        check(ended.code == 0 and ended.out.count(text) == 3, f"'{text}' expected\n{ended}")


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
    found_messages = messages()
    mismatches_are_errors_that_name_both_sides(found_messages)
    a_call_that_one_rank_cannot_make_is_an_error_on_all(found_messages)
    right_calls_pass_the_check()
    unfinished_calls_are_loud()
    waiting_twice_is_an_error()
    objects_may_outlive_mpi()
    what_is_left_halfway_is_loud()
    an_exception_beside_an_unfinished_call_is_told_of()
    a_host_without_threads_hears_how_to_join()
    an_unknown_word_of_the_check_is_everybodys_error()
finally:
    remove_segments(segments() - before)  # of the jobs that ended in std::terminate
