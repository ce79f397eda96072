"""Machines with a network between them, on this one machine, and mpirun over them.

    with MachineNetwork(3, shared=[work]) as machines:
        ended = finish(machines.start("host0", ["mpirun", "-n", "3", "--host", "host0,host1,host2", program]))
        machines.cut_off("host1")     # the cable is pulled
        machines.join("host1")        # and put back
        machines.power_off("host2")

       switch:  ┌─────────── bridge ───────────┐
                port0        port1        port2
       eth0:    10.0.0.1     10.0.0.2     10.0.0.3
                host0        host1        host2

Each is a Machine (machine.py) in a network namespace of its own; this machine has no address in that network. mpirun
reaches another machine as by ssh: what it wants to run goes into a pipe that a shell there reads.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import machine
import processes

COMMANDS = {"ip": "iproute2", "nsenter": "util-linux"}

# What a machine does beside what is started in it: it runs each line that comes through its pipe.
SERVER = """\
ip link set lo up
exec 3<>{base}/lines.{name}
while read -r line <&3; do (exec 3>&-; eval "$line") & done &
"""

# Called by mpirun: AGENT HOST WORD…
AGENT = """\
host=$1
shift
printf '%s\\n' "cd $PWD; $*" >"{base}/lines.$host"
"""


def skip_unless_available():
    """Ends the test as skipped, with the reason, where no such machines can run."""
    machine.skip_unless_available(
        COMMANDS, "ip link add name bridge type bridge && ip link add port0 type veth peer name eth0")


class MachineNetwork:
    """`count` machines host0, host1, … that all see the directories `shared`."""

    def __init__(self, count, shared):
        self.names = [f"host{i}" for i in range(count)]
        self._shared = [pathlib.Path(directory).resolve() for directory in shared]
        self._machines = {}

    def __enter__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="cairn-machines-")).resolve()
        try:
            (self.base / "log").mkdir()
            agent = self.base / "agent"
            agent.write_text("#!/bin/sh\n" + AGENT.format(base=self.base))
            agent.chmod(0o755)
            (self.base / "hosts").write_text("".join(f"{address(i)} {name}\n" for i, name in enumerate(self.names)) +
                                             "127.0.0.1 localhost switch\n")
            self._boot("switch", "ip link add name bridge type bridge && ip link set bridge up\n")
            for name in self.names:
                os.mkfifo(self.base / f"lines.{name}")
                self.power_on(name)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception):
        if exception[0] is not None:
            for path in sorted((self.base / "log").iterdir()):
                print(f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}", file=sys.stderr, flush=True)
        self._stop()

    def environment(self):
        """Of what runs in a machine: the settings of the tests for mpirun over a network that may be cut."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "TMPDIR"))}
        return {**kept, **machine.mpi_settings("eth0"), "OMPI_MCA_plm": "rsh", "OMPI_MCA_plm_rsh_agent": str(self.base / "agent"),
                "OMPI_MCA_oob_tcp_keepalive_time": "2", "OMPI_MCA_oob_tcp_keepalive_intvl": "1",
                "OMPI_MCA_oob_tcp_keepalive_probes": "3"}

    def start(self, name, command, **environment):
        """Starts a command in a machine, as processes.start() does: for processes.finish()."""
        not_inside = dict.fromkeys(os.environ)
        return processes.start([*self._inside(name, "--all", "--wd=/"), *command],
                               **{**not_inside, **self.environment(), **environment})

    def temporary(self, name):
        """The /tmp of a machine, as seen from here."""
        return self.base / f"tmp.{name}"

    def power_off(self, name):
        """Pulls the plug: every process of the machine, its /tmp and its /dev/shm are gone."""
        self._machines.pop(name).kill()
        shutil.rmtree(self.temporary(name))

    def power_on(self, name):
        """Boots a machine that is off, and connects it."""
        number = self.names.index(name)
        self._boot(name, SERVER.format(base=self.base, name=name))
        pid = self._machines[name].pid
        self._at_switch(f"ip link add port{number} type veth peer name eth0 netns {pid}"
                        f" && ip link set port{number} master bridge up")
        self._run(*self._inside(name, "--net"), "sh", "-c", f"ip address add {address(number)}/24 dev eth0 && ip link set eth0 up")

    def cut_off(self, name):
        self._at_switch(f"ip link set port{self.names.index(name)} down")

    def join(self, name):
        self._at_switch(f"ip link set port{self.names.index(name)} up")

    def _boot(self, name, daemons):
        booted = machine.Machine(name, self.base, self._shared, daemons + "touch /tmp/is-up", self.environment(), network=True)
        self._machines[name] = booted
        deadline = time.monotonic() + machine.SECONDS
        while not (self.temporary(name) / "is-up").exists():
            if not booted.alive() or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not come up")
            time.sleep(0.005)

    def _inside(self, name, *namespaces):
        return ["nsenter", "--target", str(self._machines[name].pid), *namespaces]

    def _at_switch(self, command):
        self._run(*self._inside("switch", "--net"), "sh", "-c", command)

    @staticmethod
    def _run(*words):
        subprocess.run(words, check=True, timeout=machine.SECONDS, stdin=subprocess.DEVNULL)

    def _stop(self):
        for name in list(self._machines):
            self._machines.pop(name).kill()
        shutil.rmtree(self.base)


def address(number):
    return f"10.0.0.{number + 1}"
