# SPDX-License-Identifier: GPL-2.0-or-later
"""The mirror's guest sleeps, suspended to idle or to RAM, with packets on their way to it; and its origin changes meanwhile."""
import contextlib
import os
import time

import pytest

from lab import guests, process, traffic
from lab.guests import Guest, Pair
from lab.suspend import suspend_to_idle

LONG = os.environ.get("VHOST_PCI_LONG") == "1"
TIMES = 20 if LONG else 2


@contextlib.contextmanager
def flood(pair: Pair):
    pair.assert_works()
    traffic.flood_both_ways(pair)
    traffic.wait_flow(pair.origin, pair.mirror)
    yield
    # After all that happened the same two floods go on
    traffic.wait_flow(pair.origin, pair.mirror)
    traffic.stop_floods(pair.origin, pair.mirror)


def sleeps(guest: Guest) -> int:
    """How often its kernel has been asleep, and woken without an error."""
    text = guest.command("cat /sys/power/suspend_stats/success /sys/power/suspend_stats/fail")
    success, fail = (int(word) for word in text.split())
    assert fail == 0, guest.command("cat /sys/power/suspend_stats/last_failed_dev; dmesg | tail -30")
    return success


def suspend_to_ram(mirror: Guest, meanwhile) -> None:
    """By way of QEMU, which resets the machine, and of the firmware."""
    mirror.qmp.events.clear()
    mirror.command("(sleep 0.2; echo mem >/sys/power/state) >/tmp/sleep 2>&1 &")
    mirror.qmp.wait_event("SUSPEND", 120)
    meanwhile()
    mirror.qmp.execute("system_wakeup")
    mirror.qmp.wait_event("WAKEUP", 60)


def change_rings_during(pair: Pair, sleep) -> None:
    device = pair.origin.command("cd /sys/bus/virtio/drivers/virtio_net; ls -d virtio*")
    folder = "/sys/bus/virtio/drivers/virtio_net"
    before = sleeps(pair.mirror)
    with flood(pair):
        # The origin must not wait for a mirror that sleeps
        sleep(pair.mirror, lambda: pair.origin.command(f"echo {device} > {folder}/unbind; echo {device} > {folder}/bind", 30))
        pair.assert_works()
    assert sleeps(pair.mirror) == before + 1


@pytest.mark.usefixtures("clean_kernels")
def test_traffic_goes_on_after_suspend_to_idle(pair: Pair):
    for _ in range(TIMES):
        before = sleeps(pair.mirror)
        with flood(pair):
            suspend_to_idle(pair.mirror, lambda: time.sleep(0.5))
            pair.assert_works()
        assert sleeps(pair.mirror) == before + 1


@pytest.mark.usefixtures("clean_kernels")
def test_the_origins_rings_change_while_the_mirror_is_idle(pair: Pair):
    change_rings_during(pair, suspend_to_idle)


@pytest.mark.skipif(not LONG, reason="in a long run only (VHOST_PCI_LONG=1): a boot of its own")
def test_the_origins_rings_change_during_suspend_to_ram(run: process.RunDir, pair: Pair):
    """Once a boot: under TCG the second wake-up never ends, whatever devices there are."""
    pair.stop()
    pair = guests.boot_vhost_pci(run, "q35", unpacked=False)
    change_rings_during(pair, suspend_to_ram)
    # Linux may complain of itself: of memory that it allocates before its clock is back
    assert not [line for guest in (pair.mirror, pair.origin) for line in guest.complaints()
                if "timekeeping.c" not in line and "Call Trace" not in line]
