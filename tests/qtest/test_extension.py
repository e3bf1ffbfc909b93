# SPDX-License-Identifier: GPL-2.0-or-later
"""What the mirror's driver and the origin's device tell each other: link, accepted features, announcements."""
import struct

from . import front_end as fe
from . import guest_abi
from .front_end import FrontEnd
from .mirror import Mirror, MirrorDevice, wait_for
from .modern_origin import CONFIG_LINK, F_CSUM, F_HOST_TSO4, NEEDS_RESET, ModernOrigin
from .origin import Origin

EVENT_IDX, F_VERSION_1 = 1 << 29, 1 << 32


def started(mirror: Mirror, slot=None) -> MirrorDevice:
    device = mirror.device(slot)
    device.start()
    device.ack(device.config().epoch)
    return device


def test_the_origin_announces_its_address(linked):
    mirror, origin, device = linked
    before = device.config()
    assert before.announce == 0
    device.take_message(2)
    origin.qmp.execute("announce-self", {"initial": 50, "max": 50, "rounds": 2, "step": 0})
    wait_for("the first announcement", lambda: device.config().announce)
    device.ack(device.config().epoch)
    wait_for("two announcements", lambda: device.config().announce == 2)
    now = device.config()
    assert device.take_message(2) and now.epoch == before.epoch + 2
    assert now.up and now.origin_mac == bytes.fromhex("525400000001") and now.mac == before.mac


def test_another_front_end_announces_an_address(mirror):
    with FrontEnd(mirror.path) as origin:
        origin.greet(fe.F_RARP)
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        origin.set_memory()
        device = started(mirror)
        origin.send(fe.SEND_RARP, bytes.fromhex("525400000042") + bytes(2))
        wait_for("the announcement", lambda: device.config().announce == 1)
        assert device.config().origin_mac == bytes.fromhex("525400000042")


def test_the_mirrors_interface_goes_down_and_up(linked):
    mirror, origin, device = linked
    assert origin.driver_sees_link()
    for _ in range(20):
        device.write_driver(guest_abi.DRIVER_DOWN)
        wait_for("no carrier at the origin", lambda: not origin.driver_sees_link())
        mirror.wait_link(False)
        assert not device.config().up and not mirror.peers()[0]["driver-link"]
        device.ack(device.config().epoch)
        device.write_driver(0)
        wait_for("carrier at the origin", origin.driver_sees_link)
        mirror.wait_link()


def test_a_driver_that_is_loaded_again_does_not_move_the_link(linked):
    mirror, origin, device = linked
    device.write_driver(guest_abi.DRIVER_DOWN)
    wait_for("no carrier at the origin", lambda: not origin.driver_sees_link())
    device.reset()
    assert device.config().driver == 0
    device.start()
    wait_for("carrier at the origin", origin.driver_sees_link)


def test_the_mirrors_user_switches_the_link(linked):
    mirror, origin, device = linked
    path = f"/machine/peripheral/{mirror.peers()[0]['device']}"
    for _ in range(5):
        mirror.qmp.execute("qom-set", {"path": path, "property": "link", "value": False})
        assert mirror.qmp.execute("qom-get", {"path": path, "property": "link"}) is False
        assert not device.config().up
        wait_for("no carrier at the origin", lambda: not origin.driver_sees_link())
        device.ack(device.config().epoch)
        mirror.qmp.execute("qom-set", {"path": path, "property": "link", "value": True})
        wait_for("carrier at the origin", origin.driver_sees_link)
        mirror.wait_link()


def test_the_link_of_a_front_end_without_the_extension(mirror):
    with FrontEnd(mirror.path) as origin:
        origin.start()
        peer = mirror.wait_link()
        device = started(mirror)
        path = f"/machine/peripheral/{peer['device']}"
        mirror.qmp.execute("qom-set", {"path": path, "property": "link", "value": False})
        assert not device.config().up and mirror.peers()[0]["mapped"] == 0
        device.ack(device.config().epoch)
        mirror.qmp.execute("qom-set", {"path": path, "property": "link", "value": True})
        assert mirror.wait_link()["mapped"]


