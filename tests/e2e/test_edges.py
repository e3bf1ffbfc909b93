# SPDX-License-Identifier: GPL-2.0-or-later
"""Every edge of the life cycle in booted guests and under traffic, one boot for all. After each the link carries traffic both
ways, no kernel has complained, and the mirror's QEMU holds what it held before."""
import os
import time

import pytest

from lab import footprint, guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Guest, Pair
from lab.patience import Deadline

TIMES = 20 if os.environ.get("VHOST_PCI_LONG") == "1" else 1


@pytest.fixture(scope="module")
def pair(run: process.RunDir):
    """On the pc machine, whose origin can lose its NIC at run time."""
    mirror = guests.start_mirror(run, "pc")
    mirror.wait_ready()
    origin = guests.start_origin(run, "pc", chardev_options=",reconnect=1", device_options=",id=n0")
    origin.wait_ready()
    for vm in (mirror, origin):
        vm.qmp.execute("set-action", {"reboot": "reset"})
    pair = Pair(run, mirror, origin)
    pair.wait_link()
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def before(pair: Pair) -> footprint.Footprint:
    pair.assert_works()
    return footprint.Footprint(pair.mirror.qemu)


def peers(pair: Pair) -> list[dict]:
    return pair.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]


def wait_peers(pair: Pair, what: str, condition, timeout: float = 30) -> None:
    end = Deadline(timeout)
    while not condition(peers(pair)):
        assert not end.over, f"waited {timeout} s for {what}: {peers(pair)}"
        time.sleep(0.05)


def driver_folder(guest: Guest, driver: str) -> tuple[str, str]:
    """The driver's folder, and the device in it."""
    folder = f"/sys/bus/virtio/drivers/{driver}"
    return folder, guest.command(f"cd {folder}; ls -d virtio*")


def reboot(guest: Guest) -> None:
    guest.qmp.events.clear()
    guest.command("(sleep 0.1; reboot -f) >/dev/null 2>&1 &")
    guest.qmp.wait_event("RESET")
    guest.wait_ready()


def system_reset(guest: Guest) -> None:
    guest.qmp.execute("system_reset")
    guest.wait_ready()


def the_mirror_reboots(pair: Pair) -> None:
    reboot(pair.mirror)


def the_origin_reboots(pair: Pair) -> None:
    # As an orderly shutdown does. Debian's 6.1 breaks the queues of a virtio_net that is up, and then that loops for ever when
    # its transmit queue has just been served: no concern of its peer.
    name = pair.origin.wait_interface(ORIGIN_IP)
    pair.origin.command(f"/usr/sbin/ip link set {name} down")
    reboot(pair.origin)


def the_mirror_is_reset(pair: Pair) -> None:
    system_reset(pair.mirror)


def the_origin_is_reset(pair: Pair) -> None:
    system_reset(pair.origin)


def the_mirrors_driver_is_unbound_and_bound(pair: Pair) -> None:
    folder, device = driver_folder(pair.mirror, "vhost_pci_net")
    pair.mirror.command(f"echo {device} > {folder}/unbind", 30)
    wait_peers(pair, "the driver to go", lambda now: not any(peer["driver-ok"] for peer in now))
    pair.mirror.command(f"echo {device} > {folder}/bind", 30)


def the_mirrors_module_is_reloaded(pair: Pair) -> None:
    pair.mirror.command("rmmod vhost_pci_net", 30)
    pair.mirror.command("insmod /lib/modules/vhost_pci_net.ko", 30)


def the_mirrors_interface_goes_down_and_up(pair: Pair) -> None:
    name = pair.mirror.wait_interface(MIRROR_IP)
    for _ in range(5):
        pair.mirror.command(f"/usr/sbin/ip link set {name} down; /usr/sbin/ip link set {name} up")


