# SPDX-License-Identifier: GPL-2.0-or-later
"""Several queue pairs: any front-end at the server, and our client with a driver that uses them."""
import os
import struct

import pytest

from tests.lab import footprint

from .front_end import SET_VRING_ENABLE, SET_VRING_NUM, GET_QUEUE_NUM, FrontEnd
from .mirror import CONFIG_VECTOR, MirrorDevice, wait_for
from .modern_origin import ALL, F_MQ, ModernOrigin

PAIRS = 4


def shown(device: MirrorDevice) -> set[int]:
    """The pairs in the ring table; of each pair both rings or none."""
    config = device.config()
    enabled = [bool(ring.flags & 1) for ring in config.rings]
    assert enabled[0::2] == enabled[1::2]
    pairs = {i for i, on in enumerate(enabled[0::2]) if on}
    assert config.queue_pairs == len(pairs)
    assert config.up == bool(pairs)
    return pairs


@pytest.fixture
def four(mirror):
    """A front-end with four running pairs and the device with its driver."""
    with FrontEnd(mirror.path) as origin:
        files = origin.start(pairs=PAIRS)
        wait_for("all pairs", lambda: sum(r["running"] for r in mirror.wait_link()["rings"]) == 2 * PAIRS)
        device = mirror.device()
        device.start()
        device.ack(device.config().epoch)
        yield mirror, origin, device, files


@pytest.fixture
def multi(run, mirror):
    """Our client with four pairs; its driver is up and uses one of them."""
    with ModernOrigin(run, mirror.path, PAIRS) as origin:
        wait_for("the client's link", lambda: origin.client()["link"])
        origin.start_driver()
        mirror.wait_link()
        device = mirror.device()
        device.start()
        device.ack(device.config().epoch)
        yield mirror, origin, device


def test_a_server_takes_32_pairs(mirror):
    with FrontEnd(mirror.path) as origin:
        assert origin.ask(GET_QUEUE_NUM) == 32
        files = origin.start(pairs=32)
        wait_for("all rings", lambda: sum(r["running"] for r in mirror.wait_link()["rings"]) == 64)
        device = mirror.device()
        device.start()
        assert shown(device) == set(range(32))
        cap, = device.pci.capabilities(0x11)
        assert (device.pci.readw(cap + 2) & 0x7ff) + 1 == 65
        for ring in (0, 1, 62, 63):
            device.take_kick(ring)
            os.eventfd_write(files[ring][0], 1)
            wait_for(f"the interrupt of ring {ring}", lambda r=ring: device.take_kick(r))
            device.ring_doorbell(ring)
            assert os.eventfd_read(files[ring][1]) == 1
        origin.send(SET_VRING_NUM, struct.pack("=II", 64, 256))
        assert origin.closed_by_server()
        assert "32 queue pairs are the most" in mirror.qemu.output()


def test_a_ring_that_the_device_does_not_have(four):
    mirror, origin, _device, _files = four
    origin.send(SET_VRING_NUM, struct.pack("=II", 2 * PAIRS, 256))
    assert origin.closed_by_server()
    assert f"ring {2 * PAIRS} of {2 * PAIRS}" in mirror.qemu.output()


def test_kicks_and_doorbells_are_of_their_ring(four):
    _mirror, _origin, device, files = four
    for ring, (kick, call) in enumerate(files):
        for other in range(2 * PAIRS):
            device.take_kick(other)
        os.eventfd_write(kick, 1)
        wait_for(f"the interrupt of ring {ring}", lambda r=ring: device.take_kick(r))
        assert not any(device.take_kick(other) for other in range(2 * PAIRS))
        device.ring_doorbell(ring)
        assert os.eventfd_read(call) == 1
        for _, other in files:
            with pytest.raises(BlockingIOError):
                os.eventfd_read(other)


def test_a_pair_that_comes_later_takes_nothing_away(mirror):
    with FrontEnd(mirror.path) as origin:
        origin.start(pairs=PAIRS)
        for ring in (4, 5):
            origin.send(SET_VRING_ENABLE, struct.pack("=II", ring, 0))
        origin.get_base(0)          # a reply: all of it has been taken
        origin.set_ring(0)
        mirror.wait_link()
        device = mirror.device()
        device.start()
        before = device.config()
        assert shown(device) == {0, 1, 3}
        device.take_message(CONFIG_VECTOR)
        for ring in (4, 5):
            origin.send(SET_VRING_ENABLE, struct.pack("=II", ring, 1))
        wait_for("the config interrupt", lambda: device.take_message(CONFIG_VECTOR))
        assert shown(device) == {0, 1, 2, 3}
        after = device.config()
        assert after.epoch == before.epoch + 1
        assert [r for r in after.rings if r in before.rings] == [r for i, r in enumerate(after.rings) if i not in (4, 5)]
        assert wait_for("the first interrupt", lambda: device.take_kick(4))


def test_a_stopped_pair_goes_at_once_and_the_others_come_back_after_the_ack(four):
    mirror, origin, device, _files = four
    assert origin.get_base(3) == 0
    peer, = mirror.peers()
    assert not peer["link"] and peer["mapped"] == 0
    assert shown(device) == set()
    origin.get_base(2)
    device.ack(device.config().epoch)
    mirror.wait_link()
    assert shown(device) == {0, 2, 3}
    assert [r["index"] for r in mirror.peers()[0]["rings"] if not r["running"]] == [2, 3]
    assert "ring 3 (origin sends): 256 entries, enabled, stopped" in mirror.hmp("info vhost-pci")


