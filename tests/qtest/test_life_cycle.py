# SPDX-License-Identifier: GPL-2.0-or-later
"""Resets, crashes and unplugs of either side leave nothing behind."""
import time

from tests.lab import footprint

from .front_end import FrontEnd
from .mirror import CONFIG_VECTOR, WINDOWS, MirrorDevice, wait_for
from .origin import LEGACY_NET, Origin


def test_origin_killed(linked):
    mirror, origin, device = linked
    origin.writeq(0x2000000, 0x55)
    assert mirror.readq(WINDOWS + 0x2000000) == 0x55
    device.take_message(CONFIG_VECTOR)
    origin.kill()
    peer = mirror.wait_link(False)
    assert peer["state"] == "leaving" and peer["mapped"] == 0
    assert mirror.readq(WINDOWS + 0x2000000) == 0
    assert not device.config().up
    assert device.take_message(CONFIG_VECTOR)
    device.ring_doorbell(0)
    mirror.eject(peer["slot"])
    mirror.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == peer["device"])
    wait_for("no peer", lambda: not mirror.peers())
    assert mirror.qmp.execute("query-status")["running"]


def test_nothing_is_left_after_an_origin(run, mirror):
    with Origin(run, mirror.path) as first:         # whatever is made once is there after this one
        first.start_driver()
        mirror.wait_link()
        mirror.device(1)
    mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
    mirror.eject(1)
    wait_for("no peer", lambda: not mirror.peers())
    before = footprint.Footprint(mirror.qemu)
    for _ in range(3):
        with Origin(run, mirror.path) as origin:
            origin.start_driver()
            mirror.wait_link()
            mirror.device(1).start()
        mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
        mirror.eject(1)
        wait_for("no peer", lambda: not mirror.peers())
        footprint.wait_back(mirror.qemu, before)


def test_reset_of_the_origins_device(linked):
    mirror, origin, device = linked
    for _ in range(5):
        origin.reset_driver()
        mirror.wait_link(False)
        assert mirror.readq(WINDOWS + 0x100000) == 0
        down = device.config()
        assert not down.up
        device.ack(down.epoch)
        origin.start_driver()
        mirror.wait_link()
        assert device.config().epoch != down.epoch


def test_nothing_is_mapped_before_the_driver_has_let_go(linked):
    mirror, origin, device = linked
    origin.writeq(0x2000000, 0x66)
    origin.reset_driver()
    mirror.wait_link(False)
    down = device.config().epoch
    origin.start_driver()
    time.sleep(0.3)
    assert not mirror.peers()[0]["link"]
    assert mirror.readq(WINDOWS + 0x2000000) == 0
    device.ack(down - 1)            # an old step does not count
    assert not mirror.peers()[0]["link"]
    device.ack(down)
    mirror.wait_link()
    assert mirror.readq(WINDOWS + 0x2000000) == 0x66


def test_device_reset_counts_as_letting_go(linked):
    mirror, origin, device = linked
    origin.reset_driver()
    mirror.wait_link(False)
    origin.start_driver()
    time.sleep(0.1)
    assert not mirror.peers()[0]["link"]
    device.reset()
    mirror.wait_link()
    device.start()
    assert device.config().up


def test_reset_of_the_mirrors_device_keeps_the_link(linked):
    mirror, origin, device = linked
    for _ in range(5):
        device.reset()
        device.start()
        assert device.config().up
        origin.kick(1)
        wait_for("the interrupt", lambda: device.take_message(1))


def test_system_reset_of_the_mirror(linked):
    mirror, origin, _device = linked
    mirror.qmp.execute("system_reset")
    mirror.qmp.wait_event("RESET")
    mirror.run_firmware()
    peer = mirror.wait_link()
    device = MirrorDevice(mirror, mirror.pci(1, peer["slot"]))
    device.start()
    assert device.config().up
    origin.writeq(0x2000000, 0x77)
    assert mirror.readq(WINDOWS + 0x2000000) == 0x77


