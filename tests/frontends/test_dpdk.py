# SPDX-License-Identifier: GPL-2.0-or-later
"""DPDK's net_virtio_user as origin: another implementation of front-end and driver than QEMU and Linux."""
import pytest

from frontends import testpmd
from frontends.mirror import SEALED, UNSEALED, Mirror, wait_for
from frontends.testpmd import Testpmd

pytestmark = pytest.mark.skipif(not testpmd.PROGRAM, reason="dpdk-testpmd is not installed (Debian: dpdk-dev)")

MERGEABLE, IN_ORDER, PACKED = 1 << 15, 1 << 35, 1 << 34
# What DPDK asks for, and which bits must be in what it gets. In order is its default.
VARIANTS = {
    "default": ("", MERGEABLE | IN_ORDER),
    "not-mergeable": (",mrg_rxbuf=0", IN_ORDER),
    "in-order": (",in_order=1", MERGEABLE | IN_ORDER),
    "in-order-not-mergeable": (",mrg_rxbuf=0,in_order=1", IN_ORDER),
    "out-of-order": (",in_order=0", MERGEABLE),
    "out-of-order-not-mergeable": (",mrg_rxbuf=0,in_order=0", 0),
    "vectorized": (",mrg_rxbuf=0,in_order=0,vectorized=1", 0),
    "packed": (",packed_vq=1,in_order=0", MERGEABLE | PACKED),
    "packed-not-mergeable": (",packed_vq=1,in_order=0,mrg_rxbuf=0", PACKED),
    "packed-in-order": (",packed_vq=1,in_order=1", MERGEABLE | PACKED | IN_ORDER),
    "packed-in-order-not-mergeable": (",packed_vq=1,in_order=1,mrg_rxbuf=0", PACKED | IN_ORDER),
}


def assert_answers_ping(mirror: Mirror, pmd: Testpmd) -> None:
    pmd.forward("icmpecho")
    mirror.vm.wait_answer("10.0.0.1")
    for size in (56, 1472):
        ping = mirror.vm.ping("10.0.0.1", 20, 0.02, size)
        assert ping.lossless, f"{size} bytes: {ping}"
    pmd.stop()


@pytest.mark.parametrize("variant", VARIANTS)
def test_traffic(run, mirror: Mirror, variant: str):
    device, bits = VARIANTS[variant]
    refused = mirror.refused()
    with Testpmd(run, mirror.sockets[UNSEALED], device) as pmd:
        peer = mirror.wait_link(pmd.pid)
        assert peer["features"] & (MERGEABLE | IN_ORDER | PACKED) == bits
        assert_answers_ping(mirror, pmd)
        assert_all_packets_arrive_in_the_mirror(mirror, pmd)
        assert_all_packets_arrive_in_dpdk(mirror, pmd)
        assert_answers_ping(mirror, pmd)
    assert mirror.refused() == refused


def assert_all_packets_arrive_in_the_mirror(mirror: Mirror, pmd: Testpmd) -> None:
    mirror.vm.command(f"/usr/sbin/ip link set {mirror.interface()} promisc on")
    before, sent_before = mirror.counter("rx_packets"), pmd.counters()[1]
    pmd.forward("txonly")
    # The ring holds 256 that nobody has looked at yet: many times as much must go through it
    wait_for("testpmd to send", lambda: pmd.counters()[1] - sent_before > 5000)
    pmd.stop()
    sent = pmd.counters()[1] - sent_before
    wait_for(f"{sent} packets", lambda: mirror.counter("rx_packets") - before >= sent)
    assert mirror.counter("rx_packets") - before == sent


def assert_all_packets_arrive_in_dpdk(mirror: Mirror, pmd: Testpmd) -> None:
    pmd.forward("rxonly")
    before, sent_before = pmd.counters()[0], mirror.counter("tx_packets")
    mirror.flood(5000, 512, testpmd.MAC)
    sent = mirror.counter("tx_packets") - sent_before
    assert sent >= 5000
    wait_for(f"{sent} packets", lambda: pmd.counters()[0] - before >= sent)
    pmd.stop()


def test_killed_under_traffic_and_back(run, mirror: Mirror):
    for _ in range(2):
        pmd = Testpmd(run, mirror.sockets[UNSEALED])
        mirror.wait_link(pmd.pid)
        mirror.vm.command(f"/usr/sbin/ip link set {mirror.interface()} promisc on")
        pmd.forward("txonly")
        before = mirror.counter("rx_packets")
        wait_for("traffic", lambda: mirror.counter("rx_packets") > before + 1000)
        pmd.kill()
        mirror.wait_alone()
    with Testpmd(run, mirror.sockets[UNSEALED]) as pmd:
        mirror.wait_link(pmd.pid)
        assert_answers_ping(mirror, pmd)


def test_port_stops_and_starts(run, mirror: Mirror):
    """DPDK says nothing of it on the wire: the rings stay, with whatever the mirror puts into them meanwhile."""
    with Testpmd(run, mirror.sockets[UNSEALED]) as pmd:
        mirror.wait_link(pmd.pid)
        for _ in range(3):
            assert_answers_ping(mirror, pmd)
            pmd.command("port stop 0")
            mirror.vm.run("/usr/bin/ping -q -c 2 -i 0.05 -W 1 10.0.0.1")
            pmd.command("port start 0")
        assert_answers_ping(mirror, pmd)


def test_unsealed_memory_is_refused_with_the_remedy(run, mirror: Mirror):
    refused = mirror.refused()
    try:
        with Testpmd(run, mirror.sockets[SEALED]) as pmd:
            pmd.command("start")
    except EOFError:
        pass        # SIGPIPE: some of the time it writes once more to the connection that it was refused
    wait_for("the refusal", lambda: mirror.refused() == refused + 1)
    assert "allow-unsealed=on" in mirror.vm.qemu.output()
