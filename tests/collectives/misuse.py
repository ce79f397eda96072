"""How programs end that make one mistake with collectives.  misuse.py PROGRAM   (the program is misuse.cpp)"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from processes import check, run, segments, remove_segments  # noqa: E402

PROGRAM = sys.argv[1]


def mpirun(ranks, *words, **environment):
    return run(["mpirun", "-n", ranks, PROGRAM, *words], timeout=30, **environment)


def mismatches_are_errors_that_name_both_sides():
    places = {
        "call": ("all_reduce of 10 double with cairn::Sum", "barrier (", "misuse.cpp:"),
        "count": ("all_reduce of 10 double", "all_reduce of 9 double"),
        "root": ("bcast of 10 double, root 2", "bcast of 10 double, root 0"),
        "operation": ("with cairn::Sum", "with cairn::Maximum"),
        "type": ("of 10 double", "of 10 float"),
        "future": ("all_reduce of 10 double", "bcast of 10 double, root 0"),
    }
    for mistake, texts in places.items():
        ended = mpirun(3, mistake, CAIRN_CHECK="collectives")
        check(ended.code == 70, f"a wrong {mistake}: code 70 expected\n{ended}")
        lines = [line for line in ended.out.splitlines() if line.startswith("the ranks do not call the same")]
        check(len(lines) == 3 and len(set(lines)) == 1, f"the same error on all three ranks\n{ended}")
        for text in (*texts, "on rank 0, but", "on rank 2"):
            check(text in lines[0], f"a wrong {mistake}: '{text}' expected\n{ended}")


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
