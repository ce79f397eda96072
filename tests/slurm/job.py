"""slurm/job.sbatch on a real Slurm of two or three virtual nodes.

usage: job.py job|lost_node|time_limit JOB_SBATCH MPIEXEC CAIRN CAIRN_HEAT

The only edits are those that a user makes: lines of the template's marked block.
"""

import json
import pathlib
import re
import shlex
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from processes import check, newest_step, run, scratch_directory  # noqa: E402
from slurm_cluster import SlurmCluster, skip_unless_available  # noqa: E402

RANKS = 4
STEPS = 600
EVERY = 50
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "DEADLINE", "OUT_OF_MEMORY"}
# A stall in every step keeps the job busy for six seconds, on whatever machine.
SLOWLY = "export CAIRN_FAILPOINTS=heat.step=stall:0.01,rank=0"


class Slurm:
    """Submits the template, edited, and watches its jobs."""

    def __init__(self, cluster, work, template, cairn):
        self.cluster, self.work, self.cairn = cluster, work, cairn
        self.template = pathlib.Path(template).read_text()

    def submit(self, name, program, nodes=2, more="", max_requeues=20, limit="00:10:00", cairn=None):
        """The new job's id, and its directory."""
        directory = self.work / name
        directory.mkdir()
        script = directory / "job.sbatch"
        script.write_text(edited(self.template, {
            "#SBATCH --job-name=": name,
            "#SBATCH --nodes=": nodes,
            "#SBATCH --ntasks=": RANKS,
            "#SBATCH --time=": limit,
            "# module load": None if not more else f"\n{more}",
            "cairn=": shlex.quote(str(cairn or self.cairn)),
            "program=": f"({shlex.join(map(str, program))})",
            "max_requeues=": max_requeues,
        }))
        return self.cluster.submit(script, cwd=directory), directory

    def output(self, job, directory):
        """The job's output file: one for all runs, since the template appends."""
        files = list(directory.glob(f"*-{job}.out"))
        return "\n".join(path.read_text(errors="replace") for path in files)

    def wait_until(self, job, directory, reached, what, seconds):
        """Polls the job's fields; a failure shows the job and what it printed."""
        deadline = time.monotonic() + seconds
        while True:
            state = self.cluster.job(job)
            if reached(state):
                return state
            check(state["JobState"] not in ENDED and time.monotonic() < deadline,
                  f"{what}: {state}\n{self.output(job, directory)}\n{self.cluster.logs()}")
            time.sleep(0.05)

    def wait_for_run(self, job, directory, number):
        """Waits until the job is requeued for the `number`-th time, and starts it without delay."""
        self.wait_until(job, directory, lambda state: state["Restarts"] == str(number),
                        f"requeue {number} expected", 90)
        self.wait_until(job, directory, lambda state: state["JobState"] in ("PENDING", "RUNNING"),
                        "pending expected", 60)
        self.cluster.start_now(job)

    def wait_for_end(self, job, directory, state, exit_code, restarts):
        ended = self.wait_until(job, directory, lambda now: now["JobState"] in ENDED, "no end", 120)
        found = (ended["JobState"], ended["ExitCode"], ended["Restarts"])
        expected = (state, f"{exit_code}:0", str(restarts))
        check(found == expected, f"{expected} expected: {ended}\n{self.output(job, directory)}")
        return ended


class Heat:
    """The program under test, and the digest that it must end with."""

    def __init__(self, mpiexec, heat, work):
        self.program = [heat, "--size", 64, "--steps", STEPS, "--initial", "spots", "--threads", 1]
        self.checkpoints = ["--result", "result.json", "--ckpt-dir", "ckpt", "--ckpt-every", EVERY]
        result = work / "undisturbed.json"
        ended = run([mpiexec, "-n", 1, *self.program, "--result", result])
        check(ended.code == 0, f"undisturbed run: {ended}")
        self.digest = json.loads(result.read_text())["digest"]

    def command(self):
        return [*self.program, *self.checkpoints]

    def wait_for_epoch(self, slurm, job, directory):
        slurm.wait_until(job, directory, lambda _: epoch(directory), "a first epoch expected", 60)

    def check_result(self, directory, restored_at_or_after):
        result = json.loads((directory / "result.json").read_text())
        check(result["digest"] == self.digest, f"digest {result['digest']} instead of {self.digest}")
        check(result["restored_from"] is not None and result["restored_from"] >= restored_at_or_after,
              f"restored from {result['restored_from']} instead of {restored_at_or_after} or later")


