# SPDX-License-Identifier: GPL-2.0-or-later
"""What the origin's driver switches by its control queue reaches the mirror, and what it must not."""
import struct

import pytest

from . import front_end as fe
from .front_end import FrontEnd
from .mirror import Mirror, MirrorDevice, wait_for
from .modern_origin import ALL, ModernOrigin
from .origin import Origin

F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6 = 1 << 1, 1 << 7, 1 << 8
OFFLOADS = F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6
F_CTRL_GUEST_OFFLOADS, F_CTRL_MAC_ADDR = 1 << 2, 1 << 23
FEATURES = ALL | OFFLOADS | F_CTRL_GUEST_OFFLOADS | F_CTRL_MAC_ADDR
FIRST, OTHER = bytes.fromhex("525400000001"), bytes.fromhex("52540000abcd")


def linked(mirror: Mirror, origin: ModernOrigin) -> MirrorDevice:
    origin.start_driver(FEATURES)
    mirror.wait_link()
    device = mirror.device()
    device.start()
    device.ack(device.config().epoch)
    return device


@pytest.fixture
def pair(run, mirror):
    with ModernOrigin(run, mirror.path, 1, chardev=",reconnect=1") as origin:
        yield origin, linked(mirror, origin)


def offloads(device: MirrorDevice) -> int:
    return device.config().features & OFFLOADS


def test_offloads_go_and_come_without_a_withdrawal(mirror, pair):
    origin, device = pair
    assert offloads(device) == OFFLOADS
    for on in (0, F_GUEST_CSUM, F_GUEST_CSUM | F_GUEST_TSO4, OFFLOADS) * 3:
        before = device.config()
        device.take_message(2)
        assert origin.set_offloads(on) == 0
        wait_for("other features", lambda: offloads(device) == on)
        now = device.config()
        assert device.take_message(2) and now.epoch == before.epoch + 1
        assert now.up and now.rings == before.rings and now.features & ~OFFLOADS == before.features & ~OFFLOADS
        assert mirror.peers()[0]["features"] & ~fe.F_PROTOCOL_FEATURES == now.features
        device.ack(now.epoch)


def test_what_the_device_refuses_is_not_told(mirror, pair):
    origin, device = pair
    before = device.config()
    assert origin.set_offloads(1 << 10) != 0        # UFO, which was not offered
    assert origin.set_mac(OTHER + b"\0") != 0
    assert origin.set_offloads(OFFLOADS) == 0       # and what is no change
    assert device.config() == before and mirror.peers()[0]["link"]


def test_a_new_driver_begins_with_all_of_them(mirror, pair):
    origin, device = pair
    assert origin.set_offloads(0) == 0
    wait_for("no offloads", lambda: offloads(device) == 0)
    origin.start_driver(FEATURES)
    wait_for("all offloads", lambda: device.ack(device.config().epoch) or device.config().up and offloads(device) == OFFLOADS)


def test_a_server_that_is_new_is_told_again(run, mirror, pair):
    origin, device = pair
    assert origin.set_offloads(F_GUEST_CSUM) == 0
    assert origin.set_mac(OTHER) == 0
    wait_for("the state", lambda: mirror.peers()[0]["origin-mac"] == "52:54:00:00:ab:cd")
    mirror.stop()
    with Mirror(run) as again:
        again.wait_link()
        device = again.device()
        device.start()
        config = device.config()
        assert config.features & OFFLOADS == F_GUEST_CSUM and config.origin_mac == OTHER


def test_an_address_reaches_the_mirror_and_its_announcement_too(mirror, pair):
    origin, device = pair
    mine = device.config().mac
    assert origin.set_mac(OTHER) == 0
    wait_for("the address", lambda: device.config().origin_mac == OTHER)
    assert device.config().mac == mine and device.config().up
    assert "52:54:00:00:ab:cd" in mirror.hmp("info vhost-pci -v")
    device.ack(device.config().epoch)
    # QEMU announces the address that the device was made with.
    origin.qmp.execute("announce-self", {"initial": 50, "max": 50, "rounds": 1, "step": 0})
    wait_for("the announcement", lambda: device.config().announce == 1)
    assert device.config().origin_mac == OTHER
    device.ack(device.config().epoch)

    # The reset of the device brings the first one back.
    origin.start_driver(FEATURES)
    wait_for("the first address", lambda: device.ack(device.config().epoch) or device.config().origin_mac == FIRST)


def test_an_address_that_no_interface_can_have_ends_nothing(mirror, pair):
    origin, device = pair
    assert origin.set_mac(bytes.fromhex("01005e000001")) == 0
    wait_for("an unknown address", lambda: device.config().origin_mac == bytes(6))
    assert mirror.peers()[0]["link"]


def test_a_legacy_driver_writes_its_address(run, mirror):
    with Origin(run, mirror.path) as origin:
        origin.start_driver()
        mirror.wait_link()
        device = mirror.device()
        for at, part in enumerate(OTHER):
            origin.outb(0xc000 + 20 + at, part)
        wait_for("the address", lambda: device.config().origin_mac == OTHER)


def test_a_driver_has_one_step_to_read_however_often_the_origin_switches(mirror, pair):
    origin, device = pair
    epoch = device.config().epoch
    for i in range(50):
        assert origin.set_offloads(OFFLOADS if i % 2 else 0) == 0
        assert origin.set_mac(OTHER[:5] + bytes([i])) == 0
    wait_for("the messages", lambda: mirror.peers()[0]["origin-mac"] == "52:54:00:00:ab:31")
    assert device.config().epoch == epoch + 1 and offloads(device) == 0
    device.ack(epoch + 1)
    wait_for("the last state", lambda: offloads(device) == OFFLOADS and device.config().origin_mac == OTHER[:5] + b"\x31")
    assert device.config().epoch == epoch + 2


def test_an_origin_of_before_and_one_that_lies(mirror):
    features = 1 << 32 | OFFLOADS & ~F_GUEST_TSO6 | fe.F_PROTOCOL_FEATURES
    for state, reason in ((struct.pack("=Q6sH", F_GUEST_TSO6, FIRST, 0), "guest_tso6 on, which the driver has not acknowledged"),
                          (struct.pack("=Q6sH", 1 << 32, FIRST, 0), "is no offload of a guest's")):
        with FrontEnd(mirror.path) as origin:
            origin.greet(fe.F_VHOST_PCI | fe.F_DRIVER_STATE)
            origin.send_info()
            origin.send(fe.SET_FEATURES, features)
            origin.set_memory()
            origin.set_ring(0)
            origin.set_ring(1)
            mirror.wait_link()
            origin.send(fe.SET_DRIVER_STATE, state)
            assert origin.closed_by_server()
            assert reason in mirror.info()["servers"][0]["last-refusal"]
        mirror.eject(mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")["slot"])
    with FrontEnd(mirror.path) as origin:
        origin.greet(fe.F_VHOST_PCI)
        origin.send_info()
        origin.send(fe.SET_FEATURES, features)
        origin.set_memory()
        origin.set_ring(0)
        origin.set_ring(1)
        assert mirror.wait_link()["features"] == features
