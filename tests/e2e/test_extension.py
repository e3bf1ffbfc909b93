# SPDX-License-Identifier: GPL-2.0-or-later
"""What two Linux guests make of the extension messages: link, announcements, features that are negotiated again."""
import re
import time

import pytest

from lab.guests import MIRROR_IP, Pair
from lab.patience import Deadline, wait_for

pytestmark = pytest.mark.usefixtures("clean_kernels")
CSUM = 1 << 0
NEEDS_RESET = 0x40


def origin_device(pair: Pair) -> str:
    return pair.origin.command("cd /sys/bus/virtio/drivers/virtio_net; ls -d virtio*")


def origin_name(pair: Pair) -> str:
    return pair.origin.interfaces()[0]


def carrier(vm, name: str, up: bool) -> None:
    vm.wait_until(f'[ "$(cat /sys/class/net/{name}/carrier)" = {int(up)} ]', 30)


def reload_mirror(pair: Pair, options: str = "") -> None:
    pair.mirror.command("rmmod vhost_pci_net", 30)
    pair.mirror.command(f"insmod /lib/modules/vhost_pci_net.ko {options}", 30)


def rebind_origin(pair: Pair, device: str) -> None:
    pair.origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/unbind")
    pair.origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/bind", 30)


def needs_reset(pair: Pair) -> bool:
    client, = pair.origin.qmp.execute("query-vhost-pci")["clients"]
    return client["needs-reset"]


def test_the_carrier_is_that_of_both_ends(pair: Pair):
    pair.wait_link()
    mirror_name, name = pair.mirror.wait_interface(MIRROR_IP), origin_name(pair)
    for _ in range(3):
        pair.mirror.command(f"/usr/sbin/ip link set {mirror_name} down")
        carrier(pair.origin, name, False)
        pair.mirror.command(f"/usr/sbin/ip link set {mirror_name} up")
        carrier(pair.origin, name, True)
        pair.wait_link()
        pair.assert_works()


def test_an_announcement_reaches_the_mirrors_network(pair: Pair):
    pair.wait_link()
    name = pair.mirror.wait_interface(MIRROR_IP)
    # Counts RARP frames that the stack receives on the interface.
    pair.mirror.command(f"/usr/sbin/tc qdisc add dev {name} clsact && /usr/sbin/tc filter add dev {name} ingress "
                        "protocol 0x8035 matchall action mirred egress mirror dev lo")
    try:
        pair.origin.qmp.execute("announce-self", {"initial": 50, "max": 50, "rounds": 3, "step": 0})
        end = Deadline(20)
        while True:
            text = pair.mirror.command(f"/usr/sbin/tc -s filter show dev {name} ingress")
            counts = [int(n) for n in re.findall(r"Sent \d+ bytes (\d+) pkt", text)]
            if counts and counts[0] >= 2:
                break
            assert not end.over, text
            time.sleep(0.2)
        pair.assert_works()
    finally:
        pair.mirror.command(f"/usr/sbin/tc qdisc del dev {name} clsact")


def test_linux_negotiates_again_when_its_driver_is_bound_again(pair: Pair):
    """Linux 6.1 sees DEVICE_NEEDS_RESET and does nothing: docs/adr/0017. Binding its driver again helps."""
    pair.wait_link()
    device, name = origin_device(pair), origin_name(pair)
    assert "tx-checksum-ip-generic: on" in pair.origin.command(f"/usr/sbin/ethtool -k {name}")

    reload_mirror(pair, f"refuse={CSUM:#x}")
    carrier(pair.origin, name, False)
    wait_for("the demand for a reset", lambda: needs_reset(pair), 10)
    status = int(pair.origin.command(f"cat /sys/bus/virtio/devices/{device}/status"), 16)
    assert status & NEEDS_RESET
    time.sleep(3)
    assert needs_reset(pair), "Linux has learnt to reset by itself"

    rebind_origin(pair, device)
    pair.wait_link()
    pair.assert_works()
    name = origin_name(pair)
    assert "tx-checksum-ip-generic: off" in pair.origin.command(f"/usr/sbin/ethtool -k {name}")
    peer, = pair.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]
    assert not peer["features"] & CSUM and not peer["accepted"] & CSUM

    # All features again: offered from the origin's next reset on, without one that is asked for.
    reload_mirror(pair)
    pair.wait_link()
    pair.assert_works()
    assert not needs_reset(pair)
    rebind_origin(pair, device)
    pair.wait_link()
    assert "tx-checksum-ip-generic: on" in pair.origin.command(f"/usr/sbin/ethtool -k {origin_name(pair)}")
    pair.assert_works()
