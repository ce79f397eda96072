"""A virtual machine for tests: the first process of its own namespaces, with a host name, a /tmp and a /dev/shm of its own.

Killing the first process is pulling the plug, because the kernel then kills everything inside; that is also how a machine
stops. It ends with the process that started it, whatever ends that.
"""

import contextlib
import os
import pathlib
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time

SKIPPED = 77  # ctest's code for it
SECONDS = 20  # that an orderly command takes at most

COMMANDS = {
    "mpirun": "openmpi-bin",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
}

# The first process stays when its daemons end, as a machine does.
FIRST_PROCESS = """\
set -e
{mounts}
hostname {name}
mount --bind {base}/hosts /etc/hosts
mount --rbind {base}/tmp.{name} /tmp
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
set +e
{daemons}
while :; do wait; sleep 1; done
"""


def why_unavailable(commands=None, inside="true"):
    """The reason why no machine can run here, or None.

    `commands` are needed, and these packages have them; `inside` is what must work in a machine with a network of its own.
    """
    missing = sorted({package for command, package in {**COMMANDS, **(commands or {})}.items()
                      if not shutil.which(command)})
    if missing:
        return "packages are missing: " + " ".join(missing)
    if os.geteuid() != 0:
        return "virtual machines need root (unshare and mount)"
    probe = subprocess.run([*_new_namespaces(inside != "true"), f"mount -t tmpfs tmpfs /dev/shm && hostname probe && {inside}"],
                           capture_output=True, text=True, timeout=SECONDS, check=False)
    if probe.returncode != 0:
        return "namespaces or what is in them are refused: " + (probe.stderr.strip() or f"code {probe.returncode}")
    return None


def skip_unless_available(commands=None, inside="true"):
    """Ends the test as skipped, with the reason, where no machine can run."""
    reason = why_unavailable(commands, inside)
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)


def mpi_settings(interface):
    """What tests/support/mpi.env says, for a job on machines that share no memory and have this network interface."""
    settings = {}
    for line in (pathlib.Path(__file__).parent / "mpi.env").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            settings[name] = value
    del settings["OMPI_MCA_plm"]  # the launcher is not told to stay on one machine
    settings["OMPI_MCA_btl"] = "self,vader,tcp"
    settings["OMPI_MCA_btl_tcp_if_include"] = interface
    settings["OMPI_MCA_oob_tcp_if_include"] = interface
    return settings


class Machine:
    """One machine, in the state after a boot: an empty /tmp.

    `base` is the directory of all machines of a test, with the file `hosts` and the directory `log`; base/tmp.NAME is
    this machine's /tmp. `shared` are directories that all of them see, like a shared file system, also where these
    lie under /tmp. `daemons` is shell text. With its own `network` it has no interface but lo, which is down.
    """

    def __init__(self, name, base, shared, daemons, environment, network=False):
        temporary = base / f"tmp.{name}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        temporary.chmod(0o1777)
        mounts = []
        for directory in [base, *shared]:
            if directory.is_relative_to("/tmp"):
                inside = temporary / directory.relative_to("/tmp")
                inside.mkdir(parents=True, exist_ok=True)
                mounts.append(f"mount --bind {shlex.quote(str(directory))} {shlex.quote(str(inside))}")
        script = FIRST_PROCESS.format(name=name, base=base, mounts="\n".join(mounts), daemons=daemons)
        with open(base / "log" / f"machine.{name}", "ab") as output:
            self._unshare = subprocess.Popen(
                [*_new_namespaces(network), script], env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)
        children = pathlib.Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")
        while not (first := children.read_text().split()) and self.alive():
            time.sleep(0.005)
        self.pid = int(first[0]) if first else None  # outside of it
        # A descriptor, not a number: it stays valid, and stays this process.
        self._first = os.pidfd_open(self.pid) if first else None

    def alive(self):
        return self._unshare.poll() is None

    def kill(self):
        """Returns when the last process inside is gone."""
        if self._first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
            select.select([self._first], [], [], SECONDS)
            os.close(self._first)
        else:
            self._unshare.kill()
        self._unshare.wait(timeout=SECONDS)


def _new_namespaces(network):
    return ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--uts",
            "--mount", *(["--net"] if network else []), "bash", "-c"]
