# SPDX-License-Identifier: GPL-2.0-or-later
"""info vhost-pci, query-vhost-pci, trace events, migration."""
import pytest

from tests.lab.qmp import QmpError
from tests.lab.qtest import QTest

from .mirror import Mirror, wait_for
from .origin import Origin


def test_nothing_to_show(run):
    with QTest(run, "plain", []) as vm:
        assert vm.qmp.execute("query-vhost-pci") == {"servers": [], "clients": []}
        assert "No vhost-pci" in vm.hmp("info vhost-pci")


def test_query_and_info_say_the_same(linked):
    mirror, origin, device = linked
    info = mirror.info()
    server, = info["servers"]
    peer, = server["peers"]
    assert server["id"] == "vps" and server["connections-max"] == 4 and server["slot-size"] == 4 << 30
    assert peer["mapped"] == 64 << 20 and peer["driver-ok"]
    assert peer["epoch"] == peer["ack"] == device.config().epoch
    assert [r["index"] for r in peer["rings"]] == [0, 1]
    assert peer["rings"][0]["desc"] == 0x100000 and peer["rings"][0]["running"]
    text = mirror.hmp("info vhost-pci")
    for part in ("vps", peer["device"], str(origin.qemu.pid), peer["mac"], "ring 1 (origin sends)"):
        assert part in text, text
    assert "0x100000" not in text
    verbose = mirror.hmp("info vhost-pci -v")
    for part in (peer["device"], "desc 0x100000", f"kicks {peer['rings'][1]['kicks']}", "protocol features: ",
                 "memory 0x0 to 0x", peer["origin-uuid"], f"{peer['messages']} messages"):
        assert part in verbose, verbose
    assert "-v" in mirror.hmp("help info vhost-pci")
    client = origin.hmp("info vhost-pci")
    assert "n0" in client


def test_ring_indices_are_read_from_the_ring(linked):
    mirror, origin, _device = linked
    ring = mirror.peers()[0]["rings"][1]
    origin.writew(ring["avail"] + 2, 123)
    origin.writew(ring["used"] + 2, 45)
    ring = mirror.peers()[0]["rings"][1]
    assert (ring["avail-index"], ring["used-index"]) == (123, 45)


def test_both_sides_refuse_migration(linked):
    mirror, origin, _device = linked
    for vm, words in ((mirror, "vhost-pci-server 'vps'"), (origin, "vhost-pci-client")):
        with pytest.raises(QmpError, match="cannot be migrated") as refusal:
            vm.qmp.execute("migrate", {"uri": "exec:cat >/dev/null"})
        assert words in str(refusal.value)


def test_virtio_introspection_knows_the_device(linked):
    mirror, _origin, _device = linked
    listing = mirror.hmp("info virtio")
    assert "vhost-pci-net" in listing
    assert "vhost-pci-net" in mirror.hmp(f"info virtio-status {listing.split()[0]}")


def test_trace_events_at_each_edge(run):
    with Mirror(run, args=["-trace", "vhost_pci_*"]) as mirror:
        with Origin(run, mirror.path) as origin:
            origin.start_driver()
            mirror.wait_link()
            device = mirror.device()
            device.start()
            device.ack(device.config().epoch)
            device.ring_doorbell(0)
            origin.kick(1)
            wait_for("the kick", lambda: device.take_message(1))
        mirror.wait_link(False)
        wait_for("the last event", lambda: "vhost_pci_unplug " in mirror.qemu.output() and "vhost_pci_close " in mirror.qemu.output())
        log = mirror.qemu.output()
    for event in ("library", "accept", "message", "plug", "map", "bind", "epoch", "ack", "status", "doorbell", "kick",
                  "clear", "close", "unplug"):
        assert f"vhost_pci_{event} " in log, event
