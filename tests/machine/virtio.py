# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver of one modern virtio-pci function, whose interrupts go to the guest's local APIC."""
import struct

from tests.lab.qtest import PCI_CAP_MSIX, PciFunction
from tests.qtest import guest_abi

from .guest import FIRST_VECTOR, LAPIC, Guest

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8
QUEUES = 2
VECTORS = 3                     # one for each queue, one for the configuration
CONFIG_VECTOR = 2
NO_VECTOR = 0xffff
MSIX_ENABLE, MSIX_MASK_ALL = 0x8000, 0x4000


class VirtioFunction:
    def __init__(self, guest: Guest, pci: PciFunction, bars: dict[int, int], memory: int = 0x500000):
        self.guest, self.pci, self.bars, self.memory = guest, pci, bars, memory
        for bar, address in bars.items():
            pci.set_bar(bar, address)
        pci.enable()
        regions = pci.virtio_regions()
        self.common, self.notify, self.isr_at, self.config_at = (
            bars[regions[kind]["bar"]] + regions[kind]["offset"] for kind in (1, 2, 3, 4))
        self.multiplier = regions[2]["multiplier"]
        self.msix, = pci.capabilities(PCI_CAP_MSIX)
        table, pending = pci.readl(self.msix + 4), pci.readl(self.msix + 8)
        self.table, self.pending_at = (bars[at & 7] + (at & ~7) for at in (table, pending))

    # -- virtio -------------------------------------------------------------------------------------------------------
    @property
    def status(self) -> int:
        return self.guest.readb(self.common + 20)

    @status.setter
    def status(self, value: int) -> None:
        self.guest.writeb(self.common + 20, value)

    def reset(self) -> None:
        self.status = 0

    def start(self, msix: bool = True) -> None:
        guest, common = self.guest, self.common
        self.reset()
        self.status = ACKNOWLEDGE | DRIVER
        for half, features in ((0, 0), (1, 1)):         # VIRTIO_F_VERSION_1
            guest.writel(common + 8, half)
            guest.writel(common + 12, features)
        self.status = ACKNOWLEDGE | DRIVER | FEATURES_OK
        assert self.status & FEATURES_OK
        for vector in range(VECTORS):
            self.set_message(vector, FIRST_VECTOR + vector)
        if msix:
            self.set_msix(MSIX_ENABLE)
        guest.writew(common + 16, CONFIG_VECTOR)
        self.notify_at = []
        for queue in range(QUEUES):
            self.set_vector(queue, queue)
            for part in range(3):
                guest.writel(common + 32 + 8 * part, self.memory + 0x10000 * queue + 0x4000 * part)
                guest.writel(common + 36 + 8 * part, 0)
            self.notify_at.append(self.notify + guest.readw(common + 30) * self.multiplier)
            guest.writew(common + 28, 1)
        self.status = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK

    def set_vector(self, queue: int, vector: int) -> None:
        self.guest.writew(self.common + 22, queue)
        self.guest.writew(self.common + 26, vector)
        assert self.guest.readw(self.common + 26) == vector

    def take_isr(self) -> int:
        return self.guest.readb(self.isr_at)

    # -- MSI-X --------------------------------------------------------------------------------------------------------
    def set_message(self, vector: int, interrupt: int) -> None:
        for word, value in enumerate((LAPIC, 0, interrupt, 0)):
            self.guest.writel(self.table + 16 * vector + 4 * word, value)

    def mask(self, vector: int, masked: bool = True) -> None:
        self.guest.writel(self.table + 16 * vector + 12, int(masked))

    def set_msix(self, bits: int) -> None:
        self.pci.writew(self.msix + 2, self.pci.readw(self.msix + 2) & 0x3fff | bits)

    def pending(self, vector: int) -> bool:
        return bool(self.guest.readl(self.pending_at) >> vector & 1)


class VhostPciNet(VirtioFunction):
    """With its window above 4 GiB, where only far_read() and far_write() reach it."""

    def __init__(self, guest: Guest, pci: PciFunction, low: int, window: int):
        self.doorbells, self.window = low, window
        super().__init__(guest, pci, {0: low, 1: low + 0x1000, 2: window, 4: low + 0x4000})
        guest.set_far(window)

    def config(self) -> guest_abi.Config:
        head = guest_abi.parse_head(self.guest.read(self.config_at, guest_abi.HEAD_SIZE))
        return guest_abi.parse(self.guest.read(self.config_at, head.size))

    def ack(self) -> None:
        self.guest.writel(self.config_at + guest_abi.ACK_OFFSET, self.config().epoch)

    def doorbell(self, ring: int) -> int:
        return self.doorbells + ring * guest_abi.DOORBELL_STRIDE
