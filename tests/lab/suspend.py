# SPDX-License-Identifier: GPL-2.0-or-later
"""Suspends and wakes a mirror's guest."""
import pathlib
import time

from .guests import Guest
from .patience import Deadline


def driver_ok(mirror: Guest) -> bool:
    peer, = mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]
    return peer["driver-ok"]


def wait_idle(guest: Guest) -> None:
    """Waits until its CPUs have been idle for a second."""
    stats = [pathlib.Path(f"/proc/{guest.qemu.pid}/task/{cpu['thread-id']}/stat") for cpu in guest.qmp.execute("query-cpus-fast")]
    end, quiet, before = Deadline(30), 0, []
    while quiet < 20:
        assert not end.over, "its CPUs never rest"
        # State, and the time in user mode and in the kernel
        fields = [stat.read_text().rsplit(")", 1)[1].split() for stat in stats]
        now = [(one[0], one[11], one[12]) for one in fields]
        quiet = quiet + 1 if all(one[0] == "S" for one in now) and now == before else 0
        before = now
        time.sleep(0.05)


def suspend_to_idle(mirror: Guest, meanwhile) -> None:
    """Suspend to idle: every driver is frozen and restored. A key wakes the guest."""
    mirror.command("echo enabled >/sys/class/tty/ttyS0/power/wakeup; (sleep 0.2; echo freeze >/sys/power/state) >/tmp/sleep 2>&1 &")
    end = Deadline(30)
    while driver_ok(mirror):
        assert not end.over, "it does not go to sleep"
        time.sleep(0.1)
    # What comes after the drivers, up to the idle machine: a key that is too early ends the attempt
    wait_idle(mirror)
    meanwhile()
    mirror.console.press()
