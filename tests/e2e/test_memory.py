# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory that an origin gets and gives back while TCP flows out of it: the packets are in that memory."""
import os

import pytest

from lab import footprint, guests, patience, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Guest

TIMES = 20 if os.environ.get("VHOST_PCI_LONG") == "1" else 2
GIB = 1 << 30
DIMM_MB = 256
# All memory from the start is below 4 GiB, all that comes later above
HOT_PLUG = ["-m", "slots=4,maxmem=2G"]
# So that the ring itself says where the packets are
DIRECT = ",indirect_desc=off"


@pytest.fixture(scope="module")
def mirror(run: process.RunDir):
    mirror = guests.start_mirror(run, "q35")
    mirror.wait_ready()
    traffic.start_server(mirror)
    yield mirror
    mirror.stop()


def wait_for(what: str, condition):
    return patience.wait_for(what, condition, 60)


def peers(mirror: Guest) -> list[dict]:
    return mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]


def linked(mirror: Guest) -> dict | None:
    return next((peer for peer in peers(mirror) if peer["link"]), None)


def total_mb(guest: Guest) -> int:
    return int(guest.command("grep MemTotal /proc/meminfo").split()[1]) >> 10


def add_memory(origin: Guest, name: str) -> None:
    before = total_mb(origin)
    # For user pages and files only, so that it can be had back
    origin.command("echo online_movable > /sys/devices/system/memory/auto_online_blocks")
    origin.qmp.execute("object-add", {"qom-type": "memory-backend-memfd", "id": f"{name}-memory", "size": DIMM_MB << 20, "share": True})
    origin.qmp.execute("device_add", {"driver": "pc-dimm", "id": name, "memdev": f"{name}-memory"})
    wait_for("the guest to take the memory", lambda: total_mb(origin) >= before + DIMM_MB - 16)


def remove_memory(origin: Guest, name: str) -> None:
    """Asks until the guest lets it go: it may refuse because of pages in use at that moment."""
    for _ in range(10):
        origin.qmp.events.clear()
        origin.qmp.execute("device_del", {"id": name})
        try:
            origin.qmp.wait_event("DEVICE_DELETED", 10, lambda data: data.get("device") == name)
            break
        except TimeoutError:
            continue
    else:
        pytest.fail(f"the guest keeps the memory: {origin.qmp.events}")
    origin.qmp.execute("object-del", {"id": f"{name}-memory"})


class Stream:
    """TCP out of a file's pages, without a copy, until it is stopped."""

    def __init__(self, origin: Guest):
        self.origin = origin
        # A file of its own, and its pages where new memory is
        traffic.start_client(origin, MIRROR_IP, "stream", "-Z -t 3600")

    def stop(self) -> None:
        assert self.origin.run("kill -0 $(cat /tmp/stream.pid)").status == 0, f"the stream broke: {self.origin.command('cat /tmp/stream')}"
        self.origin.command("kill -INT $(cat /tmp/stream.pid)")
        self.origin.wait_until("! kill -0 $(cat /tmp/stream.pid) 2>/dev/null", 20)


def received(mirror: Guest) -> int:
    return sum(int(mirror.command(f"cat /sys/class/net/{name}/statistics/rx_bytes")) for name in mirror.interfaces())


def wait_flow(mirror: Guest, megabytes: int = 8) -> None:
    wait_for("TCP to flow", lambda before=received(mirror): received(mirror) > before + (megabytes << 20))


def words(origin: Guest, size: str, count: int, address: int) -> list[int]:
    """The origin's memory, as its monitor shows it."""
    text = origin.hmp(f"xp /{count}{size}x {address:#x}")
    return [int(word, 16) for line in text.splitlines() for word in line.split(": ")[1].split()]


def packets_above(origin: Guest, mirror: Guest, limit: int) -> bool:
    """Whether part of the origin's last packets was above it. Only the last ones tell: a free descriptor keeps its old address."""
    ring = linked(mirror)["rings"][1]
    size = ring["size"]
    avail = words(origin, "h", 2 + size, ring["avail"])
    table = words(origin, "g", 2 * size, ring["desc"])
    for back in range(1, 33):
        at = avail[2 + (avail[1] - back) % size]
        for _ in range(size):
            address, rest = table[2 * at], table[2 * at + 1]
            if address >= limit:
                return True
            if not rest >> 32 & 1:
                break
            at = rest >> 48
    return False