def the_mirror_lets_the_device_go(pair: Pair) -> None:
    """device_del: the origin loses its connection, comes back and gets another device."""
    peer, = peers(pair)
    pair.mirror.qmp.execute("device_del", {"id": peer["device"]})
    pair.mirror.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == peer["device"])
    wait_peers(pair, "another connection", lambda now: now and now[0]["connection"] > peer["connection"] and now[0]["link"])


def stop_and_continue(guest: Guest) -> None:
    guest.qmp.execute("stop")
    time.sleep(0.5)
    guest.qmp.execute("cont")


def the_mirror_is_stopped_and_continued(pair: Pair) -> None:
    stop_and_continue(pair.mirror)


def the_origin_is_stopped_and_continued(pair: Pair) -> None:
    stop_and_continue(pair.origin)


def both_are_stopped_and_continued(pair: Pair) -> None:
    pair.mirror.qmp.execute("stop")
    pair.origin.qmp.execute("stop")
    time.sleep(0.3)
    # The origin first: it has to wait for nobody
    pair.origin.qmp.execute("cont")
    pair.mirror.qmp.execute("cont")


def the_origins_link_is_taken_and_given(pair: Pair) -> None:
    name = pair.mirror.wait_interface(MIRROR_IP)
    pair.origin.qmp.execute("set_link", {"name": "n0", "up": False})
    pair.mirror.wait_until(f'[ "$(cat /sys/class/net/{name}/carrier)" = 0 ]', 15)
    pair.origin.qmp.execute("set_link", {"name": "n0", "up": True})


def the_window_is_replaced_again_and_again(pair: Pair) -> None:
    """Does not wait for the driver, which finds any of the steps in the midst of its polls."""
    for number in range(60):
        pair.origin.qmp.execute("set_link", {"name": "n0", "up": bool(number % 2)})
        time.sleep((0, 0.005, 0.02, 0.05)[number // 2 % 4])
    folder, device = driver_folder(pair.origin, "virtio_net")
    pair.origin.command(f"for i in $(seq 8); do echo {device} > {folder}/unbind; echo {device} > {folder}/bind; done", 60)


def the_origin_loses_its_nic_and_gets_another(pair: Pair) -> None:
    """device_del, chardev-remove, and both again. The guest's address goes with the interface, so vp-net sets it again."""
    origin = pair.origin.qmp
    origin.execute("device_del", {"id": "n0"})
    origin.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "n0")
    origin.execute("chardev-remove", {"id": "vp-client1"})
    wait_peers(pair, "the device to go", lambda now: not now)
    path = str(pair.run / "vhost-pci.sock")
    origin.execute("chardev-add", {"id": "vp-client1", "backend": {"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": path}}, "server": False, "reconnect": 1}}})
    origin.execute("device_add", {"driver": "virtio-net-pci", "id": "n0", "mac": guests.ORIGIN_MAC, "romfile": "",
                                  "vhost-pci-client": "vp-client1"})


EDGES = [the_mirror_is_stopped_and_continued, the_origin_is_stopped_and_continued, both_are_stopped_and_continued,
         the_origins_link_is_taken_and_given, the_window_is_replaced_again_and_again,
         the_mirrors_driver_is_unbound_and_bound, the_mirrors_module_is_reloaded,
         the_mirrors_interface_goes_down_and_up, the_mirror_lets_the_device_go, the_origin_loses_its_nic_and_gets_another,
         the_mirror_reboots, the_origin_reboots, the_mirror_is_reset, the_origin_is_reset]


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.__name__)
def test_traffic_goes_on_after(pair: Pair, before: footprint.Footprint, edge):
    for number in range(TIMES):
        traffic.flood_both_ways(pair)
        traffic.wait_flow(pair.origin, pair.mirror)
        edge(pair)
        pair.assert_works()
        footprint.wait_back(pair.mirror.qemu, before)
        for vm in (pair.mirror, pair.origin):
            assert vm.qemu.running, vm.qemu.output()[-2000:]
            assert vm.complaints() == [], f"kernel of the {vm.name}, time {number + 1}"