def edited(template, values):
    """The template with each line of the marked block that begins with a key given a new value.

    None leaves the line alone. What stands outside the block is not touched.
    """
    before, block, after = re.split(r"(?<=edit from here ----\n)|(?=# ---- to here)", template)
    for key, value in values.items():
        if value is not None:
            block, count = re.subn(f"(?m)^({re.escape(key)}).*$", lambda match: f"{match[1]}{value}", block)
            check(count == 1, f"{key} stands {count} times in the block")
    return before + block + after


def epoch(directory):
    """The step of the newest epoch, None as long as there is none."""
    return newest_step(directory / "ckpt") if (directory / "ckpt").exists() else None


def saves_and_goes_on_when_signalled(slurm, heat):
    job, directory = slurm.submit("signalled", heat.command(), more=SLOWLY)
    heat.wait_for_epoch(slurm, job, directory)
    slurm.cluster.signal_batch_shell(job, "USR1")
    slurm.wait_for_run(job, directory, 1)
    saved = epoch(directory)
    slurm.wait_for_end(job, directory, "COMPLETED", 0, restarts=1)
    heat.check_result(directory, saved)
    output = slurm.output(job, directory)
    check("the time limit is near, saving" in output and "not done yet, requeue 1 of 20" in output, output)
    print(f"signalled: epoch of step {saved} of {STEPS}, exit 75, requeued, the reference digest", flush=True)


def keeps_the_verdict_of_a_program(slurm):
    job, directory = slurm.submit("bad-data", ["sh", "-c", "exit 65"])
    slurm.wait_for_end(job, directory, "FAILED", 65, restarts=0)
    print("bad data: FAILED with 65, not requeued", flush=True)


def requeues_no_more_than_allowed(slurm):
    job, directory = slurm.submit("bounded", ["sh", "-c", "exit 75"], max_requeues=0)
    slurm.wait_for_end(job, directory, "FAILED", 75, restarts=0)
    check("requeued 0 times" in slurm.output(job, directory), slurm.output(job, directory))
    print("no requeues left: FAILED with 75", flush=True)


def launcher_that_loses_its_ranks(slurm):
    """A `cairn` that gives up with mpirun's code for a lost node as soon as the job's file `lost` exists."""
    path = slurm.work / "cairn-gives-up"
    path.write_text("#!/bin/sh\nuntil [ -e lost ]; do sleep 0.1; done\nexit 205\n")
    path.chmod(0o755)
    return path


def asks_the_nodes_before_it_blames_them(slurm):
    job, directory = slurm.submit("all-there", ["true"], cairn=launcher_that_loses_its_ranks(slurm))
    (directory / "lost").touch()
    slurm.wait_for_end(job, directory, "FAILED", 205, restarts=0)
    print("a code of a lost node, but all nodes answer: FAILED, not requeued", flush=True)


def goes_on_in_place_after_a_crash(slurm, heat):
    crash = "export CAIRN_FAILPOINTS='heat.step=kill,rank=3,hit=120,launch=0'"
    job, directory = slurm.submit("crash", heat.command(), more=crash)
    slurm.wait_for_end(job, directory, "COMPLETED", 0, restarts=0)
    heat.check_result(directory, EVERY)
    print("a rank crashed: went on within the allocation, the reference digest", flush=True)


def stays_away_when_cancelled(slurm, heat):
    job, directory = slurm.submit("cancelled", heat.command(), more=SLOWLY)
    heat.wait_for_epoch(slurm, job, directory)
    slurm.cluster.command("scancel", job)
    ended = slurm.wait_until(job, directory, lambda now: now["JobState"] in ENDED, "no end", 60)
    check(ended["JobState"] == "CANCELLED" and ended["Restarts"] == "0", f"{ended}")
    print("cancelled: stays cancelled", flush=True)


def goes_on_after_preemption(slurm, heat):
    job, directory = slurm.submit("preempted", heat.command(), more=SLOWLY)
    heat.wait_for_epoch(slurm, job, directory)
    urgent = slurm.work / "urgent.sh"
    urgent.write_text("#!/bin/sh\nsleep 1\n")
    slurm.cluster.submit(urgent, "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null",
                         cwd=slurm.work)
    saved = epoch(directory)
    slurm.wait_for_run(job, directory, 1)
    slurm.wait_for_end(job, directory, "COMPLETED", 0, restarts=1)
    heat.check_result(directory, saved)
    print("preempted: requeued, the reference digest", flush=True)


