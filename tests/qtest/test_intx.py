# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers with INTx only, in both VMs: after each event of the life cycle the line agrees with the PCI status, and reading the ISR
lowers it. A line that stays raised is an interrupt storm that no driver can stop."""
import dataclasses
from collections.abc import Callable

import pytest

from tests.lab.qtest import PCI_CAP_MSIX, PCI_COMMAND, PciFunction, QTest

from .mirror import GIB, Mirror, MirrorDevice, wait_for
from .origin import LEGACY_NET, RX, TX, Origin

PIIX3 = (0x8086, 0x7000)
PIRQ_ROUTES = {0x60: 10, 0x61: 11, 0x62: 5, 0x63: 7}
INTX_DISABLE = 0x400

STATIC_SLOT = 9


@dataclasses.dataclass
class Line:
    """The INTx of one function, as its driver and as the interrupt controller see it."""
    vm: QTest
    function: PciFunction
    take: Callable[[], int]     # reads the ISR
    cause: Callable[[], None]   # makes the other VM interrupt

    @property
    def up(self) -> bool:
        return bool(self.vm.raised_lines())

    def assert_true(self) -> None:
        """The line agrees with the PCI status, which is read last because another thread may change it."""
        masked = bool(self.function.readw(PCI_COMMAND) & INTX_DISABLE)
        wait_for("line and PCI status to agree", lambda: self.up == (self.function.interrupt_status and not masked))

    def settle(self) -> None:
        """Reads the ISR until it is 0; then the line must be low."""
        wait_for("an ISR of 0", lambda: not self.take() and not self.up)
        assert not self.function.interrupt_status
        self.assert_true()

    def interrupt(self) -> None:
        self.cause()
        wait_for("the interrupt", lambda: self.function.interrupt_status)
        self.assert_true()

    def mask(self) -> None:
        self.function.writew(PCI_COMMAND, self.function.readw(PCI_COMMAND) | INTX_DISABLE)

    def unmask_by_byte(self) -> None:
        """Writes only the upper byte of the command register, as DPDK does."""
        self.function.writeb(PCI_COMMAND + 1, self.function.readb(PCI_COMMAND + 1) & ~(INTX_DISABLE >> 8))

    def works(self) -> None:
        self.settle()
        self.interrupt()
        assert self.up
        self.settle()


def route_lines(vm: QTest) -> None:
    """Routes PCI's interrupt lines, as firmware does."""
    piix, = vm.find_pci(*PIIX3)
    for register, line in PIRQ_ROUTES.items():
        piix.writeb(register, line)


class World:
    """A mirror with a static device and an origin, both drivers with INTx only."""

    def __init__(self, mirror: Mirror, origin: Origin):
        self.take_mirror(mirror)
        self.take_origin(origin)
        self.let_link_come()

    def take_mirror(self, mirror: Mirror) -> None:
        self.mirror = mirror
        route_lines(mirror)
        mirror.watch_lines()
        self.device = MirrorDevice(mirror, mirror.pci(0, STATIC_SLOT))
        self.far = Line(mirror, self.device.pci, self.device.take_interrupt, lambda: self.origin.kick(TX))
        self.device.start(msix=False)

    def take_origin(self, origin: Origin) -> None:
        self.origin = origin
        route_lines(origin)
        origin.watch_lines()
        nic, = origin.find_pci(*LEGACY_NET)
        self.near = Line(origin, nic, origin.take_interrupt_register, lambda: self.device.ring_doorbell(RX))
        origin.start_driver()

    def let_link_come(self) -> None:
        def acknowledged():
            self.device.ack(self.device.config().epoch)
            return self.mirror.peers()[0]["link"]
        wait_for("the link", acknowledged)

    # -- edges: each ends with the link up -----------------------------------------------------------------------------
    def reset_origin(self) -> None:
        self.origin.reset_driver()
        self.origin.start_driver()

    def reset_mirror(self) -> None:
        self.device.start(msix=False)

    def link_of_origin(self) -> None:
        for up in (False, True):
            self.origin.qmp.execute("set_link", {"name": "n0", "up": up})

    def link_of_mirror(self) -> None:
        for up in (False, True):
            self.mirror.qmp.execute("qom-set", {"path": "/machine/peripheral/vpn0", "property": "link", "value": up})

    def stop_origin(self) -> None:
        self.origin.qmp.execute("stop")
        self.origin.qmp.execute("cont")

    def stop_mirror(self) -> None:
        self.mirror.qmp.execute("stop")
        self.mirror.qmp.execute("cont")

    def reset_origins_machine(self) -> None:
        self.origin.qmp.execute("system_reset")
        self.origin.qmp.wait_event("RESET")
        route_lines(self.origin)
        self.origin.set_up_nic()
        self.origin.start_driver()


