# SPDX-License-Identifier: GPL-2.0-or-later
"""The origin VM: a QEMU with virtio-net and vhost-pci-client=, and a legacy driver for it in the test."""
from tests.lab.process import RunDir
from tests.lab.qtest import QTest

LEGACY_NET = (0x1af4, 0x1000)
IO = 0xc000
RX, TX = 0, 1
QUEUE_PAGE = {RX: 0x100, TX: 0x110}
HOST_FEATURES, GUEST_FEATURES, QUEUE_PFN, QUEUE_SELECT, QUEUE_NOTIFY, STATUS, ISR = 0, 4, 8, 14, 16, 18, 19
CONFIG = 20
DRIVER_OK = 7


class Origin(QTest):
    def __init__(self, run: RunDir, path, name="origin", chardev="", device="", args=(), **more):
        super().__init__(run, name, [
            *args, "-chardev", f"socket,id=vp-client1,path={path}{chardev}",
            "-device", f"virtio-net-pci,id=n0,romfile=,mac=52:54:00:00:00:01,vhost-pci-client=vp-client1{device}"],
            **more)
        self.set_up_nic()

    def set_up_nic(self) -> None:
        """Sets up the NIC as firmware does at each start."""
        nic, = self.find_pci(*LEGACY_NET)
        nic.set_bar(0, IO)
        nic.enable()

    def start_driver(self, features: int = 0) -> None:
        self.outb(IO + STATUS, 3)
        self.outl(IO + GUEST_FEATURES, features)
        for queue, page in QUEUE_PAGE.items():
            self.outw(IO + QUEUE_SELECT, queue)
            self.outl(IO + QUEUE_PFN, page)
        self.outb(IO + STATUS, DRIVER_OK)

    def reset_driver(self) -> None:
        self.outb(IO + STATUS, 0)

    def kick(self, queue: int) -> None:
        self.outw(IO + QUEUE_NOTIFY, queue)

    def take_interrupt(self) -> bool:
        """Reading the ISR clears it."""
        return bool(self.inb(IO + ISR) & 1)

    def take_interrupt_register(self) -> int:
        """The whole ISR: 1 for queues, 2 for the configuration."""
        return self.inb(IO + ISR)

    def driver_sees_link(self) -> bool:
        """VIRTIO_NET_S_LINK_UP of the device configuration, behind the legacy header without MSI-X."""
        return bool(self.inw(IO + CONFIG + 6) & 1)

    def client(self) -> dict:
        return self.qmp.execute("query-vhost-pci")["clients"][0]