def test_the_client_has_its_queues(multi):
    mirror, origin, device = multi
    assert origin.max_pairs() == PAIRS
    assert origin.vectors() == 2 * PAIRS + 2
    assert device.ring_count == 2 * PAIRS
    assert shown(device) == {0}


def test_the_control_queue_chooses_how_many_pairs_run(multi):
    mirror, origin, device = multi
    up = device.config().epoch
    origin.use_pairs(PAIRS)
    wait_for("four pairs", lambda: shown(device) == {0, 1, 2, 3})
    assert device.config().epoch == up + 3
    for ring, entry in enumerate(device.config().rings):
        assert entry.desc == origin.ring_at(ring)

    origin.use_pairs(2)
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    wait_for("two pairs", lambda: shown(device) == {0, 1})
    origin.use_pairs(3)
    wait_for("three pairs", lambda: shown(device) == {0, 1, 2})


def test_interrupts_of_all_pairs_both_ways(multi):
    mirror, origin, device = multi
    origin.use_pairs(PAIRS)
    wait_for("four pairs", lambda: len(shown(device)) == PAIRS)
    # A call that is set after its ring has started is signalled once
    for ring in range(2 * PAIRS):
        origin.take_interrupt(ring)
    for ring in range(2 * PAIRS):
        device.ring_doorbell(ring)
        wait_for(f"the origin's interrupt of ring {ring}", lambda r=ring: origin.take_interrupt(r))
        assert not any(origin.take_interrupt(other) for other in range(2 * PAIRS))
        device.take_kick(ring)
        origin.kick(ring)
        wait_for(f"the mirror's interrupt of ring {ring}", lambda r=ring: device.take_kick(r))


def test_a_driver_without_multiqueue_has_one_pair(multi):
    mirror, origin, device = multi
    origin.use_pairs(PAIRS)
    wait_for("four pairs", lambda: len(shown(device)) == PAIRS)
    for _ in range(3):
        origin.reset_driver()
        mirror.wait_link(False)
        device.ack(device.config().epoch)
        origin.start_driver(ALL & ~(1 << F_MQ))
        mirror.wait_link()
        assert shown(device) == {0}
        origin.reset_driver()
        mirror.wait_link(False)
        device.ack(device.config().epoch)
        origin.start_driver()
        mirror.wait_link()
        origin.use_pairs(PAIRS)
        wait_for("four pairs", lambda: len(shown(device)) == PAIRS)


def test_set_link_takes_all_pairs(multi):
    mirror, origin, device = multi
    origin.use_pairs(PAIRS)
    wait_for("four pairs", lambda: len(shown(device)) == PAIRS)
    origin.qmp.execute("set_link", {"name": "n0", "up": False})
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    assert not any(r["running"] for r in mirror.peers()[0]["rings"])
    origin.qmp.execute("set_link", {"name": "n0", "up": True})
    wait_for("four pairs", lambda: shown(device) == {0, 1, 2, 3})


def test_a_server_that_returns_gets_all_pairs(run):
    from .mirror import Mirror
    path = run / "mirror.vhost-pci"
    with ModernOrigin(run, path, PAIRS, chardev=",reconnect=1") as origin:
        origin.start_driver()
        origin.use_pairs(3)
        for _ in range(2):
            with Mirror(run) as mirror:
                wait_for("the link", lambda: origin.client()["link"], 15)
                mirror.wait_link()
                device = mirror.device()
                device.start()
                wait_for("three pairs", lambda: shown(device) == {0, 1, 2})
                mirror.kill()
            wait_for("the link to go down", lambda: not origin.client()["link"])


def test_unplug_of_a_nic_with_queues_leaves_nothing(run, mirror):
    with ModernOrigin(run, mirror.path, PAIRS, chardev=",reconnect=1") as origin:
        for i in range(3):
            name = origin.client()["id"]
            wait_for("the client's link", lambda: origin.client()["link"])
            origin.start_driver()
            origin.use_pairs(PAIRS)
            mirror.wait_link()
            origin.qmp.execute("device_del", {"id": name})
            origin.outl(0xae10, 0)
            origin.outl(0xae08, 1 << origin.nic.slot)
            origin.qmp.wait_event("DEVICE_DELETED", match=lambda data, n=name: data.get("device") == n)
            assert origin.qmp.execute("query-vhost-pci")["clients"] == []
            assert "vhost-pci" not in origin.hmp("info network")
            mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
            mirror.eject(mirror.peers()[0]["slot"])
            wait_for("no peer", lambda: not mirror.peers())
            if i == 1:
                before = footprint.Footprint(origin.qemu)
            elif i == 2:
                footprint.wait_back(origin.qemu, before)
            origin.qmp.execute("device_add", {
                "driver": "virtio-net-pci", "id": f"n{i + 1}", "romfile": "", "vhost-pci-client": "vp-client1",
                "mq": True, "vhost-pci-queues": PAIRS, "addr": hex(origin.nic.slot)})
            origin.set_up_bars()


def test_migration_is_refused_with_queues(multi):
    _mirror, origin, _device = multi
    reply = origin.hmp("migrate exec:cat>/dev/null")
    assert "vhost-pci-client" in reply
