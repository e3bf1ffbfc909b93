# SPDX-License-Identifier: GPL-2.0-or-later
"""Repeats each event of the life cycle; descriptors, mappings, threads and memory do not grow."""
import collections
import os
import time

import pytest

from tests.lab import footprint
from tests.lab.patience import Deadline

from . import front_end as fe
from .front_end import FrontEnd
from .mirror import Mirror, wait_for
from .origin import Origin

LONG = os.environ.get("VHOST_PCI_LONG") == "1"
TIMES = 200 if LONG else 20
CYCLES = 10_000 if LONG else 300


class Footprint:
    """What a QEMU process uses on the host."""

    def __init__(self, vm):
        self.vm = vm
        # The managed heap grows to its working size before the first collections; that is no leak and happens once
        while vm.qmp.execute("query-vhost-pci")["runtime"]["collections"] < 3:
            pass
        self.held = footprint.Footprint(vm.qemu)
        (self.named, self.large), self.rss = self._measure()

    def _measure(self):
        qemu = self.vm.qemu
        with open(f"/proc/{qemu.pid}/maps", encoding="ascii", errors="replace") as maps:
            # Addresses and heaps differ; files, and what has no name and is as large as a window, do not
            lines = [line.split(maxsplit=5) for line in maps]
        named = collections.Counter(words[5].strip() for words in lines if len(words) == 6 and "[heap]" not in words[5])
        large = sum(1 for words in lines if len(words) == 5 and _size(words[0]) >= 1 << 30)
        return (named, large), qemu.rss_bytes()

    def assert_unchanged(self, slack: int) -> None:
        footprint.wait_back(self.vm.qemu, self.held)
        end = Deadline(10)
        while True:
            (named, large), rss = self._measure()
            more = named - self.named, max(0, large - self.large), max(0, rss - self.rss - slack)
            if not any(more):
                return
            assert not end.over, f"{self.vm.name}: more maps {dict(more[0])}, {more[1]} large ones, {rss - self.rss >> 10} KiB"
            time.sleep(0.1)


def _size(span: str) -> int:
    first, last = span.split("-")
    return int(last, 16) - int(first, 16)


def eject_all(mirror: Mirror) -> None:
    for peer in mirror.peers():
        if peer["state"] == "leaving":
            mirror.eject(peer["slot"])
    wait_for("no peer", lambda: not mirror.peers())


def test_connections_leave_no_trace(mirror):
    """Connects and leaves, at one of several stages."""
    def cycle(number: int) -> None:
        with FrontEnd(mirror.path) as origin:
            stage = number % 6
            if stage == 0:
                origin.send_raw(b"\x01\x00")
            elif stage == 1:
                origin.greet()
                origin.set_ring(0, enable=False)
            elif stage == 2:
                origin.greet()
                origin.send(63)
            elif stage == 3:
                origin.greet(0xffff)
                origin.set_memory()
                origin.ask(fe.GET_FEATURES)
            else:
                origin.start()
                mirror.wait_link()
        if stage >= 3:
            mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
        eject_all(mirror)

    # What is made once, or grows to its size, is there after some of each
    for number in range(30):
        cycle(number)
    before = Footprint(mirror)
    for number in range(CYCLES):
        cycle(number)
    before.assert_unchanged(slack=4 << 20)


def driver_reset(mirror, origin, device):
    origin.reset_driver()
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    origin.start_driver()


def system_reset_of_the_origin(mirror, origin, device):
    origin.qmp.execute("system_reset")
    origin.qmp.wait_event("RESET")
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    origin.set_up_nic()
    origin.start_driver()


def stop_and_cont_of_the_origin(mirror, origin, device):
    origin.qmp.execute("stop")
    # A stopped VM's driver cannot use the rings, but neither is the mirror to write into them
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    origin.qmp.execute("cont")


def stop_and_cont_of_the_mirror(mirror, origin, device):
    mirror.qmp.execute("stop")
    assert mirror.peers()[0]["link"]
    origin.kick(1)
    mirror.qmp.execute("cont")
    wait_for("the interrupt that came meanwhile", lambda: device.take_message(1))


def link_down_and_up(mirror, origin, device):
    origin.qmp.execute("set_link", {"name": "n0", "up": False})
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    origin.qmp.execute("set_link", {"name": "n0", "up": True})


def reset_of_the_mirrors_device(mirror, origin, device):
    device.reset()
    device.start()
    origin.kick(1)
    wait_for("the interrupt", lambda: device.take_message(1))


