"""A real Slurm on this one machine, for tests: a controller and a few virtual nodes.

    with SlurmCluster(nodes=2, shared=[work]) as cluster:
        job = cluster.submit(work / "job.sbatch", cwd=work)
        while cluster.job(job)["JobState"] != "COMPLETED":
            time.sleep(0.05)

       head: munged, slurmctld        node1: slurmd, jobs        node2: slurmd, jobs
       └──────────────┴── one private directory, seen by all ───────┘

Each is a Machine (machine.py). Daemons talk over loopback on ports that were free at the start.
"""

import contextlib
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import machine

POLL_SECONDS = 0.05
COMMAND_SECONDS = 20

COMMANDS = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "scontrol": "slurm-client",
}

SLURM_CONF = """\
ClusterName=test
SlurmctldHost=head(127.0.0.1)
SlurmctldPort={controller_port}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={base}/munge/socket,cred_expire=6
SlurmUser=root
SlurmdUser=root
StateSaveLocation={base}/state
SlurmctldPidFile={base}/run/slurmctld.pid
SlurmctldLogFile={base}/log/slurmctld
SlurmdPidFile={base}/run/slurmd.%n.pid
SlurmdLogFile={base}/log/slurmd.%n
SlurmdSpoolDir={base}/spool.%n
TmpFS=/tmp
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=5,bf_interval=5,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=15
SlurmctldTimeout=15
KillWait=3
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=DEFAULT CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 \
RealMemory=4000 State=UNKNOWN
{node_lines}
PartitionName=DEFAULT Nodes=ALL MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=test Default=YES PriorityTier=1
PartitionName=urgent PriorityTier=2 PreemptMode=OFF
"""

class SlurmError(RuntimeError):
    """A cluster that did not start, a command that failed, or a job that did not get there."""


def skip_unless_available():
    """Ends the test with ctest's code for a skip, and the reason, where no cluster can run."""
    machine.skip_unless_available(COMMANDS)


