# SPDX-License-Identifier: GPL-2.0-or-later
"""The two virtual machines, with the command lines that the documentation gives to users."""
import pathlib
import re
import struct
import time

from . import kernel, paths
from .console import CommandFailed, Console, Result
from .patience import Deadline
from .process import Qemu, RunDir
from .qmp import Qmp

ORIGIN_MAC = "52:54:00:00:00:01"
ORIGIN_IP, MIRROR_IP = "10.0.0.1", "10.0.0.2"
MEMORY_MB = 400
# Seconds.
LATE_ANSWER = 2
# A kernel's complaints; none may appear in any guest. The last two are the driver's, of an origin that breaks the rules.
COMPLAINTS = (r"BUG:|Oops|WARNING:|Call Trace|nobody cared|general protection|rcu.*stall|blocked for more than|KASAN|Unable to handle|"
              r"origin's \w+ ring \d+|origin uses unknown")


def base_arguments(run: RunDir, name: str, role: str, address: str, machine: str, *, count: bool = False,
                   human: bool = False, smp: str = "1", memory_mb: int = MEMORY_MB, qemu: pathlib.Path = paths.QEMU,
                   unpacked: bool = True) -> list[str]:
    """unpacked: boots faster, but a kernel started like this cannot resume from suspend to RAM."""
    append = f"console=ttyS0 quiet panic=-1 {kernel.arguments()} vp.role={role}"
    if address:
        append += f" vp.ip={address}/24"
    if human:
        append += " vp.console=human"
    argv = [
        str(qemu), "-name", name, "-M", machine, "-accel", "tcg,thread=multi",
        # TCG copies one byte at a time where the kernel trusts fast string moves.
        "-cpu", "max,-erms,-fsrm", "-m", f"{memory_mb}M", "-smp", smp, "-nodefaults", "-display", "none", "-no-reboot",
        "-object", f"memory-backend-memfd,id=mem,size={memory_mb}M,share=on", "-machine", "memory-backend=mem",
        "-kernel", str(kernel.unpacked() if unpacked else paths.KERNEL), "-initrd", str(paths.INITRAMFS), "-append", append,
        "-serial", f"unix:{run / f'{name}.serial'},server=on,wait=off",
        "-qmp", f"unix:{run / f'{name}.qmp'},server=on,wait=off",
    ]
    if count:
        argv += ["-plugin", f"{paths.COUNTER_PLUGIN},out={run / f'{name}.insn'}"]
    return argv


def server_arguments(socket: pathlib.Path, server_options: str = "") -> list[str]:
    return ["-chardev", f"socket,id=vhost-pci-server-xyz,server=on,wait=off,connections=32,path={socket}",
            "-vhost-pci-server", f"socket,chardev=vhost-pci-server-xyz{server_options}"]


def client_arguments(socket: pathlib.Path, mac: str = ORIGIN_MAC, chardev_options: str = "", device_options: str = "",
                     chardev: str = "vp-client1") -> list[str]:
    return ["-chardev", f"socket,id={chardev},path={socket}{chardev_options}",
            "-device", f"virtio-net-pci,romfile=,mac={mac},vhost-pci-client={chardev}{device_options}"]


