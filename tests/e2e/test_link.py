# SPDX-License-Identifier: GPL-2.0-or-later
"""Two booted VMs on one link: traffic both ways, and drivers that come and go. The tests share one boot."""
import time

import pytest

from lab import traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Pair

pytestmark = pytest.mark.usefixtures("clean_kernels")


def peers(pair: Pair):
    return {"origin": (pair.origin, pair.mirror, MIRROR_IP), "mirror": (pair.mirror, pair.origin, ORIGIN_IP)}


def test_the_mirror_has_the_devices_driver_and_the_origin_a_stock_one(pair: Pair):
    name = pair.mirror.wait_interface(MIRROR_IP)
    assert pair.mirror.command(f"/usr/sbin/ethtool -i {name} | sed -n 's/^driver: //p'") == "vhost_pci_net"
    name = pair.origin.wait_interface(ORIGIN_IP)
    assert pair.origin.command(f"/usr/sbin/ethtool -i {name} | sed -n 's/^driver: //p'") == "virtio_net"


def test_the_window_is_above_4_gib_and_cached(pair: Pair):
    bars = pair.mirror.command("for d in /sys/bus/virtio/drivers/vhost_pci_net/virtio*; do sed -n 3p $(readlink -f $d)/../resource; done")
    start, end, _ = (int(word, 16) for word in bars.split())
    assert start >= 4 << 30, hex(start)
    kinds = pair.mirror.command("cat /sys/kernel/debug/x86/pat_memtype_list")
    inside = [text for text in kinds.splitlines() if "[mem " in text and
              start <= int(text.split("[mem ")[1].split("-")[0], 16) <= end]
    assert inside, kinds
    assert all("write-back" in text for text in inside), inside


@pytest.mark.parametrize("side", ("origin", "mirror"))
@pytest.mark.parametrize("size", (56, 1472, 8000))
def test_ping_loses_nothing(pair: Pair, side: str, size: int):
    sender, _, target = peers(pair)[side]
    ping = sender.ping(target, 50, 0.02, size)
    assert ping.lossless, str(ping)


@pytest.mark.parametrize("side", ("origin", "mirror"))
def test_a_file_arrives_as_it_was_sent(pair: Pair, side: str):
    sender, receiver, target = peers(pair)[side]
    sent, received = traffic.transfer_file(sender, receiver, target, 24)
    assert sent == received


@pytest.mark.parametrize("side", ("origin", "mirror"))
def test_tcp_streams(pair: Pair, side: str):
    sender, receiver, target = peers(pair)[side]
    stream = traffic.flowing_stream(sender, receiver, target, 10)
    assert stream.mbit_per_second > 10, stream


def test_a_flood_of_small_packets_leaves_the_link_whole(pair: Pair):
    flood = traffic.PacketFlood(pair, 64)
    flood.start()
    # Many times what the ring holds.
    flood.wait(5000)
    result = flood.stop()
    assert result.received >= 0.99 * result.sent, result
    pair.assert_works()


def test_the_monitor_shows_the_link(pair: Pair):
    text = pair.mirror.hmp("info vhost-pci")
    assert "1 of 32 connections" in text
    assert "link up, driver ready" in text
    answer = pair.mirror.qmp.execute("query-vhost-pci")
    assert answer, "query-vhost-pci says nothing"


def test_the_mirrors_driver_reloads(pair: Pair):
    for _ in range(2):
        pair.mirror.command("rmmod vhost_pci_net", 30)
        assert pair.mirror.interfaces() == []
        pair.mirror.command("insmod /lib/modules/vhost_pci_net.ko", 30)
        pair.wait_link()
        pair.assert_works()


def test_the_origins_driver_unbinds_and_binds(pair: Pair):
    device = pair.origin.command("cd /sys/bus/virtio/drivers/virtio_net; ls -d virtio*")
    mirror_name = pair.mirror.wait_interface(MIRROR_IP)
    pair.origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/unbind")
    pair.mirror.wait_until(f'[ "$(cat /sys/class/net/{mirror_name}/carrier)" = 0 ]', 15)
    pair.origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/bind")
    pair.wait_link()
    pair.assert_works()


def test_the_origins_driver_reloads_under_traffic(pair: Pair):
    traffic.start_flood(pair.mirror, ORIGIN_IP)
    traffic.wait_flow(pair.mirror)
    pair.origin.command("rmmod virtio_net", 30)
    time.sleep(1)
    pair.origin.command("insmod /lib/modules/virtio_net.ko", 30)
    pair.wait_link()
    traffic.wait_flow(pair.mirror)
    traffic.stop_floods(pair.mirror)
    pair.assert_works()
