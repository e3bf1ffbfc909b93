# SPDX-License-Identifier: GPL-2.0-or-later
"""-device vhost-pci-net,server=: there from the start, keeps its slot, serves one origin after the other."""
import pytest

from tests.lab import footprint
from tests.lab.qmp import QmpError

from . import front_end as fe
from .front_end import FrontEnd
from .mirror import DEVICE_IDS, GIB, WINDOWS, Mirror, MirrorDevice, wait_for
from .origin import Origin

STATIC = ("-device", "vhost-pci-net,server=vps,id=vpn0,mac=52:54:00:00:00:77,bus=pci.0,addr=9")


def start_named(origin: FrontEnd, name: str, mac: int = 1, memory_end: int = 16 << 20):
    origin.greet(fe.F_VHOST_PCI)
    origin.send_info(name, bytes.fromhex("5254000000") + bytes([mac]), memory_end)
    origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
    origin.set_memory()
    origin.set_ring(0)
    origin.set_ring(1)


def peer_of(mirror, device):
    return next(p for p in mirror.peers() if p.get("device") == device)


def check_link(mirror, device, origin, number: int) -> None:
    """The device vpn0 shows this origin's memory and gets its kicks."""
    origin.start_driver()
    peer = mirror.wait_link()
    assert peer["device"] == "vpn0" and peer["pid"] == origin.qemu.pid
    origin.writeq(0x2000000, 0x1000 + number)
    assert mirror.readq(WINDOWS + 0x2000000) == 0x1000 + number
    assert device.config().up and device.config().mac == bytes.fromhex("525400000077")
    device.take_message(1)
    origin.kick(1)
    wait_for("the interrupt", lambda: device.take_message(1))


def test_origins_come_and_go_and_the_device_stays(run):
    with Mirror(run, args=STATIC) as mirror:
        pci = mirror.pci(0, 9)
        assert pci.ids == DEVICE_IDS
        device = MirrorDevice(mirror, pci)
        device.start()
        peer, = mirror.peers()
        assert peer["state"] == "waiting" and peer["static"] and "slot" not in peer and "pid" not in peer
        assert not device.config().up and device.config().mac == bytes.fromhex("525400000077")
        assert "waiting for an origin" in mirror.hmp("info vhost-pci")
        for number in range(3):
            with Origin(run, mirror.path) as origin:
                check_link(mirror, device, origin, number)
                assert device.config().origin_mac == bytes.fromhex("525400000001")
            peer = mirror.wait_peer("waiting", lambda p: p["state"] == "waiting")
            assert mirror.readq(WINDOWS + 0x2000000) == 0
            assert pci.ids == DEVICE_IDS and not device.config().up
            device.ack(device.config().epoch)
            assert device.config().origin_mac == bytes(6)
            device.ack(device.config().epoch)
        assert not mirror.find_pci(*DEVICE_IDS, bus=1)


def test_nothing_is_left_of_an_origin(run):
    with Mirror(run, args=STATIC) as mirror:
        device = MirrorDevice(mirror, mirror.pci(0, 9))
        device.start()
        baseline = footprint.Footprint(mirror.qemu)
        for _ in range(3):
            with FrontEnd(mirror.path) as origin:
                origin.start()
                wait_for("the link", lambda: (device.ack(device.config().epoch), device.config().up)[1])
            mirror.wait_peer("waiting", lambda p: p["state"] == "waiting")
            footprint.wait_back(mirror.qemu, baseline)


def test_by_name_and_in_order(run):
    with Mirror(run, args=("-device", "vhost-pci-net,server=vps,id=any",
                           "-device", "vhost-pci-net,server=vps,id=db,peer-name=db")) as mirror, \
            FrontEnd(mirror.path) as db, FrontEnd(mirror.path) as web, FrontEnd(mirror.path) as third:
        start_named(db, "db")
        wait_for("db", lambda: peer_of(mirror, "db")["link"])
        start_named(web, "web", mac=2)
        wait_for("any", lambda: peer_of(mirror, "any")["link"])
        start_named(third, "db", mac=3)
        peer = mirror.wait_peer("a plugged device", lambda p: p["link"] and "slot" in p)
        assert peer["device"] == "vps.3" and not peer["static"]


def test_an_origin_that_is_too_large_is_plugged(run):
    with Mirror(run, options=",slot-size=16G", connections=2,
                args=("-device", "vhost-pci-net,server=vps,id=small,window-size=4G")) as mirror, \
            FrontEnd(mirror.path) as large:
        start_named(large, "large", memory_end=5 * GIB)
        peer = mirror.wait_peer("a plugged device", lambda p: p["link"])
        assert peer["device"] == "vps.1" and peer["window-size"] == 16 * GIB
        assert peer_of(mirror, "small")["state"] == "waiting"
        line, = mirror.qemu.output().strip().splitlines()
        assert "small" in line and "window-size=" in line


def test_on_the_servers_own_bridge(run):
    with Mirror(run, args=("-device", "vhost-pci-net,server=vps,id=vpn0,bus=vps,addr=1,peer-name=none")) as mirror, \
            FrontEnd(mirror.path) as origin:
        assert peer_of(mirror, "vpn0")["slot"] == 1
        assert mirror.pci(1, 1).ids == DEVICE_IDS
        origin.start()
        assert mirror.wait_link()["slot"] == 2


def test_it_can_be_plugged_and_unplugged_by_the_user(run):
    with Mirror(run) as mirror:
        mirror.qmp.execute("device_add", {"driver": "vhost-pci-net", "server": "vps", "id": "hot", "bus": "vps",
                                          "addr": "5"})
        device = mirror.device(5)
        device.start()
        with FrontEnd(mirror.path) as origin:
            origin.start()
            assert mirror.wait_link()["device"] == "hot"
            mirror.qmp.execute("device_del", {"id": "hot"})
            mirror.eject(5)
            mirror.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "hot")
            assert origin.closed_by_server()
        wait_for("no peer", lambda: not mirror.peers())
        # Slot and id are free again
        mirror.qmp.execute("device_add", {"driver": "vhost-pci-net", "server": "vps", "id": "hot", "bus": "vps",
                                          "addr": "5"})
        with pytest.raises(QmpError, match="no vhost-pci-server 'nope'"):
            mirror.qmp.execute("device_add", {"driver": "vhost-pci-net", "server": "nope", "bus": "vps"})


def test_system_reset_keeps_it(run):
    with Mirror(run, args=STATIC) as mirror, Origin(run, mirror.path) as origin:
        origin.start_driver()
        mirror.wait_link()
        mirror.qmp.execute("system_reset")
        mirror.qmp.wait_event("RESET")
        mirror.run_firmware()
        device = MirrorDevice(mirror, mirror.pci(0, 9))
        device.start()
        assert device.config().up
        origin.writeq(0x2000000, 0x77)
        assert mirror.readq(WINDOWS + 0x2000000) == 0x77
