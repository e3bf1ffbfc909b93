# SPDX-License-Identifier: GPL-2.0-or-later
"""Two booted VMs on packed rings: traffic both ways, and the rings change hands under it in every way that there is."""
import os
import time

import pytest

from lab import guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Pair
from lab.patience import Deadline

pytestmark = pytest.mark.usefixtures("clean_kernels")
LONG = os.environ.get("VHOST_PCI_LONG") == "1"
PACKED = 1 << 34
# Without indirect tables a frame is a chain of slots, without event indices suppression is by flags alone
VARIANTS = (",packed=on", ",packed=on,indirect_desc=off,event_idx=off", ",packed=on,mrg_rxbuf=off,indirect_desc=off")
TIMES = 20 if LONG else 5


@pytest.fixture(scope="module", params=VARIANTS if LONG else VARIANTS[:2], ids=lambda options: options[10:].replace(",", "+") or "plain")
def pair(run: process.RunDir, request: pytest.FixtureRequest):
    mirror = guests.start_mirror(run)
    try:
        mirror.wait_ready()
        origin = guests.start_origin(run, chardev_options=",reconnect=1", device_options=request.param)
        pair = Pair(run, mirror, origin)
        try:
            origin.wait_ready()
            pair.wait_link()
            yield pair
        finally:
            origin.stop()
    finally:
        pair.mirror.stop()


def sides(pair: Pair):
    return (pair.origin, pair.mirror, MIRROR_IP), (pair.mirror, pair.origin, ORIGIN_IP)


def assert_link_works(pair: Pair) -> None:
    pair.assert_works()
    for sender, _, target in sides(pair):
        # More than two rounds of each ring
        ping = sender.ping(target, 600, 0.002, 1472)
        assert ping.lossless, f"{sender.name}: {ping}"


class Streams:
    """TCP both ways until stop(); it must survive whatever happens meanwhile."""

    def __init__(self, pair: Pair):
        self.pair = pair
        for guest, _, target in sides(pair):
            traffic.start_server(guest)
        for guest, _, target in sides(pair):
            traffic.start_client(guest, target, "iperf", "-t 10000")

    def received(self) -> list[int]:
        return [int(guest.command(f"cat /sys/class/net/{guest.wait_interface(address)}/statistics/rx_bytes"))
                for guest, address in ((self.pair.origin, ORIGIN_IP), (self.pair.mirror, MIRROR_IP))]

    def assert_flowing(self) -> None:
        before = self.received()
        end = Deadline(60)
        # Far more than acknowledgements alone, and than what a ring holds
        while min(now - b for now, b in zip(self.received(), before)) < 2_000_000:
            assert not end.over, (before, self.received())
            time.sleep(0.2)

    def stop(self) -> None:
        for guest, _, _ in sides(self.pair):
            guest.command("kill -INT $(cat /tmp/iperf.pid); killall iperf3; sleep 1; killall -9 iperf3; :")


def test_the_rings_are_packed(pair: Pair):
    peer, = pair.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]
    assert peer["features"] & PACKED
    assert peer["link"] and peer["driver-ok"]


def test_ping_file_and_streams_both_ways(pair: Pair):
    for sender, receiver, target in sides(pair):
        for size in (56, 1472, 8000):
            ping = sender.ping(target, 50, 0.02, size)
            assert ping.lossless, f"{sender.name}, {size} bytes: {ping}"
        sent, received = traffic.transfer_file(sender, receiver, target, 24)
        assert sent == received, sender.name
        stream = traffic.flowing_stream(sender, receiver, target, 10)
        assert stream.mbit_per_second > 10, (sender.name, stream)


def test_the_origin_stops_and_goes_on_under_traffic(pair: Pair):
    streams = Streams(pair)
    for _ in range(TIMES):
        pair.origin.qmp.execute("stop")
        pair.origin.qmp.execute("cont")
        streams.assert_flowing()
    streams.stop()
    assert_link_works(pair)


def test_the_link_goes_down_and_up_under_traffic(pair: Pair):
    """While the link is down, the origin's QEMU itself drops what is sent."""
    streams = Streams(pair)
    streams.assert_flowing()
    for _ in range(TIMES):
        pair.origin.qmp.execute("set_link", {"name": "virtio-net-pci.0", "up": False})
        pair.origin.qmp.execute("set_link", {"name": "virtio-net-pci.0", "up": True})
        pair.wait_link()
        streams.assert_flowing()
    streams.stop()
    assert_link_works(pair)


def test_the_mirrors_driver_reloads_under_traffic(pair: Pair):
    for _ in range(2):
        traffic.start_flood(pair.origin, MIRROR_IP)
        traffic.wait_flow(pair.origin)
        pair.mirror.command("rmmod vhost_pci_net", 30)
        pair.mirror.command("insmod /lib/modules/vhost_pci_net.ko", 30)
        pair.wait_link()
        traffic.wait_flow(pair.origin)
        traffic.stop_floods(pair.origin)
        assert_link_works(pair)


def test_the_origins_driver_unbinds_and_binds_under_traffic(pair: Pair):
    device = pair.origin.command("cd /sys/bus/virtio/drivers/virtio_net; ls -d virtio*")
    traffic.start_flood(pair.mirror, ORIGIN_IP)
    for _ in range(TIMES):
        traffic.wait_flow(pair.mirror)
        pair.origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/unbind")
        pair.origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/bind")
        pair.wait_link()
    traffic.wait_flow(pair.mirror)
    traffic.stop_floods(pair.mirror)
    assert_link_works(pair)


def test_a_mirror_dies_under_traffic_and_another_goes_on_with_the_rings(pair: Pair):
    streams = Streams(pair)
    streams.assert_flowing()
    pair.mirror.kill()
    pair.mirror = guests.start_mirror(pair.run, name="mirror-2")
    pair.mirror.wait_ready()
    pair.origin.command("killall -9 iperf3; :")
    pair.wait_link()
    # What was on its way when the first one died comes to the second, which answers all of it before the rest
    pair.origin.wait_until(f"/usr/bin/ping -q -c 10 -i 0.05 -W 2 {MIRROR_IP}", 60)
    assert_link_works(pair)
