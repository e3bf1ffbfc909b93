# SPDX-License-Identifier: GPL-2.0-or-later
"""Two booted VMs with two CPUs and two queue pairs between them: both pairs carry traffic, and pairs come and go under it."""
import re

import pytest

from lab import guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Pair

pytestmark = pytest.mark.usefixtures("clean_kernels")
PAIRS = 2


@pytest.fixture(scope="module")
def pair(run: process.RunDir):
    pair = guests.boot_vhost_pci(run, "q35", device_options=f",mq=on,vhost-pci-queues={PAIRS}", smp="2")
    yield pair
    pair.stop()


def channels(guest: guests.Guest, address: str) -> list[int]:
    """Combined channels that ethtool shows: the most, and those in use."""
    return [int(n) for n in re.findall(r"Combined:\s+(\d+)", guest.command(f"/usr/sbin/ethtool -l {guest.wait_interface(address)}"))]


def packets(pair: Pair, direction: str) -> list[int]:
    """Packets of each of the origin's receive ("rx") or transmit ("tx") rings, counted by the mirror's driver."""
    text = pair.mirror.command(f"/usr/sbin/ethtool -S {pair.mirror.wait_interface(MIRROR_IP)}")
    return [int(re.search(rf"origin{i}_{direction}_packets: (\d+)", text).group(1)) for i in range(PAIRS)]


def running(pair: Pair) -> list[bool]:
    peer, = pair.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]
    return [ring["running"] for ring in peer["rings"]]


def test_both_sides_have_both_pairs(pair: Pair):
    assert channels(pair.origin, ORIGIN_IP) == [PAIRS, PAIRS]
    assert channels(pair.mirror, MIRROR_IP) == [PAIRS, PAIRS]
    assert running(pair) == [True] * (2 * PAIRS)


@pytest.mark.parametrize("sender,direction", (("origin", "tx"), ("mirror", "rx")))
def test_parallel_streams_use_both_pairs(pair: Pair, sender: str, direction: str):
    ends = (pair.origin, pair.mirror, MIRROR_IP) if sender == "origin" else (pair.mirror, pair.origin, ORIGIN_IP)
    # Which pair a flow takes is chance, or rather the CPU of its process: six flows on one pair are one in 32
    for _ in range(4):
        before = packets(pair, direction)
        stream = traffic.tcp_stream(*ends, 3, streams=6)
        assert stream.mbit_per_second > 50, stream
        used = [after - b for after, b in zip(packets(pair, direction), before)]
        print(f"{sender}: {stream}, packets by pair: {used}")
        if min(used) > 100:
            return
    pytest.fail(f"one pair only: {used}")


def test_the_origin_chooses_the_number_of_pairs_under_traffic(pair: Pair):
    name = pair.origin.wait_interface(ORIGIN_IP)
    pair.mirror.command("/usr/bin/iperf3 -s -D; sleep 1")
    pair.origin.command(f"/usr/bin/iperf3 -c {MIRROR_IP} -t 12 -P 4 >/tmp/iperf 2>&1 & true")
    for wanted in (1, 2, 1, 2):
        pair.origin.command(f"/usr/sbin/ethtool -L {name} combined {wanted}; sleep 1")
        pair.wait_link()
        assert running(pair) == [i < 2 * wanted for i in range(2 * PAIRS)]
        assert channels(pair.mirror, MIRROR_IP)[0] == wanted
    pair.origin.command("wait", 40)
    assert "receiver" in pair.origin.command("cat /tmp/iperf")
    for guest, target in ((pair.origin, MIRROR_IP), (pair.mirror, ORIGIN_IP)):
        ping = guest.ping(target, 20)
        assert ping.lossless, f"{guest.name}: {ping}"


def test_the_origins_driver_unbinds_and_binds_with_both_pairs(pair: Pair):
    device = pair.origin.command("cd /sys/bus/virtio/drivers/virtio_net; ls -d virtio*")
    for _ in range(3):
        pair.origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/unbind")
        pair.origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/bind")
        pair.wait_link()
        assert running(pair) == [True] * (2 * PAIRS)
    ping = pair.origin.ping(MIRROR_IP, 20)
    assert ping.lossless, str(ping)