class Guest:
    """A booting Linux guest: process, console and monitor."""

    def __init__(self, name: str, argv: list[str], run: RunDir, human: bool = False):
        self.name, self.run_dir = name, run
        self.qemu = Qemu(name, argv, run)
        self.boot_seconds = 0.0
        try:
            # A person's console is left for the person.
            self.console = None if human else Console(name, run / f"{name}.serial", run / f"{name}.console.log", self.qemu.check)
            self.qmp = Qmp.connect(run / f"{name}.qmp", self.qemu.check)
        except BaseException:
            self.qemu.stop()
            raise

    def wait_ready(self, timeout: float = 120) -> float:
        self.console.wait_ready(timeout)
        self.boot_seconds = time.monotonic() - self.qemu.started
        return self.boot_seconds

    def run(self, command: str, timeout: float = 60) -> Result:
        return self.console.run(command, timeout)

    def command(self, command: str, timeout: float = 60) -> str:
        return self.console.command(command, timeout)

    def hmp(self, line: str) -> str:
        return self.qmp.hmp(line)

    def wait_until(self, command: str, timeout: float = 30, pause: float = 0.2) -> str:
        """Repeats a guest command until it succeeds."""
        end = Deadline(timeout)
        while True:
            result = self.run(command)
            if result.status == 0:
                return result.output
            if end.over:
                raise TimeoutError(f"{self.name}: '{command}' still fails after {timeout:.0f} s: {result.output}")
            time.sleep(pause)

    def load(self, module: str) -> None:
        """Loads a module that make-initramfs packs but init does not load, with its dependencies."""
        self.command(f"for m in $(cat /lib/modules/{module}.order); do insmod /lib/modules/$m 2>/dev/null; done; grep -q '^{module} ' /proc/modules")

    def counters(self, interface: str) -> dict[str, int]:
        text = self.command(f"/usr/sbin/ethtool -S {interface}")
        return {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", text)}

    def interfaces(self) -> list[str]:
        return self.command('for i in /sys/class/net/*; do [ -e $i/device ] && echo ${i##*/}; done; :').split()

    def wait_interface(self, address: str, timeout: float = 40) -> str:
        """Waits until the interface with this address exists, is up and has a carrier; returns its name."""
        found = f"/usr/sbin/ip -o -4 addr show to {address}"
        line = self.wait_until(f"{found} | grep -q . && {found}", timeout)
        name = line.split()[1]
        self.wait_until(f'[ "$(cat /sys/class/net/{name}/carrier 2>/dev/null)" = 1 ]', timeout)
        return name

    def complaints(self) -> list[str]:
        return re.findall(rf".*(?:{COMPLAINTS}).*", self.command("dmesg"))

    def wait_answer(self, target: str) -> None:
        """Waits until the target answers: after the carrier comes up the kernel still has to resolve its neighbour."""
        self.wait_until(f"/usr/bin/ping -q -c 1 -W 1 {target}", 20)

    def ping(self, target: str, count: int = 20, interval: float = 0.05, size: int = 56) -> "Ping":
        before = self._echo_replies()
        result = self.run(f"/usr/bin/ping -q -c {count} -i {interval} -s {size} -W 2 {target}", 30 + count * (interval + 2))
        counts = re.search(r"(\d+) packets transmitted, (\d+) received", result.output)
        times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)", result.output)
        if not counts:
            raise CommandFailed(f"{self.name}: ping {target}: {result.output}")
        sent, received = int(counts.group(1)), int(counts.group(2))
        # Once there were answers, ping waits for the others only twice as long as the slowest took: on a busy machine that is
        # late, not lost. The kernel counts those as well.
        end = Deadline(LATE_ANSWER)
        while received < sent and not end.over:
            time.sleep(0.2)
            received = max(received, min(sent, self._echo_replies() - before))
        return Ping(sent, received, float(times.group(2)) if times else None)

    def icmp(self, counter: str) -> int:
        names, values = (line.split() for line in self.command("grep ^Icmp: /proc/net/snmp").splitlines())
        return int(values[names.index(counter)])

    def _echo_replies(self) -> int:
        return self.icmp("InEchoReps")

    def instructions(self) -> int:
        data = (self.run_dir / f"{self.name}.insn").read_bytes()
        return sum(struct.unpack(f"={len(data) // 8}Q", data))

    def kill(self) -> None:
        self._close()
        self.qemu.kill()

    def stop(self) -> None:
        self._close()
        self.qemu.stop()

    def _close(self) -> None:
        if self.console:
            self.console.close()
        self.qmp.close()


class Ping:
    def __init__(self, sent: int, received: int, average_ms: float | None):
        self.sent, self.received, self.average_ms = sent, received, average_ms

    @property
    def lossless(self) -> bool:
        return self.sent == self.received

    def __str__(self) -> str:
        average = f", {self.average_ms:.2f} ms" if self.average_ms is not None else ""
        return f"{self.received} of {self.sent} answered{average}"


def start_mirror(run: RunDir, machine: str = "q35", name: str = "mirror", server_options: str = "", human: bool = False,
                 extra: list[str] | None = None, **base: object) -> Guest:
    argv = base_arguments(run, name, "mirror", MIRROR_IP, machine, human=human, **base)
    return Guest(name, argv + server_arguments(run / "vhost-pci.sock", server_options) + (extra or []), run, human)


def start_origin(run: RunDir, machine: str = "q35", name: str = "origin", mac: str = ORIGIN_MAC, address: str = ORIGIN_IP,
                 chardev_options: str = "", device_options: str = "", human: bool = False,
                 extra: list[str] | None = None, **base: object) -> Guest:
    argv = base_arguments(run, name, "origin", address, machine, human=human, **base)
    return Guest(name, argv + client_arguments(run / "vhost-pci.sock", mac, chardev_options, device_options) + (extra or []), run, human)


class Pair:
    """Mirror and origin, booted and linked."""

    def __init__(self, run: RunDir, mirror: Guest, origin: Guest):
        self.run, self.mirror, self.origin = run, mirror, origin

    def wait_link(self, timeout: float = 40) -> None:
        self.origin.wait_interface(ORIGIN_IP, timeout)
        self.mirror.wait_interface(MIRROR_IP, timeout)

    def assert_works(self) -> None:
        """Pings both ways lose no packet."""
        self.wait_link()
        for sender, target in ((self.origin, MIRROR_IP), (self.mirror, ORIGIN_IP)):
            # The neighbour may have to be resolved first
            sender.wait_answer(target)
            ping = sender.ping(target, 20, 0.02, 1400)
            assert ping.lossless, f"{sender.name} to {target}: {ping}"

    def stop(self) -> None:
        self.origin.stop()
        self.mirror.stop()


def boot_vhost_pci(run: RunDir, machine: str = "q35", device_options: str = "", **base: object) -> Pair:
    mirror = start_mirror(run, machine, **base)
    try:
        mirror.wait_ready()
        origin = start_origin(run, machine, device_options=device_options, **base)
        try:
            origin.wait_ready()
            pair = Pair(run, mirror, origin)
            pair.wait_link()
            return pair
        except BaseException:
            origin.stop()
            raise
    except BaseException:
        mirror.stop()
        raise