def test_system_reset_of_the_origin(linked):
    mirror, origin, device = linked
    origin.qmp.execute("system_reset")
    origin.qmp.wait_event("RESET")
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    nic, = origin.find_pci(0x1af4, 0x1000)
    nic.set_bar(0, 0xc000)
    nic.enable()
    origin.start_driver()
    mirror.wait_link()


def test_mirrors_user_unplugs_the_device(linked):
    mirror, origin, _device = linked
    peer = mirror.peers()[0]
    mirror.qmp.execute("device_del", {"id": peer["device"]})
    mirror.eject(peer["slot"])
    mirror.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == peer["device"])
    wait_for("no peer", lambda: not mirror.peers())
    wait_for("the origin's link to go down", lambda: not origin.client()["link"])
    assert origin.qmp.execute("query-status")["running"]


def test_origins_nic_is_unplugged(run, mirror):
    with Origin(run, mirror.path) as origin:
        origin.start_driver()
        mirror.wait_link()
        slot = origin.find_pci(0x1af4, 0x1000)[0].slot
        origin.qmp.execute("device_del", {"id": "n0"})
        origin.outl(0xae10, 0)
        origin.outl(0xae08, 1 << slot)
        origin.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "n0")
        mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
        assert origin.qmp.execute("query-vhost-pci")["clients"] == []
        # the chardev is free for another device
        origin.qmp.execute("device_add", {"driver": "virtio-net-pci", "id": "n1", "romfile": "",
                                          "vhost-pci-client": "vp-client1"})
        assert origin.client()["id"] == "n1"


def test_unplug_takes_nothing_along_that_has_the_same_name(run, mirror):
    """A device without an id is named after its chardev, whose id another device may have; and a netdev can have any name."""
    hub = ["-netdev", "hubport,id=n0.vhost-pci,hubid=0"]
    with Origin(run, mirror.path, args=hub) as origin:
        slot = origin.find_pci(*LEGACY_NET)[0].slot
        origin.qmp.execute("chardev-add", {"id": "n0", "backend": {"type": "socket", "data": {
            "server": False, "addr": {"type": "unix", "data": {"path": str(mirror.path)}}}}})
        origin.qmp.execute("device_add", {"driver": "virtio-net-pci", "mac": "52:54:00:00:00:02", "romfile": "",
                                          "vhost-pci-client": "n0"})
        assert [client["id"] for client in origin.qmp.execute("query-vhost-pci")["clients"]] == ["n0", "n0"]
        origin.qmp.execute("device_del", {"id": "n0"})
        origin.outl(0xae10, 0)
        origin.outl(0xae08, 1 << slot)
        origin.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "n0")
        assert "n0.vhost-pci" in origin.hmp("info network").split()
        assert len(origin.qmp.execute("query-vhost-pci")["clients"]) == 1
        origin.set_up_nic()
        origin.start_driver()
        peer = mirror.wait_link()
        assert peer["origin-mac"] == "52:54:00:00:00:02"


def test_set_link_of_the_origin(linked):
    mirror, origin, device = linked
    origin.qmp.execute("set_link", {"name": "n0", "up": False})
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    origin.qmp.execute("set_link", {"name": "n0", "up": True})
    mirror.wait_link()


def test_unplug_is_asked_for_again(mirror):
    """A request in an early phase of the guest is lost, so the server repeats it."""
    with FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        mirror.device()
    peer = mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
    mirror.outl(0xae10, 1)
    # Reading the "down" register takes the request away, as the guest's ACPI does
    wait_for("the request", lambda: mirror.inl(0xae04) & 1 << peer["slot"])
    wait_for("the second request", lambda: mirror.inl(0xae04) & 1 << peer["slot"], 15)
    mirror.eject(peer["slot"])
    wait_for("no peer", lambda: not mirror.peers())


def test_a_hundred_connections_leave_no_descriptor(mirror):
    with FrontEnd(mirror.path) as origin:
        origin.greet()
    wait_for("no peer", lambda: not mirror.peers())
    before = footprint.Footprint(mirror.qemu)
    for _ in range(100):
        with FrontEnd(mirror.path) as origin:
            origin.greet()
            origin.send(2, 1 << 32)
    wait_for("no peer", lambda: not mirror.peers())
    footprint.wait_back(mirror.qemu, before)
