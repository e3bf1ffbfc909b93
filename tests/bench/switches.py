# SPDX-License-Identifier: GPL-2.0-or-later
"""The switches that vhost-pci competes with, as Debian has them, each in a network namespace of its own."""
import os
import pathlib
import shutil
import subprocess
import time

from lab import process

HUGE_PAGE_MB = 2
NR_HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
OVS_VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
POLLING_CORE = (os.cpu_count() or 1) - 1


class Unavailable(RuntimeError):
    """This path cannot be measured here; the text says why."""


def meminfo(key: str) -> int:
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    return 0


class HugePages:
    """Pages taken from the machine for a while. Others may take and return some at the same time: only differences count."""

    def __init__(self) -> None:
        self.added = 0

    def provide(self, megabytes: int) -> None:
        missing = megabytes // HUGE_PAGE_MB - (meminfo("HugePages_Free") - meminfo("HugePages_Rsvd"))
        if meminfo("Hugepagesize") != HUGE_PAGE_MB * 1024:
            raise Unavailable("no huge pages of 2 MB")
        if missing <= 0:
            return
        before = int(NR_HUGEPAGES.read_text())
        try:
            NR_HUGEPAGES.write_text(str(before + missing))
        except OSError as error:
            raise Unavailable(f"cannot set vm.nr_hugepages: {error.strerror}") from None
        self.added += int(NR_HUGEPAGES.read_text()) - before
        if int(NR_HUGEPAGES.read_text()) < before + missing:
            raise Unavailable(f"the kernel did not find {megabytes} MB of huge pages")

    def give_back(self) -> None:
        if self.added > 0:
            NR_HUGEPAGES.write_text(str(max(0, int(NR_HUGEPAGES.read_text()) - self.added)))
        self.added = 0


class Switch:
    """Joins vhost-user sockets, pair by pair."""
    package = ""
    memory_mb = 0

    def __init__(self) -> None:
        self.processes: dict[str, process.Qemu] = {}

    def start(self, run: process.RunDir, links: list[tuple[pathlib.Path, pathlib.Path]], offloads: bool) -> None:
        raise NotImplementedError

    def pause(self) -> None:
        # A poller that nobody uses at the moment would take half of this machine from those who are measured.
        for each in self.processes.values():
            each.pause()

    def resume(self) -> None:
        for each in self.processes.values():
            each.resume()

    def yield_to_others(self, yielding: bool) -> None:
        """Runs only when nobody else wants the core, or as everybody. Needs the right to take that back."""
        if os.geteuid() != 0:
            return
        for each in self.processes.values():
            for task in pathlib.Path(f"/proc/{each.pid}/task").iterdir():
                try:
                    os.setpriority(os.PRIO_PROCESS, int(task.name), 19 if yielding else 0)
                except ProcessLookupError:
                    pass

    def stop(self) -> None:
        for each in reversed(self.processes.values()):
            each.resume()
            each.stop()


