# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver of the edu device that is this test, by docs/specs/edu in QEMU's source."""
from tests.lab import patience
from tests.lab.qtest import PciFunction, QTest

IDS = (0x1234, 0x11e8)
IDENTIFICATION, LIVENESS, FACTORIAL, STATUS, INTERRUPT_STATUS = 0x00, 0x04, 0x08, 0x20, 0x24
RAISE, ACKNOWLEDGE = 0x60, 0x64
DMA_SOURCE, DMA_DESTINATION, DMA_COUNT, DMA_COMMAND = 0x80, 0x88, 0x90, 0x98

COMPUTING, INTERRUPT_WHEN_COMPUTED = 0x01, 0x80
START, TO_RAM, INTERRUPT_WHEN_DONE = 1, 2, 4
FACTORIAL_CAUSE, DMA_CAUSE = 0x001, 0x100
BUFFER, BUFFER_SIZE = 0x40000, 4096

BAR = 0xe0000000
PCI_CAP_MSI = 0x05
PIIX3 = (0x8086, 0x7000)
PIRQ_ROUTES = {0x60: 10, 0x61: 11, 0x62: 5, 0x63: 7}


class Edu:
    def __init__(self, vm: QTest, function: PciFunction | None = None):
        self.vm = vm
        self.pci = function or vm.find_pci(*IDS)[0]
        self.pci.set_bar(0, BAR)
        self.pci.enable()

    def readl(self, register: int) -> int: return self.vm.readl(BAR + register)
    def readq(self, register: int) -> int: return self.vm.readq(BAR + register)
    def writel(self, register: int, value: int) -> None: self.vm.writel(BAR + register, value)
    def writeq(self, register: int, value: int) -> None: self.vm.writeq(BAR + register, value)

    # -- interrupts ----------------------------------------------------------------------------------------------------
    def watch_line(self) -> None:
        """What firmware does for the interrupt line; without it PCI's lines end nowhere."""
        piix, = self.vm.find_pci(*PIIX3)
        for register, line in PIRQ_ROUTES.items():
            piix.writeb(register, line)
        self.vm.watch_lines()

    def line_is_up(self) -> bool:
        """Others have lines as well: the clock raises its own."""
        return bool(self.vm.raised_lines() & set(PIRQ_ROUTES.values()))

    def enable_msi(self, address: int, data: int) -> None:
        """Messages are writes: to plain memory, where the test can see them."""
        at, = self.pci.capabilities(PCI_CAP_MSI)
        control = self.pci.readw(at + 2)
        assert control & 0x80, "the message address has 64 bits"
        self.pci.writel(at + 4, address & 0xffffffff)
        self.pci.writel(at + 8, address >> 32)
        self.pci.writew(at + 12, data)
        self.pci.writew(at + 2, control | 1)

    def acknowledge(self) -> int:
        """As an interrupt handler does; what had raised it."""
        causes = self.readl(INTERRUPT_STATUS)
        self.writel(ACKNOWLEDGE, causes)
        return causes

    # -- what it can do ------------------------------------------------------------------------------------------------
    def wait_computed(self) -> int:
        """QEMU's own has a thread for it, another one may have a timer."""
        def computed() -> bool:
            self.vm.clock_step(1_000_000)
            return not self.readl(STATUS) & COMPUTING
        patience.wait_for("the factorial", computed, 10, 0.01)
        return self.readl(FACTORIAL)

    def start_dma(self, source: int, destination: int, count: int, command: int) -> None:
        self.writeq(DMA_SOURCE, source)
        self.writeq(DMA_DESTINATION, destination)
        self.writeq(DMA_COUNT, count)
        self.writel(DMA_COMMAND, command | START)

    def wait_dma(self) -> None:
        """It takes some time, which under qtest passes only by this."""
        for _ in range(20):
            if not self.readl(DMA_COMMAND) & START:
                return
            self.vm.clock_step(10_000_000)
        raise AssertionError("the transfer does not end")

    def dma(self, source: int, destination: int, count: int, command: int = 0) -> None:
        self.start_dma(source, destination, count, command)
        self.wait_dma()
