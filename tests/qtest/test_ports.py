# SPDX-License-Identifier: GPL-2.0-or-later
"""slots=: devices on root ports of the user's own, on q35."""
import contextlib

from .front_end import FrontEnd
from .mirror import BRIDGE_IDS, BUS, DEVICE_IDS, GIB, Mirror, MirrorDevice
from .test_static import start_named

ROOT_PORT = (0x1b36, 0x000c)
PORTS = [word for n in range(2) for word in
         ("-device", f"pcie-root-port,id=rp{n},chassis={n + 1},slot={n + 1},pref64-reserve=8G,bus=pcie.0,addr={n + 8}")]
WINDOWS = 0x10 << 32


def start(run):
    return Mirror(run, machine="q35", connections=2, options=",slots=rp0:rp1", args=PORTS, firmware=False)


def set_up(mirror, sizes=(8, 8)):
    """What firmware does: a bus number and windows for each port."""
    ports = mirror.find_pci(*ROOT_PORT)
    assert len(ports) == 2
    base = WINDOWS
    for bus, (port, size) in enumerate(zip(ports, sizes), BUS):
        low = 0xe0000000 + (bus - BUS) * 0x400000
        port.set_up_bridge(bus, memory=(low, low + 0x3fffff), prefetchable=(base, base + size * GIB - 1))
        base += size * GIB


def test_devices_on_root_ports(run):
    with start(run) as mirror, FrontEnd(mirror.path) as one, FrontEnd(mirror.path) as two:
        set_up(mirror)
        start_named(one, "one")
        start_named(two, "two", mac=2)
        for bus, name in ((BUS, "rp0"), (BUS + 1, "rp1")):
            peer = mirror.wait_peer(name, lambda p: p.get("bus") == name and p["link"])
            assert peer["window-size"] == 4 * GIB
            pci = mirror.pci(bus, 0)
            assert pci.ids == DEVICE_IDS and pci.bar_size(2) == 4 * GIB
        assert "on bus rp1" in mirror.hmp("info vhost-pci")


def test_the_link_works_there(run):
    with start(run) as mirror, FrontEnd(mirror.path) as origin:
        set_up(mirror)
        origin.start()
        mirror.wait_link()
        device = MirrorDevice(mirror, mirror.pci(BUS, 0))
        device.start()
        assert device.config().up
        device.ring_doorbell(0)


def test_the_bridge_itself_reserves_nothing(run):
    with start(run) as mirror:
        bridge, = mirror.find_pci(*BRIDGE_IDS)
        # QEMU's capability for the firmware: bus, io, mem, pref32, pref64 at 4, 8, 16, 20 and 24
        found = [at for at in bridge.capabilities(9) if bridge.readb(at + 3) == 1]
        for at in found:
            assert (bridge.readl(at + 24), bridge.readl(at + 28)) == (0, 0)


def test_a_port_that_is_too_small_is_passed_over(run):
    with start(run) as mirror, FrontEnd(mirror.path) as large, FrontEnd(mirror.path) as larger:
        set_up(mirror, sizes=(4, 16))
        start_named(large, "large", memory_end=12 * GIB)
        assert mirror.wait_link()["bus"] == "rp1"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):    # refused at the first of its messages
            start_named(larger, "larger", mac=2, memory_end=40 * GIB)
        assert larger.closed_by_server()
        line, = mirror.qemu.output().strip().splitlines()
        assert "pref64-reserve=" in line and "64 GiB" in line


def test_a_bus_that_is_not_there(run):
    with Mirror(run, connections=1, options=",slots=nope") as mirror, FrontEnd(mirror.path) as origin:
        origin.greet()
        origin.set_memory()
        assert origin.closed_by_server()
        line, = mirror.qemu.output().strip().splitlines()
        assert "nope" in line