def need_programs(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            raise Unavailable(f"{program} is not installed")


def isolated(argv: list[str]) -> list[str]:
    # The switches make interfaces (OVS: br0) and run scripts; none of it may reach this machine's network.
    return ["unshare", "-n", *argv]


class Testpmd(Switch):
    package = "dpdk"
    memory_mb = 256

    @staticmethod
    def check() -> None:
        need_programs("dpdk-testpmd", "unshare")

    @staticmethod
    def version() -> str:
        return "DPDK " + package_version("dpdk")

    def start(self, run: process.RunDir, links: list[tuple[pathlib.Path, pathlib.Path]], offloads: bool) -> None:
        argv = ["dpdk-testpmd", "-l", f"0,{POLLING_CORE}", "--no-pci", "--no-telemetry", "--in-memory",
                "--file-prefix", run.path.name, "--socket-mem", str(self.memory_mb - 32)]
        for number, socket in enumerate(socket for link in links for socket in link):
            argv += ["--vdev", f"net_vhost{number},iface={socket},client=1"]
        # Ports 0 and 1 are the first link's ends, 2 and 3 the second's: paired just so. Printing statistics keeps it from reading its input.
        argv += ["--", "--auto-start", "--forward-mode=io", "--port-topology=paired", "--total-num-mbufs=16384",
                 "--no-lsc-interrupt", "--stats-period=3600"]
        self.processes["testpmd"] = process.Qemu("testpmd", isolated(argv), run)


class OpenVSwitch(Switch):
    package = "openvswitch-switch-dpdk"
    memory_mb = 432

    @staticmethod
    def check() -> None:
        need_programs("ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-ofctl", "unshare", OVS_VSWITCHD)

    @staticmethod
    def version() -> str:
        return "Open vSwitch " + package_version("openvswitch-switch-dpdk")

    def start(self, run: process.RunDir, links: list[tuple[pathlib.Path, pathlib.Path]], offloads: bool) -> None:
        folder = run / "ovs"
        folder.mkdir()
        env = dict(os.environ, OVS_RUNDIR=str(folder), OVS_DBDIR=str(folder), OVS_LOGDIR=str(folder), OVS_SYSCONFDIR=str(folder))
        database = f"unix:{folder / 'db.sock'}"

        def call(*words: str) -> str:
            done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
            return done.stdout.strip()

        def vsctl(*words: str) -> str:
            return call("ovs-vsctl", "--timeout=50", f"--db={database}", *words)

        call("ovsdb-tool", "create", str(folder / "conf.db"), OVS_SCHEMA)
        self.processes["ovsdb"] = process.Qemu("ovsdb", isolated(
            ["ovsdb-server", str(folder / "conf.db"), f"--remote=punix:{folder / 'db.sock'}", f"--pidfile={folder / 'ovsdb.pid'}",
             f"--unixctl={folder / 'ovsdb.ctl'}"]), run, env)
        self._wait_for(folder / "db.sock", "ovsdb")
        vsctl("--no-wait", "init")
        vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", "other_config:dpdk-lcore-mask=0x1",
              f"other_config:pmd-cpu-mask={1 << POLLING_CORE:#x}", "other_config:dpdk-extra=--in-memory",
              f"other_config:dpdk-socket-mem={self.memory_mb - 32}", f"other_config:userspace-tso-enable={str(offloads).lower()}")
        self.processes["ovs"] = process.Qemu("ovs", isolated(
            [OVS_VSWITCHD, database, f"--pidfile={folder / 'ovs.pid'}", f"--unixctl={folder / 'ovs.ctl'}",
             f"--log-file={folder / 'ovs.log'}", "-vconsole:off"]), run, env)
        vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail-mode=secure")
        ports = []
        for number, socket in enumerate(socket for link in links for socket in link):
            vsctl("add-port", "br0", f"vhu{number}", "--", "set", "interface", f"vhu{number}", "type=dpdkvhostuserclient",
                  f"options:vhost-server-path={socket}", f"ofport_request={number + 1}")
            ports.append(vsctl("get", "interface", f"vhu{number}", "ofport"))
        # A wire from port to port: less work for OVS than learning addresses, so the comparison is in its favour.
        management = f"unix:{folder / 'br0.mgmt'}"
        call("ovs-ofctl", "del-flows", management)
        for first, second in zip(ports[::2], ports[1::2]):
            call("ovs-ofctl", "add-flow", management, f"in_port={first},actions=output:{second}")
            call("ovs-ofctl", "add-flow", management, f"in_port={second},actions=output:{first}")

    def _wait_for(self, path: pathlib.Path, name: str) -> None:
        end = time.monotonic() + 20
        while not path.exists():
            self.processes[name].check()
            if time.monotonic() > end:
                raise TimeoutError(f"{name} made no {path}")
            time.sleep(0.05)


def package_version(name: str) -> str:
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else "of an unknown version"