def job_script(slurm, heat):
    saves_and_goes_on_when_signalled(slurm, heat)
    keeps_the_verdict_of_a_program(slurm)
    requeues_no_more_than_allowed(slurm)
    asks_the_nodes_before_it_blames_them(slurm)
    goes_on_in_place_after_a_crash(slurm, heat)
    stays_away_when_cancelled(slurm, heat)
    goes_on_after_preemption(slurm, heat)


def lost_node(slurm, heat):
    goes_on_elsewhere(slurm, heat)
    slurm.cluster.power_on("node2")
    slurm.cluster.wait_until_idle(["node1", "node2"])
    requeues_when_a_node_is_silent(slurm)


def goes_on_elsewhere(slurm, heat):
    job, directory = slurm.submit("lost-node", heat.command(), more=SLOWLY)
    heat.wait_for_epoch(slurm, job, directory)
    slurm.cluster.power_off("node2")  # the batch script runs on node1
    lost = time.monotonic()
    saved = epoch(directory)
    slurm.wait_for_run(job, directory, 1)
    slurm.wait_until(job, directory, lambda now: now["JobState"] == "RUNNING", "running expected", 60)
    print(f"lost node: running again after {time.monotonic() - lost:.1f} s", flush=True)
    ended = slurm.wait_for_end(job, directory, "COMPLETED", 0, restarts=1)
    check(ended["NodeList"] == "node[1,3]", f"node1 and node3 expected: {ended}")
    heat.check_result(directory, saved)
    print(f"lost node: finished on node1 and node3 from step {saved} or later, the reference digest", flush=True)


def requeues_when_a_node_is_silent(slurm):
    """Where `cairn run` gives up long before Slurm notices, it is the script that requeues."""
    job, directory = slurm.submit("silent", ["true"], cairn=launcher_that_loses_its_ranks(slurm))
    slurm.wait_until(job, directory, lambda now: now["JobState"] == "RUNNING", "running expected", 60)
    slurm.cluster.power_off("node2")
    (directory / "lost").touch()
    slurm.wait_until(job, directory, lambda now: now["Restarts"] == "1", "requeue expected", 60)
    output = slurm.output(job, directory)
    check("a node does not answer, requeue 1 of 20" in output, output)
    slurm.cluster.command("scancel", job)
    print("silent node: the script asked, and requeued", flush=True)


def time_limit(slurm, heat):
    job, directory = slurm.submit("limit", heat.command(), more=SLOWLY.replace("0.01", "0.07"),
                                  limit="00:02:00")
    started = time.monotonic()
    slurm.wait_for_run(job, directory, 1)
    print(f"time limit: requeued after {time.monotonic() - started:.1f} s", flush=True)
    saved = epoch(directory)
    check("the time limit is near" in slurm.output(job, directory), slurm.output(job, directory))
    slurm.cluster.command("scontrol", "update", f"jobid={job}", "TimeLimit=10")
    slurm.wait_for_end(job, directory, "COMPLETED", 0, restarts=1)
    heat.check_result(directory, saved)


def main(story, template, mpiexec, cairn, heat):
    skip_unless_available()
    stories = {"job": (job_script, 2), "lost_node": (lost_node, 3), "time_limit": (time_limit, 2)}
    tell, nodes = stories[story]
    source = pathlib.Path(__file__).resolve().parents[2]
    cairn, heat = (str(pathlib.Path(path).resolve()) for path in (cairn, heat))
    programs = {pathlib.Path(path).parent for path in (cairn, heat)}
    with scratch_directory() as work:
        reference = Heat(mpiexec, heat, work)
        with SlurmCluster(nodes=nodes, shared=[work, source, *programs]) as cluster:
            tell(Slurm(cluster, work, template, cairn), reference)
            base = str(cluster.base)
    check(not pathlib.Path(base).exists(), f"{base} is left")
    leftovers = [path.parent.name for path in pathlib.Path("/proc").glob("[0-9]*/environ")
                 if base.encode() in readable(path)]
    check(not leftovers, f"processes of the cluster are left: {leftovers}")


def readable(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


main(*sys.argv[1:])
