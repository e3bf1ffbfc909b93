# SPDX-License-Identifier: GPL-2.0-or-later
"""Origins that return to their device, and origins whose memory outgrows it."""
import os
import struct
import time

from . import front_end as fe
from .front_end import FrontEnd, region
from .mirror import GIB, WINDOWS, Mirror, wait_for
from .origin import Origin
from .test_static import start_named

F_CONFIGURE_MEM_SLOTS = 1 << 15
F_REPLY_ACK = 1 << 3


def test_an_origin_that_is_restarted_gets_its_device_back(run):
    with Mirror(run, unplug_delay=600) as mirror:
        with Origin(run, mirror.path) as origin:
            origin.start_driver()
            peer = mirror.wait_link()
            device = mirror.device()
            device.start()
            device.ack(device.config().epoch)
            origin.kill()
        away = mirror.wait_peer("away", lambda p: p["state"] == "away")
        assert away["device"] == peer["device"] and not device.config().up
        with Origin(run, mirror.path) as origin:
            origin.start_driver()
            back = mirror.wait_peer("the origin", lambda p: p["state"] == "waiting-for-driver")
            assert (back["device"], back["slot"]) == (peer["device"], peer["slot"])
            assert back["connection"] == peer["connection"] + 1 and back["pid"] == origin.qemu.pid
            device.ack(device.config().epoch)
            mirror.wait_link()
            origin.writeq(0x2000000, 0x99)
            assert mirror.readq(WINDOWS + 0x2000000) == 0x99
            # The guest has never been asked for it
            mirror.outl(0xae10, 1)
            assert not mirror.inl(0xae04)
            assert len(mirror.peers()) == 1


def test_the_guest_is_asked_after_the_delay(run):
    with Mirror(run, unplug_delay=2) as mirror:
        with FrontEnd(mirror.path) as origin:
            start_named(origin, "one")
            slot = mirror.wait_link()["slot"]
            mirror.device(slot)
            left = time.monotonic()
        mirror.wait_peer("away", lambda p: p["state"] in ("away", "leaving"))
        mirror.outl(0xae10, 1)
        wait_for("the request", lambda: mirror.inl(0xae04) & 1 << slot)
        # It may be seen later on a busy machine, but never sooner
        assert time.monotonic() - left > 1.9
        assert mirror.peers()[0]["state"] == "leaving"
        mirror.eject(slot)
        wait_for("no peer", lambda: not mirror.peers())


def test_another_origin_does_not_get_it(run):
    with Mirror(run, unplug_delay=600) as mirror:
        with FrontEnd(mirror.path) as origin:
            start_named(origin, "one")
            mirror.wait_link()
        mirror.wait_peer("away", lambda p: p["state"] == "away")
        with FrontEnd(mirror.path) as origin:
            start_named(origin, "two")
            assert mirror.wait_link()["slot"] == 2


def test_memory_that_outgrows_the_window(run):
    """Memory is added above the window: a larger device takes over and the old one is unplugged."""
    with Mirror(run) as mirror, FrontEnd(mirror.path) as origin:
        origin.greet(F_CONFIGURE_MEM_SLOTS)
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        origin.set_memory()
        origin.set_ring(0)
        origin.set_ring(1)
        assert mirror.wait_link()["window-size"] == 4 * GIB
        old = mirror.device(1)
        fd = origin.own(fe.memory(fe.MIB))
        os.pwrite(fd, struct.pack("<Q", 0x1234), 0)
        origin.send(fe.ADD_MEM_REG, bytes(8) + region(6 * GIB, fe.MIB, fe.USER + 6 * GIB), [fd])
        peer = mirror.wait_peer("the larger device", lambda p: p["link"] and p["window-size"] == 8 * GIB)
        assert peer["slot"] == 2 and peer["device"] == "vps.1.2" and peer["mapped"] == 17 * fe.MIB
        assert mirror.wait_peer("the old one", lambda p: p["state"] == "leaving")["slot"] == 1
        assert not old.config().up
        mirror.outl(0xae10, 1)
        assert mirror.inl(0xae04) & 1 << 1
        mirror.eject(1)
        wait_for("the old one to go", lambda: len(mirror.peers()) == 1)
        assert mirror.pci(1, 2).bar_size(2) == 8 * GIB


def test_memory_that_outgrows_the_bridge(run):
    with Mirror(run) as mirror, FrontEnd(mirror.path) as origin:
        origin.greet(F_CONFIGURE_MEM_SLOTS)
        origin.set_memory()
        mirror.wait_peer("a device", lambda p: "slot" in p)
        origin.send(fe.ADD_MEM_REG, bytes(8) + region(200 * GIB, fe.MIB, fe.USER + 200 * GIB),
                    [origin.own(fe.memory(fe.MIB))])
        assert origin.closed_by_server()
        line, = mirror.qemu.output().strip().splitlines()
        assert "20 GiB" in line and "slot-size=" in line and hex(200 * GIB + fe.MIB) in line


def test_mixed_window_sizes(run):
    """slot-size=4G and an origin that needs 16G: there is room as long as others do not use theirs."""
    with Mirror(run, connections=8) as mirror, FrontEnd(mirror.path) as small, FrontEnd(mirror.path) as large, \
            FrontEnd(mirror.path) as other:
        start_named(small, "small")
        start_named(large, "large", mac=2, memory_end=12 * GIB)
        start_named(other, "other", mac=3)
        wait_for("three links", lambda: sum(p["link"] for p in mirror.peers()) == 3)
        assert [p["window-size"] // GIB for p in mirror.peers()] == [4, 16, 4]
        assert [mirror.pci(1, slot).bar_size(2) // GIB for slot in (1, 2, 3)] == [4, 16, 4]


def test_regions_come_and_go_under_a_running_link(run):
    with Mirror(run) as mirror, FrontEnd(mirror.path) as origin:
        origin.greet(F_CONFIGURE_MEM_SLOTS | F_REPLY_ACK)
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        origin.set_memory()
        origin.set_ring(0)
        kick, _call = origin.set_ring(1)
        mirror.wait_link()
        device = mirror.device()
        device.start()
        device.ack(device.config().epoch)
        fd = origin.own(fe.memory(fe.MIB))
        os.pwrite(fd, struct.pack("<Q", 0x4321), 0x1000)
        more = bytes(8) + region(GIB, fe.MIB, fe.USER + GIB)
        for _ in range(20):
            epoch = device.config().epoch
            device.take_message(1)
            origin.send(fe.ADD_MEM_REG, more, [fd], flags=fe.VERSION | fe.NEED_REPLY)
            assert origin.receive() == (fe.ADD_MEM_REG, bytes(8))
            # Nothing is withdrawn for it: the same step, and rings that go on
            assert device.config().epoch == epoch and device.config().up
            assert mirror.readq(WINDOWS + GIB + 0x1000) == 0x4321
            os.eventfd_write(kick, 1)
            wait_for("the interrupt", lambda: device.take_message(1))
            origin.send(fe.REM_MEM_REG, more, flags=fe.VERSION | fe.NEED_REPLY)
            assert origin.receive() == (fe.REM_MEM_REG, bytes(8))
            # With the reply the memory is out of the guest's reach
            assert mirror.readq(WINDOWS + GIB + 0x1000) == 0 and not device.config().up
            device.ack(device.config().epoch)
            mirror.wait_link()
        assert mirror.qemu.output() == ""
