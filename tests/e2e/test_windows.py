# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a booted guest puts the windows of many devices: both machines, both firmwares, several bridges and servers, mixed
sizes, and no room at all. The origins are light: a socket, a file of memory, and eventfds."""
import dataclasses
import os
import pathlib
import time

import pytest

from lab import guests, paths, process
from lab.guests import Guest
from qtest import front_end as fe

GIB = 1 << 30
LONG = os.environ.get("VHOST_PCI_LONG") == "1"
OVMF = pathlib.Path("/usr/share/OVMF/OVMF_CODE.fd")
# Seconds; one device takes a hundredth, on a machine with nothing else to do
PATIENCE = 300
MEMORY = 1 << 20


@dataclasses.dataclass
class Placed:
    """A vhost-pci-net as the guest's kernel sees it."""
    address: str
    parent: str
    start: int
    end: int
    mac: str

    @property
    def size(self) -> int:
        return self.end - self.start + 1 if self.end else 0

    @property
    def path_name(self) -> str:
        """What systemd's naming scheme makes of its place."""
        bus, slot = int(self.address[5:7], 16), int(self.address[8:10], 16)
        return f"enp{bus}s{slot}"


class Origin(fe.FrontEnd):
    def __init__(self, path: pathlib.Path, number: int, end: int = MEMORY):
        super().__init__(path)
        self.greet(fe.F_VHOST_PCI)
        self.send_info(f"o{number}", bytes([0x52, 0x54, 0, 0, 1, number]), end)
        self.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        self.set_memory([fe.region(0, MEMORY)], [self.own(fe.memory(MEMORY))])
        for ring in range(2):
            self.set_ring(ring)


def server(run: process.RunDir, name: str, connections: int, options: str = "") -> list[str]:
    return ["-chardev", f"socket,id=chr-{name},server=on,wait=off,connections={connections},path={run / name}",
            "-vhost-pci-server", f"socket,chardev=chr-{name},id={name},unplug-delay=0{options}"]


class Mirror(Guest):
    def __init__(self, run: process.RunDir, machine: str, *args: str, firmware: str = "seabios", memory_mb: int = guests.MEMORY_MB):
        argv = guests.base_arguments(run, "mirror", "mirror", "", machine, memory_mb=memory_mb)
        if firmware == "ovmf":
            # Its loader wants the packed kernel
            argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}", "-kernel", str(paths.KERNEL)]
        super().__init__("mirror", argv + list(args), run)
        self.origins: list[Origin] = []

    def __enter__(self) -> "Mirror":
        self.wait_ready(PATIENCE)
        return self

    def __exit__(self, *_rest: object) -> None:
        for origin in self.origins:
            origin.close()
        self.stop()

    def connect(self, path: pathlib.Path, count: int, end: int = MEMORY) -> None:
        for _ in range(count):
            self.origins.append(Origin(path, len(self.origins) + 1, end))

    def peers(self) -> list[dict]:
        return [peer for one in self.qmp.execute("query-vhost-pci")["servers"] for peer in one["peers"]]

    def wait_peers(self, what: str, condition, timeout: float = PATIENCE) -> list[dict]:
        end = time.monotonic() + timeout
        while not condition(found := self.peers()):
            states = sorted((peer["state"], peer["link"], peer["driver-ok"]) for peer in found)
            assert time.monotonic() < end, f"{what}: {states}\n{self.qemu.output()}\n{self.command('dmesg | tail -30')}"
            time.sleep(0.1)
        return found

    def wait_drivers(self, count: int) -> list[dict]:
        """Until so many origins have a device, and each device a driver."""
        return self.wait_peers(f"{count} drivers", lambda peers: len(peers) == count
                               and all(peer["link"] and peer["driver-ok"] and peer["state"] == "running" for peer in peers))

    def placed(self) -> list[Placed]:
        lines = self.command(
            'for d in /sys/bus/pci/devices/*; do read -r id <$d/device; [ $id = 0x107f ] || continue; p=$(readlink -f $d/..); '
            'read -r mac <$(echo $d/virtio*/net/*/address) 2>/dev/null || mac=none; { read -r _; read -r _; read -r bar; } <$d/resource; '
            'echo ${d##*/} ${p##*/} $bar $mac; done; :', 120).splitlines()
        found = []
        for line in lines:
            address, parent, start, end, _flags, mac = line.split()
            found.append(Placed(address, parent, int(start, 16), int(end, 16), mac))
        return found

    def ranges(self, bridge: str) -> list[tuple[int, int]]:
        words = [line.split() for line in self.command(f"cat /sys/bus/pci/devices/{bridge}/resource").splitlines()]
        return [(int(start, 16), int(end, 16)) for start, end, _flags in words]

    def assert_placed(self, sizes: list[int]) -> list[Placed]:
        """Each window where the guest can use it: above 4 GiB, aligned, inside its bridge's, and no two at one place."""
        found = self.placed()
        assert sorted(one.size for one in found) == sorted(sizes)
        bridges = {name: self.ranges(name) for name in {one.parent for one in found}}
        for one in found:
            assert one.start >= 4 * GIB and one.start % one.size == 0, one
            assert any(first <= one.start and one.end <= last for first, last in bridges[one.parent]), (one, bridges[one.parent])
            assert one.mac != "none", f"{one}: no driver"
        ordered = sorted(found, key=lambda one: one.start)
        for before, after in zip(ordered, ordered[1:]):
            assert before.end < after.start, (before, after)
        assert self.complaints() == []
        return found


