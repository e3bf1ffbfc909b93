# SPDX-License-Identifier: GPL-2.0-or-later
"""-device vhost-pci-net,server= in a booted guest: there before any origin, and the same interface with the same address for
each that comes, goes and returns."""
import os

import pytest

from lab import footprint, guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Guest

TIMES = 20 if os.environ.get("VHOST_PCI_LONG") == "1" else 2
MAC = "52:54:00:00:00:77"
STATIC = ["-device", f"vhost-pci-net,server=vps,id=vpn0,mac={MAC}"]


@pytest.fixture(scope="module")
def mirror(run: process.RunDir):
    mirror = guests.start_mirror(run, "q35", server_options=",id=vps", extra=STATIC)
    mirror.wait_ready()
    yield mirror
    mirror.stop()


@pytest.fixture(autouse=True)
def unharmed(mirror: Guest):
    yield
    assert mirror.qemu.running, mirror.qemu.output()[-2000:]
    assert mirror.complaints() == []


def only_interface(mirror: Guest) -> tuple[str, str]:
    """Its name, and everything that must never change."""
    name, = mirror.interfaces()
    return name, mirror.command(f"cat /sys/class/net/{name}/ifindex /sys/class/net/{name}/address; readlink -f /sys/class/net/{name}/device; "
                                f"/usr/sbin/ip -o -4 addr show dev {name}")


def carrier(mirror: Guest, name: str) -> str:
    return mirror.command(f"cat /sys/class/net/{name}/carrier")


def test_the_interface_is_there_without_a_link(mirror: Guest):
    mirror.wait_until(f"/usr/sbin/ip -o -4 addr show to {MIRROR_IP} | grep -q .", 20)
    name, facts = only_interface(mirror)
    assert MAC in facts and carrier(mirror, name) == "0"
    assert mirror.hmp("info vhost-pci").count("waiting for an origin") == 1


def test_origins_come_and_go_and_the_interface_stays(run: process.RunDir, mirror: Guest):
    mirror.wait_until(f"/usr/sbin/ip -o -4 addr show to {MIRROR_IP} | grep -q .", 20)
    name, facts = only_interface(mirror)
    before = footprint.Footprint(mirror.qemu)
    for number in range(TIMES):
        origin = guests.start_origin(run, "q35", f"origin-{number}")
        try:
            origin.wait_ready()
            origin.wait_interface(ORIGIN_IP)
            assert mirror.wait_interface(MIRROR_IP) == name
            for sender, target in ((origin, MIRROR_IP), (mirror, ORIGIN_IP)):
                sender.wait_answer(target)
                assert sender.ping(target, 20, 0.02).lossless
            traffic.start_flood(origin, MIRROR_IP)
            traffic.start_flood(mirror, ORIGIN_IP)
            traffic.wait_flow(origin, mirror)
            assert origin.complaints() == []
        finally:
            origin.kill()
        mirror.wait_until(f'[ "$(cat /sys/class/net/{name}/carrier)" = 0 ]', 15)
        traffic.stop_floods(mirror)
        assert only_interface(mirror) == (name, facts)
        footprint.wait_back(mirror.qemu, before)
