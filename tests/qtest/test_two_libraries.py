# SPDX-License-Identifier: GPL-2.0-or-later
"""libvhostpci.so and another library in one QEMU: each has a runtime, numbers of objects and events of its own."""
import os

import pytest

from tests.lab import paths
from tests.lab.qmp import QmpError

from . import edu as regs
from .edu import Edu
from .mirror import Mirror, wait_for
from .origin import Origin

LIBRARY = {name: str(paths.BUILD / f"lib{name}.so") for name in ("edu", "vhostpci")}


@pytest.fixture(autouse=True)
def bar(monkeypatch):
    """Beside the windows of the bridge."""
    monkeypatch.setattr(regs, "BAR", 0xe8000000)


def plug(mirror, library) -> None:
    mirror.qmp.execute("device_add", {"driver": "dotnet-pci", "library": str(library), "bus": "pci.0"})


def use_both(run, mirror, edu) -> None:
    for number in range(3):
        with Origin(run, mirror.path, name=f"origin{number}") as origin:
            origin.start_driver()
            mirror.wait_link()
            edu.writel(regs.FACTORIAL, 5 + number)
            assert edu.wait_computed() == (120, 720, 5040)[number]
        slot = mirror.wait_link(up=False)["slot"]
        mirror.eject(slot)
        wait_for("the slot", lambda: not mirror.peers())


def test_each_library_gets_its_own_events(run):
    with Mirror(run, args=["-device", f"dotnet-pci,library={LIBRARY['edu']}"]) as mirror:
        use_both(run, mirror, Edu(mirror))


def test_a_library_is_asked_for_what_it_has(run):
    """And stays usable for that, under whatever name."""
    link = run / "another-name.so"
    os.symlink(LIBRARY["edu"], link)
    with Mirror(run) as mirror:
        with pytest.raises(QmpError, match="it has no interface 'pci', only vhost-pci"):
            plug(mirror, LIBRARY["vhostpci"])
        for name in (LIBRARY["edu"], link):
            plug(mirror, name)
        assert len(mirror.find_pci(*regs.IDS)) == 2
        use_both(run, mirror, Edu(mirror, mirror.find_pci(*regs.IDS)[1]))
