# SPDX-License-Identifier: GPL-2.0-or-later
"""What the origin's Linux switches while it runs: offloads by XDP and by ethtool, its address."""
import re

import pytest

from lab import xdp
from lab.guests import MIRROR_IP, ORIGIN_IP, ORIGIN_MAC, Pair
from lab.patience import wait_for
from lab.traffic import flowing_stream

pytestmark = pytest.mark.usefixtures("clean_kernels")
GUEST_CSUM, GUEST_TSO4, GUEST_TSO6 = 1 << 1, 1 << 7, 1 << 8
OTHER_MAC = "52:54:00:00:ab:cd"
# Mbit/s; a link whose segments are dropped moves nothing.
LEAST = 10


def peer(pair: Pair) -> dict:
    found, = pair.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]
    return found


def wait_features(pair: Pair, on: int, off: int) -> None:
    wait_for("other features", lambda: peer(pair)["features"] & (on | off) == on)


def wait_offload(pair: Pair, name: str, on: bool) -> None:
    mirror = pair.mirror.wait_interface(MIRROR_IP)
    pair.mirror.wait_until(f"/usr/sbin/ethtool -k {mirror} | grep -q '{name}: {'on' if on else 'off'}'")


def assert_tcp_flows(pair: Pair) -> None:
    for sender, receiver, address in ((pair.mirror, pair.origin, ORIGIN_IP), (pair.origin, pair.mirror, MIRROR_IP)):
        stream = flowing_stream(sender, receiver, address, LEAST)
        assert stream.mbit_per_second > LEAST, stream


def test_tcp_goes_on_when_the_origin_attaches_xdp(pair: Pair, run):
    pair.wait_link()
    name = pair.origin.interfaces()[0]
    xdp.install(pair.origin, run)
    wait_offload(pair, "tcp-segmentation-offload", True)
    assert_tcp_flows(pair)
    for _ in range(2):
        epoch = peer(pair)["epoch"]
        xdp.attach(pair.origin, name, "pass")
        wait_features(pair, 0, GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6)
        wait_offload(pair, "tcp-segmentation-offload", False)
        wait_offload(pair, "tx-checksumming", False)
        assert_tcp_flows(pair)
        xdp.detach(pair.origin)
        wait_features(pair, GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6, 0)
        wait_offload(pair, "tcp-segmentation-offload", True)
        assert_tcp_flows(pair)
        assert peer(pair)["link"] and peer(pair)["epoch"] == epoch + 2, "the link was withdrawn"


def test_the_origins_ethtool_switches_segmentation(pair: Pair):
    pair.wait_link()
    name = pair.origin.interfaces()[0]
    pair.origin.command(f"/usr/sbin/ethtool -K {name} rx-gro-hw off")
    wait_features(pair, GUEST_CSUM, GUEST_TSO4 | GUEST_TSO6)
    wait_offload(pair, "tcp-segmentation-offload", False)
    wait_offload(pair, "tx-checksumming", True)
    assert_tcp_flows(pair)
    pair.origin.command(f"/usr/sbin/ethtool -K {name} rx-gro-hw on")
    wait_features(pair, GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6, 0)
    wait_offload(pair, "tcp-segmentation-offload", True)


def rarp_requests(pair: Pair, name: str) -> int:
    text = pair.mirror.command(f"/usr/sbin/tc -s filter show dev {name} ingress")
    return max(int(count) for count in re.findall(r"Sent \d+ bytes (\d+) pkt", text))


def test_the_origins_address_reaches_the_mirror(pair: Pair):
    pair.wait_link()
    name, mirror = pair.origin.interfaces()[0], pair.mirror.wait_interface(MIRROR_IP)
    mine = pair.mirror.command(f"cat /sys/class/net/{mirror}/address")
    assert peer(pair)["origin-mac"] == ORIGIN_MAC
    try:
        pair.origin.command(f"/usr/sbin/ip link set {name} address {OTHER_MAC}")
        wait_for("the address", lambda: peer(pair)["origin-mac"] == OTHER_MAC)
        assert pair.mirror.command(f"cat /sys/class/net/{mirror}/address") == mine
        pair.mirror.command(f"/usr/sbin/ip neigh flush dev {mirror}")
        for sender, target in ((pair.mirror, ORIGIN_IP), (pair.origin, MIRROR_IP)):
            sender.wait_answer(target)
            assert sender.ping(target, 10).received == 10
        assert OTHER_MAC in pair.mirror.command(f"/usr/sbin/ip neigh show dev {mirror}")

        # With the address of now, which tests/qtest looks at.
        pair.mirror.command(f"/usr/sbin/tc qdisc add dev {mirror} clsact && /usr/sbin/tc filter add dev {mirror} ingress "
                            f"protocol 0x8035 matchall action mirred egress mirror dev lo")
        pair.origin.qmp.execute("announce-self", {"initial": 50, "max": 50, "rounds": 3, "step": 0})
        wait_for("a RARP request", lambda: rarp_requests(pair, mirror))
        assert peer(pair)["origin-mac"] == OTHER_MAC
    finally:
        pair.mirror.run(f"/usr/sbin/tc qdisc del dev {mirror} clsact")
        pair.origin.command(f"/usr/sbin/ip link set {name} address {ORIGIN_MAC}")
    wait_for("the first address", lambda: peer(pair)["origin-mac"] == ORIGIN_MAC)
    pair.mirror.wait_answer(ORIGIN_IP)
