"""A rank is killed beside others that exchange messages over MPI: they go on, and know whom they do not hear.

mpirun leaves the others alone with --enable-recovery.

usage: mpi_dead.py MPIEXEC DEAD_RANK
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from processes import check, run  # noqa: E402

mpiexec, program = sys.argv[1:]
for ranks, rounds in ((3, 20000), (4, 20000), (7, 4000)):
    ended = run([mpiexec, "--enable-recovery", "-n", ranks, program, rounds], timeout=120)
    through = re.findall(r"^rank (\d+) is through$", ended.out, re.MULTILINE)
    check(sorted(map(int, through)) == list(range(ranks - 1)), f"all survivors, with no more messages than they may hold: {ended}")
    told = re.search(r"^(\d+) rounds, us: .*$", ended.out, re.MULTILINE)
    check(told is not None and int(told[1]) >= rounds, f"the survivors have come through all rounds: {ended}")
    print(f"{ranks} ranks, one of them dead: {told[0]}", flush=True)