def assert_whole(mirror: Guest, origin: Guest) -> None:
    for sender, target in ((origin, MIRROR_IP), (mirror, ORIGIN_IP)):
        sender.wait_answer(target)
        ping = sender.ping(target, 20, 0.02)
        assert ping.lossless, f"{sender.name}: {ping}"
        assert sender.complaints() == []


def test_memory_comes_and_goes_under_traffic(run: process.RunDir, mirror: Guest, vms: list[Guest]):
    origin = guests.start_origin(run, "q35", device_options=DIRECT, extra=HOT_PLUG)
    vms.append(origin)
    origin.wait_ready()
    origin.wait_interface(ORIGIN_IP)
    mirror.wait_interface(MIRROR_IP)
    peer = wait_for("the link", lambda: linked(mirror))
    before = footprint.Footprint(mirror.qemu)
    old = Stream(origin)
    wait_flow(mirror)
    assert not packets_above(origin, mirror, 4 * GIB)
    for _ in range(TIMES):
        add_memory(origin, "dimm")
        wait_for("the window to show it", lambda: linked(mirror) and linked(mirror)["mapped"] == peer["mapped"] + (DIMM_MB << 20))
        # Room was kept for it: the same device
        assert linked(mirror)["device"] == peer["device"]
        wait_flow(mirror)
        old.stop()
        new = Stream(origin)
        wait_flow(mirror)
        wait_for("packets in the new memory", lambda: packets_above(origin, mirror, 4 * GIB))
        wait_flow(mirror)
        remove_memory(origin, "dimm")
        wait_for("the window without it", lambda: linked(mirror) and linked(mirror)["mapped"] == peer["mapped"])
        wait_flow(mirror)
        old = new
        footprint.wait_back(mirror.qemu, before)
    old.stop()
    assert_whole(mirror, origin)
    assert mirror.qemu.output().count("vhost-pci-server") == 0, mirror.qemu.output()


def test_memory_that_outgrows_the_window_under_traffic(run: process.RunDir, mirror: Guest, vms: list[Guest]):
    """QEMU's own front-end does not say how much memory may come: its device is replaced by a larger one."""
    wait_for("an empty server", lambda: not peers(mirror))
    argv = guests.base_arguments(run, "grower", "origin", f"{ORIGIN_IP}", "q35")
    origin = Guest("grower", argv + HOT_PLUG + [
        "-chardev", f"socket,id=c0,path={run / 'vhost-pci.sock'}", "-netdev", "vhost-user,id=net0,chardev=c0",
        "-device", f"virtio-net-pci,romfile=,mac={guests.ORIGIN_MAC},netdev=net0{DIRECT}"], run)
    vms.append(origin)
    origin.wait_ready()
    origin.wait_interface(ORIGIN_IP)
    first = mirror.wait_interface(MIRROR_IP)
    peer = wait_for("the link", lambda: linked(mirror))
    assert peer["window-size"] == 4 * GIB
    stream = Stream(origin)
    wait_flow(mirror)
    add_memory(origin, "dimm")
    larger = wait_for("the larger device", lambda: (now := linked(mirror)) and now["window-size"] == 8 * GIB and now)
    assert larger["device"] != peer["device"] and larger["mapped"] == peer["mapped"] + (DIMM_MB << 20)
    wait_for("the guest to let the old one go", lambda: len(peers(mirror)) == 1)
    # To the guest it is another interface; who has the address is the administrator's to say
    second, = mirror.interfaces()
    assert second != first
    mirror.command(f"/usr/sbin/ip addr flush dev {second}; /usr/sbin/ip addr add {MIRROR_IP}/24 dev {second}; /usr/sbin/ip link set {second} up")
    mirror.wait_interface(MIRROR_IP)
    mirror.wait_answer(ORIGIN_IP)
    wait_flow(mirror)
    stream.stop()
    stream = Stream(origin)
    wait_for("packets in the new memory", lambda: packets_above(origin, mirror, 4 * GIB))
    wait_flow(mirror)
    stream.stop()
    assert_whole(mirror, origin)
