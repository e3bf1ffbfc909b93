# SPDX-License-Identifier: GPL-2.0-or-later
"""Two vhost-pci-net devices in one guest, joined by a Linux bridge: two origins talk to each other through the mirror."""
import re

import pytest

from lab import guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Guest
from lab.patience import Deadline

OTHER_IP = "10.0.0.3"


class Bridged:
    def __init__(self, run: process.RunDir):
        self.mirror = guests.start_mirror(run)
        self.mirror.wait_ready()
        self.near = guests.start_origin(run, name="near")
        self.near.wait_ready()
        self.mirror.wait_interface(MIRROR_IP)
        # A bit further than near's: once each interface got the other's address, and the bridge took all frames for its own.
        self.far = guests.start_origin(run, name="far", mac="52:54:00:00:00:81", address=OTHER_IP)
        self.far.wait_ready()
        self.mirror.wait_interface("10.0.1.2")
        self.ports = sorted(self.mirror.interfaces())
        # Of its own, a bridge has the lowest address of its ports: another one when that port goes, and nobody is told.
        self.mirror.command("insmod /lib/modules/llc.ko; insmod /lib/modules/stp.ko; insmod /lib/modules/bridge.ko; "
                            "/usr/sbin/ip link add br0 address 52:54:00:00:00:10 type bridge forward_delay 0 && /usr/sbin/ip link set br0 up")
        for port in self.ports:
            self.mirror.command(f"/usr/sbin/ip addr flush dev {port}; /usr/sbin/ip link set {port} master br0")
        self.mirror.command(f"/usr/sbin/ip addr add {MIRROR_IP}/24 dev br0")

    @property
    def all(self) -> tuple[Guest, ...]:
        return self.mirror, self.near, self.far

    def packets(self) -> list[tuple[int, int]]:
        """Of each port, by the driver's own counters: received from the origin, sent to it."""
        text = [self.mirror.command(f"/usr/sbin/ethtool -S {port}") for port in self.ports]
        return [tuple(int(re.search(rf"origin0_{ring}_packets: (\d+)", one).group(1)) for ring in ("tx", "rx")) for one in text]


@pytest.fixture(scope="module")
def bridged(run: process.RunDir):
    return Bridged(run)


@pytest.fixture(autouse=True)
def clean(bridged: Bridged):
    yield
    for vm in bridged.all:
        assert vm.qemu.running, vm.qemu.output()[-2000:]
        assert vm.complaints() == [], f"kernel of the {vm.name}"


def assert_all_reach_all(bridged: Bridged) -> None:
    addresses = {bridged.mirror: MIRROR_IP, bridged.near: ORIGIN_IP, bridged.far: OTHER_IP}
    for sender in bridged.all:
        for target in bridged.all:
            if sender is not target:
                sender.wait_answer(addresses[target])
                ping = sender.ping(addresses[target], 20, 0.02, 1400)
                assert ping.lossless, f"{sender.name} to {target.name}: {ping}"


def test_each_reaches_each(bridged: Bridged):
    assert len(bridged.ports) == 2
    assert_all_reach_all(bridged)


def test_forwarded_packets_are_counted_on_both_devices(bridged: Bridged):
    count = 200
    before = bridged.packets()
    ping = bridged.near.ping(OTHER_IP, count, 0.01)
    assert ping.lossless, str(ping)
    for port, then, now in zip(bridged.ports, before, bridged.packets()):
        received, sent = (b - a for a, b in zip(then, now))
        # And a few of the neighbours' business
        assert count <= received < 1.5 * count and count <= sent < 1.5 * count, f"{port}: {received} received, {sent} sent"


def test_tcp_is_forwarded_whole(bridged: Bridged):
    for source, target, address in ((bridged.near, bridged.far, OTHER_IP), (bridged.far, bridged.near, ORIGIN_IP)):
        sent, received = traffic.transfer_file(source, target, address, 8)
        assert sent == received


def test_the_drivers_of_both_reload_together(bridged: Bridged):
    """One module, two devices, both under load, which find their bridge again when they are told of it."""
    traffic.start_flood(bridged.near, OTHER_IP)
    for _ in range(2):
        traffic.wait_flow(bridged.near)
        bridged.mirror.command("rmmod vhost_pci_net; insmod /lib/modules/vhost_pci_net.ko", 30)
        bridged.mirror.wait_until(f"[ $(cat /sys/class/net/*/device/uevent | grep -c vhost_pci_net) = 2 ]", 20)
        for port in bridged.mirror.interfaces():
            bridged.mirror.command(f"/usr/sbin/ip link set {port} up; /usr/sbin/ip link set {port} master br0")
        bridged.ports = sorted(bridged.mirror.interfaces())
        assert len(bridged.ports) == 2
    traffic.wait_flow(bridged.near)
    traffic.stop_floods(bridged.near)
    # vp-net gives each interface an address when it gets round to it.
    for port in bridged.ports:
        bridged.mirror.wait_until(f"[ -e /run/vp-net/done.$(cat /sys/class/net/{port}/ifindex) ]")
    for port in bridged.ports:
        bridged.mirror.command(f"/usr/sbin/ip addr flush dev {port}")
    assert_all_reach_all(bridged)


def test_the_death_of_one_is_not_felt_on_the_other(bridged: Bridged):
    ping = traffic.SteadyPing(bridged.near, MIRROR_IP)
    bridged.far.kill()
    bridged.mirror.wait_until("[ $(ls -d /sys/class/net/*/device | wc -l) = 1 ]", 30)
    after, end = ping.counts()[0] + 20, Deadline(10)
    while ping.counts()[0] < after:
        assert not end.over, ping.counts()
    sent, answered = ping.stop()
    assert sent == answered, f"{answered} of {sent}"
    bridged.far = bridged.near