def reset_of_both(mirror, origin, device):
    origin.reset_driver()
    device.reset()
    origin.start_driver()
    device.start()
    device.ack(device.config().epoch)


EDGES = [driver_reset, system_reset_of_the_origin, stop_and_cont_of_the_origin, stop_and_cont_of_the_mirror,
         link_down_and_up, reset_of_the_mirrors_device, reset_of_both]


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.__name__)
def test_edge_in_one_connection(linked, edge):
    mirror, origin, device = linked
    for number in range(TIMES + 2):
        if number == 2:
            before = [Footprint(vm) for vm in (mirror, origin)]
        edge(mirror, origin, device)
        mirror.wait_link()
        assert device.config().up
        origin.writeq(0x2000000, number)
        assert mirror.readq(device.window + 0x2000000) == number
        for ring in (0, 1):
            origin.take_interrupt()
            device.ring_doorbell(ring)
            wait_for("the origin's interrupt", origin.take_interrupt)
    for held in before:
        held.assert_unchanged(slack=2 << 20)


def test_origin_killed_and_started(run, mirror):
    for number in range(TIMES + 2):
        if number == 2:
            before = Footprint(mirror)
        with Origin(run, mirror.path) as origin:
            origin.start_driver()
            mirror.wait_link()
            device = mirror.device()
            device.start()
            assert device.config().up
            origin.kill()
        mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
        eject_all(mirror)
    before.assert_unchanged(slack=2 << 20)


def test_mirror_killed_and_started(run):
    """An origin with reconnect=1 connects to each new server."""
    with Origin(run, run / "mirror.vhost-pci", chardev=",reconnect=1") as origin:
        origin.start_driver()
        for number in range(4 if not LONG else TIMES):
            if number == 2:
                before = Footprint(origin)
            with Mirror(run) as mirror:
                wait_for("the link", lambda: origin.client()["link"], 15)
                mirror.wait_link()
                mirror.kill()
            wait_for("the link to go down", lambda: not origin.client()["link"])
        before.assert_unchanged(slack=2 << 20)


def test_device_unplugged_by_the_mirrors_user(run, mirror):
    for number in range(TIMES + 2):
        if number == 2:
            before = Footprint(mirror)
        with FrontEnd(mirror.path) as origin:
            origin.start()
            peer = mirror.wait_link()
            mirror.device()
            mirror.qmp.execute("device_del", {"id": peer["device"]})
            mirror.eject(peer["slot"])
            assert origin.closed_by_server()
        wait_for("no peer", lambda: not mirror.peers())
    before.assert_unchanged(slack=2 << 20)


def test_origins_nic_unplugged_and_plugged(run, mirror):
    with Origin(run, mirror.path) as origin:
        origin.start_driver()
        for number in range(TIMES + 2):
            if number == 2:
                before = [Footprint(vm) for vm in (mirror, origin)]
            slot = origin.find_pci(0x1af4, 0x1000)[0].slot
            origin.qmp.execute("device_del", {"id": "n0"})
            origin.outl(0xae10, 0)
            origin.outl(0xae08, 1 << slot)
            origin.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "n0")
            mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
            eject_all(mirror)
            # Without reconnect= a socket is good for one connection
            origin.qmp.execute("chardev-remove", {"id": "vp-client1"})
            address = {"type": "unix", "data": {"path": str(mirror.path)}}
            origin.qmp.execute("chardev-add", {"id": "vp-client1", "backend": {
                "type": "socket", "data": {"addr": address, "server": False}}})
            origin.qmp.execute("device_add", {"driver": "virtio-net-pci", "id": "n0", "romfile": "",
                                              "vhost-pci-client": "vp-client1"})
            origin.set_up_nic()
            origin.start_driver()
            mirror.wait_link()
        for held in before:
            held.assert_unchanged(slack=2 << 20)


def test_server_bridge_deleted_is_refused_and_chardevs_in_use_stay(linked):
    """What is in use cannot be removed, however often it is tried."""
    mirror, origin, device = linked
    for _ in range(TIMES):
        for vm, chardev in ((mirror, "srv"), (origin, "vp-client1")):
            with pytest.raises(Exception, match="busy|use"):
                vm.qmp.execute("chardev-remove", {"id": chardev})
        with pytest.raises(Exception, match="hotplug|hot-plug|unplug"):
            mirror.qmp.execute("device_del", {"id": "vps"})
    assert device.config().up
    device.ring_doorbell(0)
    wait_for("the origin's interrupt", origin.take_interrupt)
