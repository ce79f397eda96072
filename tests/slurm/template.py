"""The sbatch template is short, clean, and edited in one place only; needs no Slurm.

usage: template.py JOB_SBATCH
"""

import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from processes import check, run  # noqa: E402

MOST_LINES = 60
USERS_DIRECTIVES = {"job-name", "output", "nodes", "ntasks", "cpus-per-task", "time"}
OUR_DIRECTIVES = {"signal", "requeue", "open-mode"}


def directives(text):
    return set(re.findall(r"^#SBATCH --([a-z-]+)", text, re.MULTILINE))


def main(path):
    text = pathlib.Path(path).read_text()
    check(len(text.splitlines()) <= MOST_LINES, f"{path} has more than {MOST_LINES} lines")
    before, block, after = re.split(r"^# ---- (?:edit from here|to here) ----\n", text, flags=re.MULTILINE)
    check(directives(before) == OUR_DIRECTIVES, f"before the block: {directives(before)}")
    check(directives(block) == USERS_DIRECTIVES, f"in the block: {directives(block)}")
    check("#SBATCH" not in after, "Slurm ignores directives behind the first command")
    for name in ("cairn", "program", "max_requeues"):
        check(re.search(f"^{name}=", block, re.MULTILINE), f"{name} is not set in the block")
    check(re.search(r"^exit \"\$code\"", after.splitlines()[-1]), "the last line must end with the program's code")
    for command in (["bash", "-n", path], ["shellcheck", path]):
        if shutil.which(command[0]):
            ended = run(command)
            check(ended.code == 0, f"{ended}")
        else:
            print(f"not checked: {command[0]} is not installed")


main(*sys.argv[1:])