EDGES = [World.reset_origin, World.reset_mirror, World.link_of_origin, World.link_of_mirror, World.stop_origin, World.stop_mirror,
         World.reset_origins_machine]


def new_mirror(run, options="") -> Mirror:
    return Mirror(run, args=("-device", f"vhost-pci-net,server=vps,id=vpn0,bus=pci.0,addr={STATIC_SLOT}{options}"), room=32 * GIB)


@pytest.fixture
def world(run):
    with new_mirror(run) as mirror, Origin(run, mirror.path, chardev=",reconnect=1", device=",vectors=0") as origin:
        yield World(mirror, origin)


@pytest.fixture
def lines(world):
    return [world.near, world.far]


@pytest.mark.parametrize("end", [0, 1], ids=["origin", "mirror"])
def test_unmasking_by_the_upper_byte_alone_moves_the_line(lines, end):
    """QEMU ignored such a write while an interrupt was pending, and the line stayed raised for ever."""
    line = lines[end]
    line.works()
    line.interrupt()
    line.mask()
    line.assert_true()
    assert line.function.interrupt_status and not line.up
    line.unmask_by_byte()
    line.assert_true()
    assert line.up
    line.works()


@pytest.mark.parametrize("pending", ["nothing", "an interrupt", "a masked interrupt"])
@pytest.mark.parametrize("edge", EDGES, ids=[edge.__name__ for edge in EDGES])
def test_each_edge_leaves_lines_that_can_be_lowered(world, lines, edge, pending):
    for line in lines:
        line.works()
        if pending != "nothing":
            line.interrupt()
        if pending == "a masked interrupt":
            line.mask()
            line.assert_true()
    edge(world)
    world.let_link_come()
    for line in lines:
        if pending == "a masked interrupt":
            line.unmask_by_byte()
        line.assert_true()
    for line in lines:
        line.works()


def test_devices_without_msix(run):
    with new_mirror(run, ",vectors=0") as mirror, Origin(run, mirror.path, device=",vectors=0") as origin:
        world = World(mirror, origin)
        assert not world.device.pci.capabilities(PCI_CAP_MSIX) and not world.near.function.capabilities(PCI_CAP_MSIX)
        for line in (world.near, world.far):
            line.works()


@pytest.mark.parametrize("pending", [False, True])
def test_an_origin_that_dies_and_its_successor(run, world, pending):
    world.far.works()
    if pending:
        world.far.interrupt()
    world.origin.kill()
    world.mirror.wait_peer("no origin", lambda peer: peer["state"] == "waiting")
    world.far.assert_true()
    world.far.settle()
    with Origin(run, world.mirror.path, name="successor", device=",vectors=0") as origin:
        world.take_origin(origin)
        world.let_link_come()
        world.far.works()
        world.near.works()


@pytest.mark.parametrize("pending", [False, True])
def test_a_mirror_that_dies_and_its_successor(run, world, pending):
    world.near.works()
    if pending:
        world.near.interrupt()
    world.mirror.kill()
    wait_for("the end of the link", lambda: world.origin.client()["state"] != "connected")
    world.near.assert_true()
    world.near.settle()
    with new_mirror(run) as mirror:
        world.take_mirror(mirror)
        world.let_link_come()
        world.near.works()
        world.far.works()


@pytest.mark.parametrize("name", ["origin", "mirror"])
def test_unplug_lowers_the_line(world, name):
    vm, line, device, slot = {"origin": (world.origin, world.near, "n0", world.near.function.slot),
                              "mirror": (world.mirror, world.far, "vpn0", STATIC_SLOT)}[name]
    line.interrupt()
    assert line.up
    vm.qmp.execute("device_del", {"id": device})
    vm.outl(0xae10, 0)
    vm.outl(0xae08, 1 << slot)
    vm.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == device)
    assert not line.up
