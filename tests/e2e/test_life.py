# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver's own life: what others do at the wrong moment, some of it made to happen by tests/driver/faults. One boot for all,
with two CPUs in the mirror."""
import re
import time

import pytest

from lab import guests, process, traffic, xdp
from lab.guests import MIRROR_IP, ORIGIN_IP, Guest, Pair
from lab.patience import wait_for
from lab.suspend import suspend_to_idle

FAULTS = "/sys/module/vpfaults/parameters"
VIRTIO_NET = "/sys/bus/virtio/drivers/virtio_net"
VHOST_PCI_NET = "/sys/bus/virtio/drivers/vhost_pci_net"


@pytest.fixture(scope="module")
def pair(run: process.RunDir):
    """On the pc machine, where a device can be unplugged."""
    mirror = guests.start_mirror(run, "pc", smp="2")
    mirror.wait_ready()
    origin = guests.start_origin(run, "pc", chardev_options=",reconnect=1", device_options=",id=n0")
    origin.wait_ready()
    pair = Pair(run, mirror, origin)
    pair.wait_link()
    mirror.command("insmod /lib/modules/vpfaults.ko")
    yield pair
    pair.stop()


pytestmark = pytest.mark.usefixtures("clean_kernels")


def peer(pair: Pair) -> dict:
    one, = pair.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]
    return one


def device(guest: Guest, driver: str) -> str:
    return guest.command(f"cd {driver}; ls -d virtio*")


def test_the_origin_is_not_blamed_for_withdrawals(pair: Pair):
    """The window turns to zeroes before the driver is told, while it works on both rings."""
    name = pair.mirror.wait_interface(MIRROR_IP)
    before = peer(pair)["epoch"]
    traffic.flood_both_ways(pair)
    received = pair.mirror.counters(name)["origin0_tx_packets"]
    for number in range(80):
        pair.origin.qmp.execute("set_link", {"name": "n0", "up": False})
        time.sleep((0, 0.01, 0.03)[number % 3])
        pair.origin.qmp.execute("set_link", {"name": "n0", "up": True})
        # Until packets flow again, so that the next one, too, comes at a bad time
        wait_for("traffic", lambda: peer(pair)["link"] and pair.mirror.counters(name)["origin0_tx_packets"] > received)
        received = pair.mirror.counters(name)["origin0_tx_packets"]
    traffic.stop_floods(pair.origin, pair.mirror)
    assert peer(pair)["epoch"] - before >= 160
    counters = pair.mirror.counters(name)
    assert {key: value for key, value in counters.items() if key.endswith("_broken") and value} == {}
    pair.assert_works()


def test_the_virtqueues_keep_their_names(pair: Pair):
    """The virtio core keeps the pointer that it was given, for its messages."""
    names = pair.mirror.command(f"cat {FAULTS}/queue_names").split()
    assert names == [f"origin{number // 2}-{'tx' if number % 2 else 'rx'}" for number in range(len(names))] and names


def test_acknowledgments_do_not_wait_for_the_rtnl(pair: Pair):
    pair.mirror.command(f"echo 1 >{FAULTS}/rtnl")
    try:
        held = peer(pair)
        for _ in range(3):
            pair.origin.qmp.execute("set_link", {"name": "n0", "up": False})
            wait_for("the withdrawal", lambda: not peer(pair)["link"])
            pair.origin.qmp.execute("set_link", {"name": "n0", "up": True})
            # Not before the mirror's driver has let go of what was there before
            wait_for("the link", lambda: peer(pair)["link"])
        name = device(pair.origin, VIRTIO_NET)
        pair.origin.command(f"echo {name} >{VIRTIO_NET}/unbind; echo {name} >{VIRTIO_NET}/bind")
        wait_for("the link", lambda: peer(pair)["link"] and peer(pair)["ack"] == peer(pair)["epoch"])
        assert peer(pair)["epoch"] > held["epoch"] + 6
        assert pair.mirror.command(f"cat {FAULTS}/rtnl") == "1"
        # And it is of use
        pair.origin.wait_interface(ORIGIN_IP)
        pair.origin.wait_answer(MIRROR_IP)
        assert pair.mirror.command(f"cat {FAULTS}/rtnl") == "1"
    finally:
        pair.mirror.command(f"echo 0 >{FAULTS}/rtnl")
    pair.assert_works()


def test_the_interface_is_set_up_while_the_driver_is_still_being_bound(pair: Pair):
    """vp-net sets it up as soon as it is there, on the other CPU; the driver is made late with "it is down"."""
    name = device(pair.mirror, VHOST_PCI_NET)
    pair.mirror.command(f"echo {name} >{VHOST_PCI_NET}/unbind; echo 3000 >{FAULTS}/down_delay; echo {name} >{VHOST_PCI_NET}/bind")
    assert pair.mirror.command(f"cat {FAULTS}/down_delay") == "0", "it was never told"
    pair.mirror.wait_interface(MIRROR_IP)
    assert peer(pair)["driver-link"]
    pair.assert_works()


def test_a_resume_fails(pair: Pair):
    """The device's queues cannot be set up again: nothing hangs, and once they can, the device is usable again."""
    name = pair.mirror.wait_interface(MIRROR_IP)
    traffic.flood_both_ways(pair)
    pair.mirror.command(f"echo 100000 >{FAULTS}/no_queues")
    suspend_to_idle(pair.mirror, lambda: None)
    pair.mirror.wait_until("[ $(cat /sys/power/suspend_stats/success) -gt 0 ]")
    pair.mirror.command(f"echo 0 >{FAULTS}/no_queues")
    traffic.stop_floods(pair.origin, pair.mirror)
    assert "failed to resume" in pair.mirror.command("dmesg")
    assert not peer(pair)["driver-ok"]
    # Whatever is asked for now is answered
    for command in (f"ip link set {name} mtu 1400", f"ip link set {name} down", f"ip link set {name} up", f"ip link set {name} down",
                    f"ethtool {name}", f"ethtool -S {name}", f"ethtool -L {name} combined 1", f"ethtool -K {name} tso off",
                    f"ip link set {name} address 02:00:00:00:00:01"):
        pair.mirror.run(f"/usr/sbin/{command}", 20)
    assert pair.mirror.run(f"/usr/sbin/ip link set {name} up", 20).status != 0
    one = device(pair.mirror, VHOST_PCI_NET)
    pair.mirror.command(f"echo {one} >{VHOST_PCI_NET}/unbind; echo {one} >{VHOST_PCI_NET}/bind", 30)
    pair.assert_works()


