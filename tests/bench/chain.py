# SPDX-License-Identifier: GPL-2.0-or-later
"""N virtual machines in a row, joined by links of one kind. Those between the first and the last forward all that they get."""
import base64
import gzip
import concurrent.futures
import pathlib
import re
import subprocess
import time

from lab import guests, paths, process
from switches import HugePages, OpenVSwitch, Switch, Testpmd

VHOST_PCI, STREAM, TESTPMD, OVS = "vhost-pci", "stream", "testpmd", "OVS-DPDK"
XDP, XDP_BOTH, STREAM_XDP, OVS_XDP = "vhost-pci-XDP", "vhost-pci-XDP-both", "stream-XDP", "OVS-DPDK-XDP"
PLAIN = {XDP: VHOST_PCI, XDP_BOTH: VHOST_PCI, STREAM_XDP: STREAM, OVS_XDP: OVS}
"""Native XDP instead of tc in the VMs between, and what the path is without it. On vhost-pci-XDP-both every second VM mirrors both
neighbours, so that all the devices of a forwarder are ours."""
THREADED, BUSY_POLL = "vhost-pci-threaded", "vhost-pci-busy-poll"
"""Variants for the curious: NAPI in threads; sockets that poll their queue before they sleep."""
OURS = (VHOST_PCI, XDP, XDP_BOTH, THREADED, BUSY_POLL)
PATHS = (VHOST_PCI, STREAM, TESTPMD, OVS, XDP, XDP_BOTH, STREAM_XDP, OVS_XDP)
ALL_PATHS = PATHS + (THREADED, BUSY_POLL)
SWITCHES = {TESTPMD: Testpmd, OVS: OpenVSwitch, OVS_XDP: OpenVSwitch}
LARGEST_RING, LARGEST_STREAM_TX_RING = 1024, 256
"""What QEMU allows: more than 256 on transmit only where the ring is served by another process than it."""
NO_OFFLOADS = "".join(f",{name}=off" for name in (
    "csum", "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo", "host_tso4", "host_tso6", "host_ecn", "host_ufo"))
FIRST_IP, LAST_IP = "10.0.0.1", "10.0.0.2"
LEFT, RIGHT = 0, 1
"""Sides of a VM: towards the first VM and towards the last."""
FEATURE_NAMES = {
    0: "csum", 1: "guest_csum", 2: "ctrl_guest_offloads", 3: "mtu", 5: "mac", 7: "guest_tso4", 8: "guest_tso6", 9: "guest_ecn",
    10: "guest_ufo", 11: "host_tso4", 12: "host_tso6", 13: "host_ecn", 14: "host_ufo", 15: "mrg_rxbuf", 16: "status", 17: "ctrl_vq",
    18: "ctrl_rx", 19: "ctrl_vlan", 21: "guest_announce", 22: "mq", 23: "ctrl_mac", 28: "indirect", 29: "event_idx", 32: "version_1",
    33: "access_platform", 34: "packed", 35: "in_order"}
XDP_PROGRAM = paths.ROOT / "tests/driver/xdp/xdprun.c"
XDP_FLAGS = ("-Os", "-static", "-nostdlib", "-no-pie", "-fno-pie", "-fno-builtin", "-s", "-fno-stack-protector",
             "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none")
DATA_PATH_BITS = sum(1 << bit for bit in (0, 1, 7, 8, 9, 10, 11, 12, 13, 14, 15, 28, 29, 32, 34, 35))
"""What changes the work done for a packet; the rest are about control."""


def plain(path: str) -> str:
    return PLAIN.get(path, path)


def ring_options(path: str) -> str:
    """The largest rings that the path can have."""
    return f",rx_queue_size={LARGEST_RING},tx_queue_size={LARGEST_STREAM_TX_RING if plain(path) == STREAM else LARGEST_RING}"


def feature_names(mask: int) -> str:
    return " ".join(name for bit, name in FEATURE_NAMES.items() if mask >> bit & 1)


