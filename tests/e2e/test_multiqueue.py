# SPDX-License-Identifier: GPL-2.0-or-later
"""Two booted VMs with two CPUs and two queue pairs between them: both pairs carry traffic, and pairs come and go under it."""
import re
import time

import pytest

from lab import guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Pair
from lab.patience import Deadline

pytestmark = pytest.mark.usefixtures("clean_kernels")
PAIRS = 2


@pytest.fixture(scope="module")
def pair(run: process.RunDir):
    pair = guests.boot_vhost_pci(run, "q35", device_options=f",mq=on,vhost-pci-queues={PAIRS}", smp="2")
    yield pair
    pair.stop()


def channels(guest: guests.Guest, address: str) -> list[int]:
    """Combined channels as ethtool shows them: the most possible, and those in use."""
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
    # Which pair a flow takes is chance, or rather the CPU of its process: so one after the other from each
    before = packets(pair, direction)
    for cpu in range(PAIRS):
        stream = traffic.flowing_stream(*ends, 10, streams=6, cpu=cpu)
        assert stream.mbit_per_second > 10, stream
        used = [after - b for after, b in zip(packets(pair, direction), before)]
        print(f"{sender}, CPU {cpu}: {stream}, packets by pair: {used}")
    assert min(used) > 100, f"one pair only: {used}"


def test_the_origin_chooses_the_number_of_pairs_under_traffic(pair: Pair):
    name = pair.origin.wait_interface(ORIGIN_IP)
    traffic.start_server(pair.mirror)
    traffic.start_client(pair.origin, MIRROR_IP, "iperf", "-t 12 -P 4")
    for wanted in (1, 2, 1, 2):
        pair.origin.command(f"/usr/sbin/ethtool -L {name} combined {wanted}; sleep 1")
        pair.wait_link()
        # The mirror hears of it a little later
        end = Deadline(10)
        while running(pair) != [i < 2 * wanted for i in range(2 * PAIRS)] or channels(pair.mirror, MIRROR_IP)[0] != wanted:
            assert not end.over, (wanted, running(pair), channels(pair.mirror, MIRROR_IP))
            time.sleep(0.1)
    pair.origin.wait_until("! kill -0 $(cat /tmp/iperf.pid) 2>/dev/null", 40)
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
        end = Deadline(10)
        while running(pair) != [True] * (2 * PAIRS):
            assert not end.over, running(pair)
            time.sleep(0.1)
    pair.origin.wait_answer(MIRROR_IP)
    ping = pair.origin.ping(MIRROR_IP, 20)
    assert ping.lossless, str(ping)