def test_features_are_negotiated_again(run, mirror):
    features = F_VERSION_1 | F_CSUM | F_HOST_TSO4
    with ModernOrigin(run, mirror.path, 1) as origin:
        origin.start_driver(features)
        mirror.wait_link()
        device = started(mirror)
        assert device.config().features & F_CSUM
        device.accept(~F_CSUM)
        peer = mirror.wait_peer("a mirror that refuses", lambda p: not p["link"])
        wait_for("no carrier at the origin", lambda: not origin.readw(origin.config + CONFIG_LINK) & 1)
        wait_for("the demand", lambda: origin.readb(origin.common + 20) & NEEDS_RESET)
        client = origin.client()
        assert client["needs-reset"] and not client["link"] and not client["offered"] & (F_CSUM | F_HOST_TSO4)
        assert "does not accept csum host_tso4" in origin.qemu.output()
        device.ack(device.config().epoch)
        assert not device.config().up and peer["state"] in ("waiting-for-features", "plugged")

        # The driver resets, is offered less, and what it asks for in vain is not granted.
        origin.start_driver(features)
        peer = mirror.wait_link()
        assert not peer["features"] & (F_CSUM | F_HOST_TSO4) and peer["features"] & F_VERSION_1
        assert not origin.readb(origin.common + 20) & NEEDS_RESET
        assert not origin.client()["needs-reset"]
        assert device.config().features == peer["features"] & ~fe.F_PROTOCOL_FEATURES


def test_a_driver_that_comes_after_the_mirrors_is_not_reset(run, mirror):
    with ModernOrigin(run, mirror.path, 1) as origin:
        device = started(mirror)
        device.accept(~F_CSUM)
        wait_for("the offer", lambda: not origin.client()["offered"] & F_CSUM)
        origin.start_driver(F_VERSION_1 | F_CSUM)
        assert not mirror.wait_link()["features"] & F_CSUM
        assert not origin.qemu.output()
        # A driver that takes all again is offered all again, from its own next reset on.
        device.accept((1 << 64) - 1)
        wait_for("the offer", lambda: origin.client()["offered"] & F_CSUM)
        assert mirror.peers()[0]["link"]
        origin.start_driver(F_VERSION_1 | F_CSUM)
        wait_for("more features", lambda: device.config().features & F_CSUM or device.ack(device.config().epoch))


def test_a_front_end_that_cannot_negotiate_again_is_refused(mirror):
    with FrontEnd(mirror.path) as origin:
        origin.start(features=1 << 32 | EVENT_IDX | fe.F_PROTOCOL_FEATURES)
        mirror.wait_link()
        device = started(mirror)
        device.accept(~EVENT_IDX)
        assert origin.closed_by_server()
        assert "does not accept event_idx" in mirror.info()["servers"][0]["last-refusal"]
    with FrontEnd(mirror.path) as origin:
        assert not origin.ask(fe.GET_FEATURES) & EVENT_IDX


def test_requests_of_the_server_on_the_wire(mirror):
    with FrontEnd(mirror.path) as origin:
        origin.greet(fe.F_VHOST_PCI)
        origin.send_info()
        origin.send(fe.SET_FEATURES, 1 << 32 | EVENT_IDX | fe.F_PROTOCOL_FEATURES)
        origin.set_memory()
        origin.set_ring(0)
        origin.set_ring(1)
        mirror.wait_link()
        device = started(mirror)
        device.write_driver(guest_abi.DRIVER_DOWN)
        assert origin.receive_request() == (fe.LINK, 0)
        device.write_driver(0)
        assert origin.receive_request() == (fe.LINK, 1)
        device.accept(~EVENT_IDX)
        request, accepted = origin.receive_request()
        assert request == fe.ACCEPT_FEATURES and not accepted & EVENT_IDX and accepted & fe.F_PROTOCOL_FEATURES


def test_the_link_of_an_origin_without_a_driver_of_its_own(run, mirror):
    """The link is up before the mirror has a driver at all: no driver has said otherwise."""
    with Origin(run, mirror.path) as origin:
        wait_for("carrier", origin.driver_sees_link)
        device = started(mirror)
        device.write_driver(guest_abi.DRIVER_DOWN)
        wait_for("no carrier", lambda: not origin.driver_sees_link())
    mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")


def test_mtu_in_both_ways_of_telling_it(run, mirror):
    with FrontEnd(mirror.path) as origin:
        origin.greet(1 << 4)
        origin.send(20, struct.pack("=Q", 9000))
        origin.set_memory()
        device = started(mirror)
        assert device.config().mtu == 9000
        origin.send(20, struct.pack("=Q", 1400))
        wait_for("the new MTU", lambda: device.config().mtu == 1400)