@pytest.fixture
def folder():
    with process.RunDir("windows") as run:
        yield run
        process.stop_all()


# Those of the first line in CI. Each device takes three interrupt vectors, and a vCPU has about 200.
PLACES = [("pc", "seabios", 32, 400), ("q35", "seabios", 64, 400), ("q35", "ovmf", 32, 400)] + LONG * [
    ("q35", "seabios", 32, 400), ("pc", "ovmf", 32, 400), ("pc", "seabios", 64, 400), ("pc", "ovmf", 64, 400), ("q35", "ovmf", 64, 400),
    # RAM above 4 GiB, so that the bridge's window begins at no multiple of 4 GiB
    ("q35", "seabios", 32, 5120), ("pc", "seabios", 64, 5120), ("q35", "ovmf", 32, 5120)]


@pytest.mark.parametrize("machine,firmware,connections,memory_mb", PLACES)
def test_every_device_gets_its_window(folder, machine, firmware, connections, memory_mb):
    if firmware == "ovmf" and not OVMF.exists():
        pytest.skip("Debian's package ovmf is not installed")
    with Mirror(folder, machine, *server(folder, "vps", connections), firmware=firmware, memory_mb=memory_mb) as mirror:
        begin = time.monotonic()
        mirror.connect(folder / "vps", connections)
        mirror.wait_drivers(connections)
        print(f"{machine} {firmware}: {connections} devices with their drivers after {time.monotonic() - begin:.1f} s")
        before = mirror.assert_placed([4 * GIB] * connections)
        assert mirror.qemu.output() == ""

        # Some leave, the guest lets their devices go, and others find the room again
        for origin in mirror.origins[1:6:2]:
            origin.close()
        mirror.wait_peers("three to be gone", lambda peers: len(peers) == connections - 3)
        mirror.connect(folder / "vps", 3)
        mirror.wait_drivers(connections)
        after = mirror.assert_placed([4 * GIB] * connections)
        assert {one.address for one in before} == {one.address for one in after}


def test_several_servers_and_sizes_in_one_guest(folder):
    with Mirror(folder, "pc", *server(folder, "small", 8), *server(folder, "large", 4, ",slot-size=16G")) as mirror:
        for end in (4, 16, 8, 4):
            mirror.connect(folder / "small", 1, end * GIB)
        mirror.connect(folder / "large", 2)
        mirror.connect(folder / "large", 1, 15 * GIB)
        mirror.wait_drivers(7)
        found = mirror.assert_placed([size * GIB for size in (4, 16, 8, 4, 16, 16, 16)])
        assert len({one.parent for one in found}) == 2
        assert mirror.qemu.output() == ""