class Chain:
    def __init__(self, run: process.RunDir, path: str, vms: int, offloads: bool, memory_mb: int):
        self.run, self.path, self.vms, self.offloads, self.memory_mb = run, path, vms, offloads, memory_mb
        self.switch: Switch | None = None
        self.guests: list[guests.Guest] = []
        self.interfaces: list[dict[int, str]] = []

    def start(self, pages: HugePages) -> None:
        """Starts all processes; wait_ready() and set_up() come next."""
        links = [(self.run / f"link{n}.a", self.run / f"link{n}.b") for n in range(self.vms - 1)]
        if self.path in SWITCHES:
            self.switch = SWITCHES[self.path]()
            pages.provide(self.switch.memory_mb)
            # Before the VMs: QEMU waits for the other end of vhost-user.
            self.switch.start(self.run, links, self.offloads)
            # A poller would take a core from the VMs that boot.
            self.switch.yield_to_others(True)
        # The end that listens has to be there first: the right end, or that of the VM which mirrors both neighbours.
        order = sorted(range(self.vms), key=lambda n: (not self._is_mirror(n, LEFT), -n))
        started: dict[int, guests.Guest] = {}
        for number in order:
            started[number] = self._start_guest(number, links)
            self.guests = [started[n] for n in sorted(started)]

    def _is_mirror(self, number: int, side: int) -> bool:
        """On vhost-pci every VM is the mirror of its left and the origin for its right neighbour; on one path every second VM mirrors both."""
        if self.path == XDP_BOTH:
            return number % 2 == 1
        return self.path in OURS and side == LEFT and number > 0

    def _start_guest(self, number: int, links: list[tuple[pathlib.Path, pathlib.Path]]) -> guests.Guest:
        argv = guests.base_arguments(self.run, f"vm{number}", f"vm{number}", "", "q35", count=True, memory_mb=self.memory_mb)
        if self._is_mirror(number, LEFT):
            argv += guests.server_arguments(self._server_socket(number))
        if number > 0 and not self._is_mirror(number, LEFT):
            argv += self._end(LEFT, links[number - 1], number)
        if number < self.vms - 1 and not self._is_mirror(number, RIGHT):
            argv += self._end(RIGHT, links[number], number)
        return guests.Guest(f"vm{number}", argv, self.run)

    def _server_socket(self, number: int) -> pathlib.Path:
        return self.run / f"vm{number}.vhost-pci"

    def _end(self, side: int, link: tuple[pathlib.Path, pathlib.Path], number: int) -> list[str]:
        mac, options = mac_address(number, side), ring_options(self.path) + ("" if self.offloads else NO_OFFLOADS)
        if self.path in OURS:
            return guests.client_arguments(self._server_socket(neighbour(number, side)), mac, device_options=options,
                                           chardev=f"vp-client{side + 1}")
        if plain(self.path) == STREAM:
            backend = f"stream,id=n{side},server={'on' if side == LEFT else 'off'},addr.type=unix,addr.path={link[0]}"
            extra = []
        else:
            extra = ["-chardev", f"socket,id=c{side},path={link[1 if side == LEFT else 0]},server=on,wait=off"]
            backend = f"vhost-user,id=n{side},chardev=c{side}"
        return extra + ["-netdev", backend, "-device", f"virtio-net-pci,netdev=n{side},mac={mac},romfile={options}"]

    def wait_ready(self, timeout: float) -> None:
        for guest in self.guests:
            guest.wait_ready(timeout)
        if self.switch:
            self.switch.yield_to_others(False)

    def set_up(self) -> None:
        """Addresses at both ends, forwarding in between, and a first packet through."""
        self.interfaces = [self._find_interfaces(number) for number in range(self.vms)]
        for guest, sides in zip(self.guests, self.interfaces):
            guest.command("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; ulimit -n 4096; "
                          + "; ".join(f"/usr/sbin/ip link set {name} up promisc on" for name in sides.values()))
            if self.path == THREADED:
                guest.command("; ".join(f"echo 1 >/sys/class/net/{name}/threaded" for name in sides.values()))
            if self.path == BUSY_POLL:
                guest.command("echo 50 >/proc/sys/net/core/busy_read; echo 50 >/proc/sys/net/core/busy_poll")
            if len(sides) == 2 and self.path in PLAIN:
                self._forward_with_xdp(guest, sides)
            elif len(sides) == 2:
                for source, target in ((LEFT, RIGHT), (RIGHT, LEFT)):
                    # Ours can take the filter over; virtio_net has no such switch.
                    guest.run(f"/usr/sbin/ethtool -K {sides[source]} hw-tc-offload on 2>/dev/null")
                    guest.command(f"/usr/sbin/tc qdisc add dev {sides[source]} ingress && /usr/sbin/tc filter add dev {sides[source]} "
                                  f"parent ffff: matchall action mirred egress redirect dev {sides[target]}")
        for (guest, name), address in ((self.first, FIRST_IP), (self.last, LAST_IP)):
            guest.command(f"/usr/sbin/ip addr add {address}/24 dev {name}")
        for guest, sides in zip(self.guests, self.interfaces):
            for name in sides.values():
                guest.wait_until(f'[ "$(cat /sys/class/net/{name}/carrier)" = 1 ]')
        self._wait_for_link()

    def _wait_for_link(self) -> None:
        self.guests[0].wait_until(f"/usr/bin/ping -q -c 1 -W 1 {LAST_IP}", 30)

    def on_all(self, work) -> list:
        """Calls work with each guest and its interfaces by side, at the same time."""
        with concurrent.futures.ThreadPoolExecutor(self.vms) as pool:
            return list(pool.map(work, self.guests, self.interfaces))

    def _forward_with_xdp(self, guest: guests.Guest, sides: dict[int, str]) -> None:
        program = self.run / "xdprun"
        if not program.exists():
            subprocess.run(["gcc", *XDP_FLAGS, "-o", str(program), str(XDP_PROGRAM)], check=True)
        text = base64.b64encode(gzip.compress(program.read_bytes())).decode()
        guest.command(f"echo {text} | base64 -d | gunzip >/tmp/xdprun; chmod +x /tmp/xdprun")
        for source, target in ((LEFT, RIGHT), (RIGHT, LEFT)):
            # In a shell of its own: others on this console wait for their children.
            guest.command(f"(/tmp/xdprun $(cat /sys/class/net/{sides[source]}/ifindex) redirect "
                          f"$(cat /sys/class/net/{sides[target]}/ifindex) >/tmp/xdp.{source} &)")
            guest.wait_until(f"grep -q attached /tmp/xdp.{source}", 10)

    def _find_interfaces(self, number: int) -> dict[int, str]:
        sides = {}
        wanted = [side for side in (LEFT, RIGHT) if (number > 0, number < self.vms - 1)[side]]
        for side in wanted:
            mac = self._peer(number, side)["mac"] if self._is_mirror(number, side) else mac_address(number, side)
            found = f"basename $(dirname $(grep -l {mac} /sys/class/net/*/address))"
            sides[side] = self.guests[number].wait_until(found + " 2>/dev/null", 40).strip()
        return sides

    def _peer(self, number: int, side: int) -> dict:
        """What a mirror says about the origin on this side of it."""
        pid = self.guests[neighbour(number, side)].qemu.pid
        end = time.monotonic() + 20
        while True:
            for peer in self.guests[number].qmp.execute("query-vhost-pci")["servers"][0]["peers"]:
                if peer["pid"] == pid and "mac" in peer:
                    return peer
            if time.monotonic() > end:
                raise TimeoutError(f"{self.path}: vm{number} has no device for vm{neighbour(number, side)}")
            time.sleep(0.1)

    @property
    def first(self) -> tuple[guests.Guest, str]:
        return self.guests[0], self.interfaces[0][RIGHT]

    @property
    def last(self) -> tuple[guests.Guest, str]:
        return self.guests[-1], self.interfaces[-1][LEFT]

    @property
    def processes(self) -> dict[str, process.Qemu]:
        return {guest.name: guest.qemu for guest in self.guests} | (self.switch.processes if self.switch else {})

    def features(self) -> dict[str, int]:
        """What was negotiated, by link and end."""
        found = {}
        for number, (guest, sides) in enumerate(zip(self.guests, self.interfaces)):
            for side, name in sides.items():
                if self._is_mirror(number, side):
                    mask = self._peer(number, side)["features"]
                else:
                    bits = guest.command(f"cat /sys/class/net/{name}/device/features")
                    mask = sum(1 << place for place, bit in enumerate(bits.strip()) if bit == "1")
                found[self._end_name(number, side)] = mask
        return found

    def _end_name(self, number: int, side: int) -> str:
        role = " (mirror)" if self._is_mirror(number, side) else " (origin)" if self.path in OURS else ""
        return f"vm{number}, link {number - 1 if side == LEFT else number}{role}"

    def rings(self) -> dict[str, list[int]]:
        """Entries of the receive and the transmit ring, as each guest sees them."""
        found = {}
        for number, (guest, sides) in enumerate(zip(self.guests, self.interfaces)):
            for side, name in sides.items():
                text = guest.command(f"/usr/sbin/ethtool -g {name}").partition("Current hardware settings:")[2]
                found[self._end_name(number, side)] = [int(re.search(rf"^{ring}:\s+(\d+)", text, re.M).group(1)) for ring in ("RX", "TX")]
        return found

    def complaints(self) -> list[str]:
        return [f"{guest.name}: {line}" for guest in self.guests for line in guest.complaints()]

    def pause(self) -> None:
        """Takes no processor until resume(). The guests' clocks stand still, too."""
        for guest in self.guests:
            guest.qmp.execute("stop")
        # Last, because stopping a VM stops its vhost device, which the switch must answer.
        if self.switch:
            self.switch.pause()

    def resume(self) -> None:
        if self.switch:
            self.switch.resume()
        for guest in self.guests:
            guest.qmp.execute("cont")
        self._wait_for_link()

    def clocks(self) -> list[tuple[float, float]]:
        """Uptime of each guest, and our time."""
        return self.on_all(lambda guest, _: (float(guest.command("read -r up rest </proc/uptime; echo $up")), time.monotonic()))

    def stop(self) -> None:
        for guest in self.guests:
            guest.stop()
        if self.switch:
            self.switch.stop()


def neighbour(number: int, side: int) -> int:
    return number - 1 if side == LEFT else number + 1


def mac_address(number: int, side: int) -> str:
    return f"52:54:00:00:{number:02x}:{side + 1:02x}"


def unavailable(path: str) -> str | None:
    """Why a path cannot be measured here."""
    missing = [str(file) for file in (paths.QEMU, paths.KERNEL, paths.INITRAMFS, paths.COUNTER_PLUGIN) if not file.exists()]
    if missing:
        return f"not built: {re.sub(r'[^ ]*/', '', ' '.join(missing))}"
    if path in SWITCHES:
        try:
            SWITCHES[path].check()
        except RuntimeError as error:
            return str(error)
    return None