def test_a_device_of_another_version_is_refused(pair: Pair):
    one = device(pair.mirror, VHOST_PCI_NET)
    for version, remedy in ((1, "update QEMU and its vhost-pci library"), (3, "update this driver")):
        pair.mirror.command(f"echo {version} >{FAULTS}/config_version; echo {one} >{VHOST_PCI_NET}/unbind")
        assert pair.mirror.run(f"echo {one} >{VHOST_PCI_NET}/bind").status != 0
        # So that there is a device to be unbound
        pair.mirror.command(f"echo 0 >{FAULTS}/config_version; echo {one} >{VHOST_PCI_NET}/bind", 30)
        assert f"configuration version {version}, this driver knows version 2 only: {remedy}" in pair.mirror.command("dmesg")
    pair.assert_works()


# What goes on in the mirror while its device is pulled out, each in a loop of its own.
BUSY = [
    "ip link set $i down; ip link set $i up",
    "ip link set $i mtu 1400; ip link set $i mtu 1500",
    "ip link set $i address 02:00:00:00:00:01; ip link set $i address 02:00:00:00:00:02",
    "ethtool -S $i; ethtool -g $i; ethtool -l $i; ethtool $i; ethtool -c $i",
    "ethtool -K $i tso off rxhash off; ethtool -K $i tso on rxhash on; ethtool -C $i rx-usecs 0; ethtool -C $i rx-usecs 500",
    "ethtool -K $i hw-tc-offload on; tc qdisc add dev $i ingress; "
    "tc filter add dev $i ingress matchall action mirred egress redirect dev lo; tc qdisc del dev $i ingress",
    "ip link add link $i name v5 type macvlan mode bridge; ip link set v5 up; ip link del v5",
    "/tmp/xdprun $(cat /sys/class/net/$i/ifindex) echo >>/tmp/busy-xdp 2>&1 & x=$!; usleep 500000; kill $x; wait $x",
]


def test_the_device_is_pulled_out_during_everything(run: process.RunDir, pair: Pair):
    traffic.stop_floods(pair.origin, pair.mirror)
    pair.mirror.load("macvlan")
    xdp.install(pair.mirror, run)
    pair.mirror.command(": >/tmp/busy")
    for what in BUSY:
        # By their paths: busybox has its own of these names
        what = re.sub(r"\b(ip|ethtool|tc) ", r"/usr/sbin/\1 ", what)
        # Interfaces come and go, under the same name or another
        pair.mirror.command(f"(while [ -e /tmp/busy ]; do for i in /sys/class/net/*; do [ -e $i/device ] || continue; i=${{i##*/}}; "
                            f"{what}; done; done >/dev/null 2>&1; echo done >>/tmp/busy-done) &")
    for _ in range(4):
        traffic.flood_both_ways(pair)
        wait_for("the driver", lambda: peer(pair)["driver-ok"])
        time.sleep(1)
        old = peer(pair)
        # The configuration changes at the same time
        for up in (False, True, False, True):
            pair.origin.qmp.execute("set_link", {"name": "n0", "up": up})
        pair.mirror.qmp.execute("device_del", {"id": old["device"]})
        pair.mirror.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == old["device"])
        wait_for("another device", lambda: [one for one in pair.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]
                                            if one["connection"] > old["connection"] and one.get("device")])
        traffic.stop_floods(pair.origin, pair.mirror)
    pair.mirror.command("rm /tmp/busy")
    pair.mirror.wait_until(f"[ $(wc -l </tmp/busy-done) = {len(BUSY)} ]", 60)
    assert int(pair.mirror.command("grep -c attached /tmp/busy-xdp")) > 0
    name, = wait_for("the interface", pair.mirror.interfaces)
    pair.mirror.command(f"/usr/sbin/ip link set {name} down mtu 1500; /usr/sbin/ip addr replace {MIRROR_IP}/24 dev {name}; "
                        f"/usr/sbin/tc qdisc del dev {name} ingress; /usr/sbin/ip link set {name} up; :")
    pair.assert_works()