class SlurmCluster:
    """One controller `head` and `nodes` nodes (node1, node2, …) with `cpus` slots each.

    `shared` are the directories that jobs use; like a shared file system they are seen by every
    node, also when they lie under /tmp, of which each node has its own. There are two partitions:
    `test`, the default, and `urgent`, whose jobs preempt those of `test`.
    """

    def __init__(self, nodes=2, cpus=4, shared=(), start_seconds=30):
        self.nodes = [f"node{i + 1}" for i in range(nodes)]
        self.cpus = cpus
        self.start_seconds = start_seconds
        self.machines = {}
        self.base = None
        self._shared = [pathlib.Path(directory).resolve() for directory in shared]

    def __enter__(self):
        for attempt in range(3):  # a port may be taken between its choice and its use
            try:
                self._start()
                return self
            except SlurmError as error:
                self._stop()
                if attempt == 2 or "Address already in use" not in str(error):
                    raise
            except BaseException:
                self._stop()
                raise
        return None

    def __exit__(self, *exception):
        try:
            if exception[0] is not None:
                print(self.logs(), file=sys.stderr, flush=True)
        finally:
            self._stop()

    def environment(self):
        """The environment of Slurm's commands, and so of the jobs."""
        environment = {name: value for name, value in os.environ.items()
                       if not re.match(r"SLURM_|SBATCH_|SRUN_|SCANCEL_|SQUEUE_|OMPI_|PMIX_", name)}
        return environment | machine.mpi_settings("lo") | {"SLURM_CONF": str(self.base / "slurm.conf")}

    def command(self, *words, cwd=None):
        """Runs one of Slurm's commands; its standard output."""
        done = subprocess.run([str(word) for word in words], env=self.environment(), cwd=cwd,
                              capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        if done.returncode != 0:
            raise SlurmError(f"{' '.join(map(str, words))}: code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def submit(self, script, *options, cwd):
        """The id of a new batch job."""
        return self.command("sbatch", "--parsable", *options, script, cwd=cwd).strip()

    def job(self, job_id):
        """What `scontrol show job` says, as a dictionary of strings."""
        return _fields(self.command("scontrol", "-o", "show", "job", job_id))

    def node(self, name):
        """What `scontrol show node` says, as a dictionary of strings."""
        return _fields(self.command("scontrol", "-o", "show", "node", name))

    def start_now(self, job_id):
        """Ends the wait of a requeued job, which Slurm holds back until its credential expires."""
        # The nodes take a credential of the second in which they ended the job for the old one.
        time.sleep(1.2)
        try:
            self.command("scontrol", "update", f"jobid={job_id}", "StartTime=now")
        except SlurmError:
            if self.job(job_id)["JobState"] == "PENDING":
                raise  # else Slurm has started it meanwhile by itself

    def signal_batch_shell(self, job_id, name):
        """What --signal=B:… does shortly before the time limit."""
        self.command("scancel", f"--signal={name}", "--batch", job_id)

    def power_off(self, name):
        """Pulls the plug: every process of the machine, its /tmp and its /dev/shm are gone."""
        self.machines.pop(name).kill()

    def power_on(self, name):
        """Starts a machine, in the state after a boot."""
        daemons = f"slurmd -D -b -N {name} &"
        if name == "head":
            daemons = (f"munged --foreground --key-file={self.base}/munge/key --socket={self.base}/munge/socket"
                       f" --pid-file={self.base}/munge/pid --log-file={self.base}/log/munged"
                       f" --seed-file={self.base}/munge/seed --num-threads=2 &\n"
                       f"until [ -S {self.base}/munge/socket ]; do sleep 0.02; done\n"
                       "slurmctld -D -c &")
        self.machines[name] = machine.Machine(name, self.base, self._shared, daemons, self.environment())

    def wait_until_idle(self, names):
        """Returns when these nodes can take jobs; SlurmError if they do not come up in time."""
        deadline = time.monotonic() + self.start_seconds
        while True:
            with contextlib.suppress(SlurmError, subprocess.TimeoutExpired):
                if all(self.node(name)["State"] == "IDLE" for name in names):
                    return
            if time.monotonic() > deadline or not all(m.alive() for m in self.machines.values()):
                raise SlurmError(f"{names} did not come up within {self.start_seconds} s\n{self.logs(5)}")
            time.sleep(POLL_SECONDS)

    def logs(self, last_lines=15):
        """The end of every log file, for a failure report."""
        parts = []
        for path in sorted((self.base / "log").iterdir()):
            parts += [f"--- {path.name}", *path.read_text(errors="replace").splitlines()[-last_lines:]]
        return "\n".join(parts)

    def _start(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="cairn-slurm-")).resolve()
        self.base.chmod(0o755)  # munged refuses a directory that others may write
        for name in ["munge", "run", "log", "state", *(f"spool.{node}" for node in self.nodes)]:
            (self.base / name).mkdir(mode=0o755)
        (self.base / "munge" / "key").write_bytes(os.urandom(128))
        (self.base / "munge" / "key").chmod(0o600)
        (self.base / "hosts").write_text(f"127.0.0.1 localhost head {' '.join(self.nodes)}\n")
        controller_port, *node_ports = _free_ports(1 + len(self.nodes))
        (self.base / "slurm.conf").write_text(SLURM_CONF.format(
            base=self.base, controller_port=controller_port, cpus=self.cpus,
            node_lines="\n".join(f"NodeName={name} NodeAddr=127.0.0.1 Port={port}"
                                 for name, port in zip(self.nodes, node_ports))))
        for name in ["head", *self.nodes]:
            self.power_on(name)
        self.wait_until_idle(self.nodes)

    def _stop(self):
        for name in list(self.machines):
            self.power_off(name)
        if self.base:
            shutil.rmtree(self.base)


def _fields(line):
    return dict(re.findall(r"(\S+?)=(\S*)", line))


def _free_ports(count):
    """Ports that nobody listens on, below the range from which the kernel serves outgoing calls."""
    ports = []
    candidates = random.SystemRandom().sample(range(20000, 32000), 1000)
    for port in candidates:
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
        if len(ports) == count:
            return ports
    raise SlurmError("no free ports between 20000 and 32000")
