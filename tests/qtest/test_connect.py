# SPDX-License-Identifier: GPL-2.0-or-later
"""An origin connects, its device is plugged, the link comes up; and how much it costs."""
import re

from . import guest_abi
from .mirror import WINDOWS, GIB, Mirror, MirrorDevice, wait_for
from .origin import Origin


def test_device_is_plugged_when_the_origin_connects(pair):
    mirror, origin = pair
    peer = mirror.wait_peer("a device", lambda p: "device" in p)
    assert peer["pid"] == origin.qemu.pid
    assert peer["slot"] == 1
    assert peer["name"] == "n0"
    assert peer["window-size"] == 4 * GIB
    assert not peer["link"]
    wait_for("the client's link", lambda: origin.client()["link"])


def test_link_comes_up_with_the_origins_driver(linked):
    mirror, origin, device = linked
    config = device.config()
    assert config.version == guest_abi.CONFIG_VERSION and config.up
    assert config.window_size == 4 * GIB
    assert config.origin_mac == bytes.fromhex("525400000001")
    assert config.mac != config.origin_mac and config.mac[0] & 3 == 2
    assert config.queue_pairs == 1 and len(config.rings) == 2
    for ring, page in zip(config.rings, (0x100, 0x110)):
        assert ring.desc == page << 12 and ring.flags & 1
        assert ring.avail == ring.desc + 16 * ring.size
        assert ring.used % 4096 == 0 and ring.used > ring.avail
    status = origin.hmp(f"info virtio-status {origin.hmp('info virtio').split()[0]}")
    assert re.search(r"vhost_started:\s+true", status), status


def test_config_is_not_writable_but_for_the_drivers_fields(linked):
    _mirror, _origin, device = linked
    before = device.config()
    for offset in range(0, before.size, 4):
        if not guest_abi.ACK_OFFSET <= offset < guest_abi.ACCEPT_OFFSET + 8:
            device.vm.writel(device.config_at + offset, 0xffffffff)
    assert device.config() == before
    device.ack(before.epoch + 7)
    assert device.config().up


def test_window_shows_the_origins_memory_both_ways(linked):
    mirror, origin, device = linked
    origin.writeq(0x2000000, 0x1122334455667788)
    assert mirror.readq(WINDOWS + 0x2000000) == 0x1122334455667788
    mirror.writeq(WINDOWS + 0x3000000, 0xabcdef)
    assert origin.readq(0x3000000) == 0xabcdef
    # Behind the origin's 64 MiB the window is anonymous
    assert mirror.readq(WINDOWS + 0x4000000) == 0
    shm = device.regions[8]
    assert (shm["bar"], shm["offset"], shm["length"], shm["id"]) == (2, 0, 4 * GIB, 0)


def test_two_origins_do_not_see_each_other(run, mirror):
    with Origin(run, mirror.path, name="one") as one, Origin(run, mirror.path, name="two") as two:
        for number, origin in enumerate((one, two)):
            origin.start_driver()
            origin.writeq(0x2000000, 0x1000 + number)
        wait_for("two links", lambda: sum(p["link"] for p in mirror.peers()) == 2)
        slots = {p["pid"]: p["slot"] for p in mirror.peers()}
        devices = [MirrorDevice(mirror, mirror.pci(1, slots[o.qemu.pid]), i) for i, o in enumerate((one, two))]
        assert [mirror.readq(d.window + 0x2000000) for d in devices] == [0x1000, 0x1001]
        devices[0].start()
        devices[1].start()
        configs = [device.config() for device in devices]
        assert configs[0].origin_mac == configs[1].origin_mac and configs[0].mac != configs[1].mac
        assert [config.mac[:2] for config in configs] == [b"VP", b"VP"]


def test_slots_are_used_again(run, mirror):
    for _ in range(3):
        with Origin(run, mirror.path) as origin:
            peer = mirror.wait_peer("a device", lambda p: "slot" in p and p["state"] != "leaving")
            assert peer["slot"] == 1
            mirror.device(1)
            origin.kill()
        mirror.wait_peer("a device that leaves", lambda p: p["state"] == "leaving")
        mirror.eject(1)
        wait_for("no device", lambda: not mirror.peers())


def test_the_connection_over_the_limit_is_refused(run):
    with Mirror(run, connections=1) as mirror, Origin(run, mirror.path, name="one") as one:
        mirror.wait_peer("the first origin", lambda p: "device" in p)
        with Origin(run, mirror.path, name="two") as two:
            wait_for("the refusal", lambda: mirror.info()["servers"][0]["refused"])
            wait_for("the second origin's state", lambda: not two.client()["link"])
            assert [p["pid"] for p in mirror.peers()] == [one.qemu.pid]
            one.start_driver()
            mirror.wait_link()
            assert "connections=" in mirror.qemu.output()
            assert str(two.qemu.pid) in mirror.qemu.output()


def test_an_origin_that_was_there_first_connects_later(run):
    """reconnect=: the mirror is not there when the origin starts, then comes, goes and comes again."""
    path = run / "mirror.vhost-pci"
    with Origin(run, path, chardev=",reconnect=1") as origin:
        origin.start_driver()
        assert not origin.client()["link"]
        assert not origin.driver_sees_link()
        for _ in range(2):
            with Mirror(run) as mirror:
                wait_for("the link", lambda: origin.client()["link"], 15)
                assert origin.driver_sees_link()
                mirror.wait_link()
                device = mirror.device()
                device.start()
                assert device.config().up
                mirror.kill()
            wait_for("the link to go down", lambda: not origin.client()["link"])
            origin.kick(1)      # nobody is there; must not hurt
