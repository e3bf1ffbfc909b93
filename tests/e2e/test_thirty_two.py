# SPDX-License-Identifier: GPL-2.0-or-later
"""All 32 connections of a server in use and busy: two booted VMs and 30 light origins. They are killed one at a time, in an
order of chance, and nobody else loses a packet."""
import os
import pathlib
import random
import subprocess
import sys
import time

import pytest

from lab import footprint, guests, process, traffic
from lab.guests import MIRROR_IP, Guest
from lab.patience import wait_for

from light_origin import State

CONNECTIONS = 32
LIGHT = CONNECTIONS - 2
LONG = os.environ.get("VHOST_PCI_LONG") == "1"
KILLED = LIGHT if LONG else LIGHT // 4
# Seconds between the frames of one light origin, and between two deaths
INTERVAL, PAUSE = 0.05, 1.5 if LONG else 0.5
PROGRAM = pathlib.Path(__file__).with_name("light_origin.py")


class Light:
    """A light origin: its process, and what it has counted."""

    def __init__(self, run: process.RunDir, number: int):
        self.name = f"light{number}"
        self.state = State(run / f"{self.name}.state", create=True)
        with open(run / f"{self.name}.log", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(run / "vhost-pci.sock"), str(number), str(INTERVAL), str(run / f"{self.name}.state")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=process.die_with_parent)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop_sending(self) -> None:
        self.state["go"] = 0

    def __str__(self) -> str:
        values = {name: self.state[name] for name in ("sent", "received", "wrong", "foreign")}
        return f"{self.name}: {values}, longest gap {self.state['longest_gap'] / 1e6:.0f} ms"


class Full:
    """The mirror with all of its origins."""

    def __init__(self, run: process.RunDir):
        self.run = run
        self.lights: list[Light] = []
        self.mirror = guests.start_mirror(run)
        self.mirror.wait_ready()
        self.before = footprint.Footprint(self.mirror.qemu)
        self.first = guests.start_origin(run, name="origin-1")
        self.first.wait_ready()
        self.mirror.wait_interface(MIRROR_IP)
        self.second = guests.start_origin(run, name="origin-2", mac="52:54:00:00:00:02", address="10.0.1.1")
        self.second.wait_ready()
        self.mirror.wait_interface("10.0.1.2")
        booted = set(self.mirror.interfaces())
        self.lights += [Light(run, number) for number in range(1, LIGHT + 1)]
        wait_for("all links", lambda: self.links() == CONNECTIONS, 60)
        self.reflect(booted)

    def peers(self) -> list[dict]:
        return self.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]

    def links(self) -> int:
        return sum(peer["link"] for peer in self.peers())

    def reflect(self, booted: set[str]) -> None:
        """The mirror sends back what light origins send, by its kernel's packet filter: through both of the driver's paths."""
        wait_for("all interfaces", lambda: len(self.mirror.interfaces()) == CONNECTIONS, 60)
        for name in set(self.mirror.interfaces()) - booted:
            self.mirror.command(
                f"/usr/sbin/ip link set {name} up; /usr/sbin/tc qdisc add dev {name} ingress && "
                f"/usr/sbin/tc filter add dev {name} ingress matchall action mirred egress redirect dev {name}")
            self.mirror.wait_until(f'[ "$(cat /sys/class/net/{name}/carrier)" = 1 ]')

    def stop(self) -> None:
        for light in self.lights:
            light.kill()
        for vm in (self.first, self.second, self.mirror):
            vm.stop()


@pytest.fixture
def full(run: process.RunDir):
    full = Full(run)
    yield full
    full.stop()


def assert_lossless(light: Light) -> None:
    assert light.process.poll() is None, f"{light.name} ended"
    state = light.state
    assert state["sent"] > 10 and state["sent"] == state["received"] and not state["wrong"], str(light)


def test_each_origin_dies_alone(run: process.RunDir, full: Full):
    seed = int(os.environ.get("VHOST_PCI_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"VHOST_PCI_SEED={seed}")
    chance = random.Random(seed)
    victims: list[Light | Guest] = [*chance.sample(full.lights, KILLED)]
    if LONG:
        victims.insert(chance.randrange(len(victims)), full.second)

    pings = {full.first: traffic.SteadyPing(full.first, MIRROR_IP), full.second: traffic.SteadyPing(full.second, "10.0.1.2")}
    for light in full.lights:
        light.state["go"] = 1
    wait_for("traffic of everybody", lambda: all(light.state["received"] > 10 for light in full.lights))

    alive = list(full.lights)
    for number, victim in enumerate(victims, 1):
        # In the midst of its traffic
        victim.kill()
        if victim in pings:
            del pings[victim]
        else:
            alive.remove(victim)
        wait_for(f"the end of {victim.name}'s link", lambda: full.links() == CONNECTIONS - number)
        counts = [light.state["received"] for light in alive]
        time.sleep(PAUSE)
        wait_for("traffic of the others", lambda: all(light.state["received"] > count for light, count in zip(alive, counts)))

    for light in alive:
        light.stop_sending()
    wait_for("the last answers", lambda: all(light.state["sent"] == light.state["received"] for light in alive))
    for light in alive:
        assert_lossless(light)
    for guest, ping in pings.items():
        sent, answered = ping.stop()
        assert sent > 50 and sent == answered, f"{guest.name}: {answered} of {sent} answered"
        print(f"{guest.name}: {answered} of {sent} answered")
    total = sum(light.state["received"] for light in alive)
    gap = max([light.state["longest_gap"] for light in alive], default=0) / 1e6
    print(f"{len(victims)} killed; {len(alive)} light origins got {total} frames back, the longest gap was {gap:.0f} ms")

    # Devices of the dead leave the guest, one after the other
    wait_for("the guest to let go", lambda: len(full.peers()) == CONNECTIONS - len(victims), 60)
    assert len(full.mirror.interfaces()) == CONNECTIONS - len(victims)
    for vm in (full.mirror, *pings):
        assert vm.qemu.running, vm.qemu.output()[-2000:]
        assert vm.complaints() == [], f"kernel of the {vm.name}"

    for light in alive:
        light.kill()
    for vm in (full.first, full.second):
        vm.kill()
    wait_for("an empty server", lambda: not full.peers(), 60)
    footprint.wait_back(full.mirror.qemu, full.before)
