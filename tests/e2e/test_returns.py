# SPDX-License-Identifier: GPL-2.0-or-later
"""Either QEMU is killed and started again while packets flow. The other guest's kernel and interface stay, and traffic starts
again by itself: nobody touches a thing."""
import os
import time

from lab import footprint, guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Guest

# Seconds. What is measured here is below 3 on a quiet machine; the limit is for a busy one.
LIMIT = 60
TIMES = 20 if os.environ.get("VHOST_PCI_LONG") == "1" else 1


def start_mirror(run: process.RunDir, vms: list[Guest], name: str) -> Guest:
    # Kept for as long as an origin may need to boot on a busy machine
    vms.append(guests.start_mirror(run, "q35", name, server_options=",unplug-delay=120"))
    return vms[-1]


def start_origin(run: process.RunDir, vms: list[Guest], name: str) -> Guest:
    vms.append(guests.start_origin(run, "q35", name, chardev_options=",reconnect=1", device_options=",id=n0"))
    return vms[-1]


def wait_answers(ping: traffic.SteadyPing, begin: float, after: int) -> float:
    """Seconds since then until an answer came to what has been asked all along."""
    while ping.counts()[1] <= after:
        assert time.monotonic() - begin < 2 * LIMIT, "no answer"
    return time.monotonic() - begin


def interface(guest: Guest, address: str) -> tuple[str, str]:
    """Name and index, by which the kernel knows it."""
    name = guest.wait_interface(address)
    return name, guest.command(f"cat /sys/class/net/{name}/ifindex")


def connections(mirror: Guest) -> int:
    return sum("pid" in peer for peer in mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"])


def assert_whole(origin: Guest, mirror: Guest) -> None:
    for sender, target in ((origin, MIRROR_IP), (mirror, ORIGIN_IP)):
        ping = sender.ping(target, 20, 0.02)
        assert ping.lossless, f"{sender.name}: {ping}"
        assert sender.complaints() == []


def test_the_origins_qemu_is_killed_and_started(run: process.RunDir, vms: list[Guest]):
    mirror = start_mirror(run, vms, "mirror")
    mirror.wait_ready()
    origin = start_origin(run, vms, "origin-1")
    origin.wait_ready()
    origin.wait_interface(ORIGIN_IP)
    known = interface(mirror, MIRROR_IP)
    ping = traffic.SteadyPing(mirror, ORIGIN_IP)
    wait_answers(ping, time.monotonic(), 0)
    before = footprint.Footprint(mirror.qemu)
    for number in range(2, TIMES + 2):
        time.sleep(0.5)
        origin.kill()
        answered = ping.counts()[1]
        origin = start_origin(run, vms, f"origin-{number}")
        origin.wait_ready()
        origin.wait_interface(ORIGIN_IP)
        seconds = wait_answers(ping, time.monotonic(), answered)
        print(f"{origin.name} is up: an answer to the mirror after {seconds:.1f} s")
        assert seconds < LIMIT
        assert interface(mirror, MIRROR_IP) == known
    ping.stop()
    assert_whole(origin, mirror)
    footprint.wait_back(mirror.qemu, before)


def test_the_mirrors_qemu_is_killed_and_started(run: process.RunDir, vms: list[Guest]):
    mirror = start_mirror(run, vms, "mirror-1")
    mirror.wait_ready()
    origin = start_origin(run, vms, "origin")
    origin.wait_ready()
    mirror.wait_interface(MIRROR_IP)
    known = interface(origin, ORIGIN_IP)
    ping = traffic.SteadyPing(origin, MIRROR_IP)
    wait_answers(ping, time.monotonic(), 0)
    before = footprint.Footprint(origin.qemu)
    for number in range(2, TIMES + 2):
        time.sleep(0.5)
        mirror.kill()
        answered = ping.counts()[1]
        mirror = start_mirror(run, vms, f"mirror-{number}")
        begin = time.monotonic()
        while not connections(mirror):
            assert time.monotonic() - begin < LIMIT
            time.sleep(0.02)
        reconnected = time.monotonic() - begin
        mirror.wait_ready()
        mirror.wait_interface(MIRROR_IP)
        seconds = wait_answers(ping, time.monotonic(), answered)
        print(f"{mirror.name}: the origin is back after {reconnected:.1f} s, an answer to it {seconds:.1f} s after the mirror is up")
        assert reconnected < LIMIT and seconds < LIMIT
        assert interface(origin, ORIGIN_IP) == known
    ping.stop()
    assert_whole(origin, mirror)
    footprint.wait_back(origin.qemu, before)
