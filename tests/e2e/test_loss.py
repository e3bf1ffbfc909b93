# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that die or are late: the other side goes on. One mirror serves all tests; origins come and go."""
import time

import pytest

from lab import footprint, guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Guest
from lab.patience import Deadline


@pytest.fixture(scope="module")
def mirror(run: process.RunDir):
    mirror = guests.start_mirror(run, "q35")
    mirror.wait_ready()
    yield mirror
    mirror.stop()


@pytest.fixture(autouse=True)
def mirror_unharmed(mirror: Guest):
    yield
    assert mirror.qemu.running, mirror.qemu.output()[-2000:]
    assert mirror.complaints() == []
    assert mirror.command("echo alive") == "alive"


def connect(run: process.RunDir, mirror: Guest, name: str) -> Guest:
    origin = guests.start_origin(run, "q35", name)
    try:
        origin.wait_ready()
        origin.wait_interface(ORIGIN_IP)
        mirror.wait_interface(MIRROR_IP)
    except BaseException:
        origin.stop()
        raise
    return origin


def slot(mirror: Guest) -> str:
    return mirror.command("for d in /sys/bus/virtio/drivers/vhost_pci_net/virtio*; do basename $(readlink -f $d/..); done")


def wait_no_device(mirror: Guest) -> None:
    end = Deadline(30)
    # The guest lets go of the interface before QEMU lets go of the device.
    while mirror.interfaces() or mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]:
        assert not end.over, f"the device stays: {mirror.interfaces()}\n{mirror.hmp('info vhost-pci')}"
        time.sleep(0.2)


def test_an_origin_killed_under_traffic_leaves_the_mirror_running_and_its_slot_free(run: process.RunDir, mirror: Guest):
    before = footprint.Footprint(mirror.qemu)
    origin = connect(run, mirror, "origin-1")
    first_slot = slot(mirror)
    traffic.start_flood(origin, MIRROR_IP)
    traffic.start_flood(mirror, ORIGIN_IP)
    traffic.wait_flow(origin, mirror, least=100)
    origin.kill()
    wait_no_device(mirror)
    assert "0 of 32 connections" in mirror.hmp("info vhost-pci")
    footprint.wait_back(mirror.qemu, before)
    # With a neighbour that does not answer, the kernel throws away what waits for it, and so the first answers to the next one
    traffic.stop_floods(mirror)

    origin = connect(run, mirror, "origin-2")
    try:
        assert slot(mirror) == first_slot
        for sender, target in ((origin, MIRROR_IP), (mirror, ORIGIN_IP)):
            sender.wait_answer(target)
            assert sender.ping(target).lossless
        assert origin.complaints() == []
    finally:
        origin.stop()
    wait_no_device(mirror)


def test_an_origin_that_powers_off_takes_its_device_with_it(run: process.RunDir, mirror: Guest):
    origin = connect(run, mirror, "origin-3")
    origin.qmp.execute("quit")
    origin.qemu.wait(100)
    wait_no_device(mirror)
    origin.stop()


def test_two_origins_have_a_link_each(run: process.RunDir, mirror: Guest):
    first = connect(run, mirror, "origin-4")
    second = None
    try:
        second = guests.start_origin(run, "q35", "origin-5", "52:54:00:00:00:03", "10.0.1.1")
        second.wait_ready()
        second.wait_interface("10.0.1.1")
        mirror.wait_interface("10.0.1.2")
        assert len(slot(mirror).split()) == 2
        for sender, target in ((first, MIRROR_IP), (second, "10.0.1.2")):
            sender.wait_answer(target)
            assert sender.ping(target).lossless
        first.kill()
        assert second.ping("10.0.1.2", 40).lossless, "the other origin's death was felt"
    finally:
        first.kill()
        if second:
            second.stop()
    wait_no_device(mirror)