def test_a_guest_without_room_is_reported_and_the_others_go_on(folder):
    """12 GiB for two: 4 and then 8, which finds no multiple of 8 GiB free."""
    with Mirror(folder, "pc", *server(folder, "vps", 2)) as mirror:
        mirror.connect(folder / "vps", 1)
        mirror.wait_drivers(1)
        mirror.connect(folder / "vps", 1, 8 * GIB)
        mirror.wait_peers("no-window", lambda peers: sorted(peer["state"] for peer in peers) == ["no-window", "running"])
        line, = mirror.qemu.output().strip().splitlines()
        assert "the guest has no room for the memory window (BAR 2, 8 GiB), the link stays down: its bus has 12 GiB at 0x100000000, " \
            "of which other windows have 4 GiB; raise slot-size= or connections=" in line
        text = mirror.hmp("info vhost-pci")
        assert ", no-window" in text and ", running" in text
        mirror.wait_until("dmesg | grep -q 'BAR 2, the 8192 MiB window, found no address'")

        # It has the room when it comes back and the other one has left
        for origin in mirror.origins:
            origin.close()
        mirror.wait_peers("none", lambda peers: not peers)
        mirror.connect(folder / "vps", 1, 8 * GIB)
        mirror.wait_drivers(1)
        mirror.assert_placed([8 * GIB])


@pytest.mark.skipif(not LONG, reason="VHOST_PCI_LONG=1")
def test_what_the_user_told_ovmf_stays_and_is_reported(folder):
    """A hole that is too small for the bridge: OVMF gives it no window, and then Linux does not even try the driver."""
    if not OVMF.exists():
        pytest.skip("Debian's package ovmf is not installed")
    with Mirror(folder, "q35", *server(folder, "vps", 32), "-fw_cfg", "name=opt/ovmf/X-PciMmio64Mb,string=32768", firmware="ovmf") as mirror:
        mirror.connect(folder / "vps", 1)
        mirror.wait_peers("no-window", lambda peers: peers and peers[0]["state"] == "no-window")
        line, = mirror.qemu.output().strip().splitlines()
        assert "has no window so far: the firmware gave its bus nothing of 132 GiB; lower connections= or slot-size=" in line
        assert ", no-window" in mirror.hmp("info vhost-pci")
        mirror.wait_until("dmesg | grep -q 'BAR 2 .mem size 0x100000000 64bit pref.: failed to assign'")


PORTS = [word for n in (0, 1) for word in
         ("-device", f"pcie-root-port,id=rp{n},chassis={n + 1},slot={n + 5},pref64-reserve=8G,bus=pcie.0,addr={n + 8}")]
NATIVE = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]


@pytest.mark.parametrize("where", ["bridge", "ports", "ports without ACPI"])
def test_a_device_keeps_its_address_and_name(folder, where):
    """When its origin leaves and returns, and when the guest reboots."""
    args = server(folder, "vps", 2, "" if where == "bridge" else ",slots=rp0:rp1")
    with Mirror(folder, "q35", *([] if where == "bridge" else PORTS), *(NATIVE if where == "ports without ACPI" else []), *args) as mirror:
        mirror.connect(folder / "vps", 2)
        places = places_by_origin(mirror)
        print(f"{where}: {places}")
        # Of several slots with one number the kernel gives all but the first a suffix, and systemd leaves those out
        assert [names[1:] for names in places.values()] == {
            "bridge": [("enp1s1", "1"), ("enp1s2", "2")],
            "ports": [("enp2s0", "0-2"), ("enp3s0", "0-3")],
            "ports without ACPI": [("enp2s0", "5"), ("enp3s0", "6")]}[where]

        mirror.origins.pop(0).close()
        mirror.wait_peers("one to be gone", lambda peers: len(peers) == 1)
        mirror.origins.append(Origin(folder / "vps", 1))
        assert places_by_origin(mirror) == places

        mirror.qmp.execute("set-action", {"reboot": "reset"})
        mirror.qmp.execute("system_reset")
        mirror.wait_peers("the reset", lambda peers: not any(peer["driver-ok"] for peer in peers))
        mirror.wait_ready(PATIENCE)
        assert places_by_origin(mirror) == places
        mirror.assert_placed([4 * GIB] * 2)


def slots(mirror: Mirror) -> str:
    """The kernel's names of hot-plug slots and what is in them, from which systemd makes ens5 and the like."""
    return mirror.command('cd /sys/bus/pci/slots; for s in *; do echo $s $(cat $s/address); done; :')


def places_by_origin(mirror: Mirror) -> dict[str, tuple[str, str, str]]:
    peers = mirror.wait_drivers(2)
    by_mac = {one.mac: one for one in mirror.assert_placed([4 * GIB] * 2)}
    names = {words[1]: words[0] for words in (line.split() for line in slots(mirror).splitlines()) if len(words) == 2}
    return {peer["name"]: (one.address, one.path_name, names.get(one.address[:-2], names.get(one.parent[:-2], "none")))
            for peer in peers for one in [by_mac[peer["mac"]]]}
