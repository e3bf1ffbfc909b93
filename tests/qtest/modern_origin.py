# SPDX-License-Identifier: GPL-2.0-or-later
"""The origin VM with a virtio 1.x driver in the test: several queue pairs, MSI-X, the control queue."""
import struct

from tests.lab.process import RunDir
from tests.lab.qtest import QTest

from .mirror import ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, wait_for

NET = (0x1af4, 0x1000)
MSIX, MODERN = 0xfe000000, 0xfe004000
RINGS, MESSAGES, COMMAND = 0x400000, 0x200000, 0x210000     # in guest memory
F_CTRL_VQ, F_MQ, F_VERSION_1 = 17, 22, 32
ALL = 1 << F_CTRL_VQ | 1 << F_MQ | 1 << F_VERSION_1
CONFIG_LINK, CONFIG_PAIRS = 6, 8
F_CSUM, F_HOST_TSO4 = 1 << 0, 1 << 11
NEEDS_RESET = 0x40
CTRL_MAC, CTRL_MAC_ADDR_SET = 1, 1
CTRL_MQ, CTRL_MQ_PAIRS_SET = 4, 0
CTRL_GUEST_OFFLOADS, CTRL_GUEST_OFFLOADS_SET = 5, 0
SIZE = 256


class ModernOrigin(QTest):
    def __init__(self, run: RunDir, path, pairs: int, name="origin", chardev="", device="", **more):
        self.pairs = pairs
        super().__init__(run, name, [
            "-chardev", f"socket,id=vp-client1,path={path}{chardev}",
            "-device", "virtio-net-pci,id=n0,romfile=,mac=52:54:00:00:00:01,vhost-pci-client=vp-client1,"
            f"mq=on,vhost-pci-queues={pairs}{device}"], **more)
        self.nic, = self.find_pci(*NET)
        self.set_up_bars()

    def set_up_bars(self) -> None:
        self.nic.set_bar(1, MSIX)
        self.nic.set_bar(4, MODERN)
        self.nic.enable()
        regions = self.nic.virtio_regions()
        self.common = MODERN + regions[1]["offset"]
        self.notify = MODERN + regions[2]["offset"]
        self.multiplier = regions[2]["multiplier"]
        self.config = MODERN + regions[4]["offset"]

    @property
    def rings(self) -> int:
        return 2 * self.pairs

    @staticmethod
    def ring_at(ring: int) -> int:
        return RINGS + ring * 0x4000

    def max_pairs(self) -> int:
        return self.readw(self.config + CONFIG_PAIRS)

    def vectors(self) -> int:
        cap, = self.nic.capabilities(0x11)
        return (self.nic.readw(cap + 2) & 0x7ff) + 1

    def reset_driver(self) -> None:
        self.writeb(self.common + 20, 0)

    def start_driver(self, features: int = ALL) -> None:
        self.reset_driver()
        self.writeb(self.common + 20, ACKNOWLEDGE | DRIVER)
        for half in range(2):
            self.writel(self.common + 8, half)
            self.writel(self.common + 12, features >> 32 * half & 0xffffffff)
        self.writeb(self.common + 20, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        assert self.readb(self.common + 20) & FEATURES_OK
        self._enable_msix()
        self.control = self.rings if features & 1 << F_MQ else 2
        for ring in range(self.control + 1):
            at = self.ring_at(ring)
            self.write(at, bytes(0x4000))
            self.writew(self.common + 22, ring)
            self.writew(self.common + 24, SIZE if ring != self.control else 64)
            self.writew(self.common + 26, ring)         # vector
            self.writeq(self.common + 32, at)
            self.writeq(self.common + 40, at + 0x2000)
            self.writeq(self.common + 48, at + 0x3000)
            self.writew(self.common + 28, 1)
        self.writeb(self.common + 20, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    def _enable_msix(self) -> None:
        for vector in range(self.vectors()):
            entry = MSIX + 16 * vector
            self.writeq(entry, MESSAGES + 4 * vector)
            self.writel(entry + 8, vector + 1)
            self.writel(entry + 12, 0)
        cap, = self.nic.capabilities(0x11)
        self.nic.writew(cap + 2, self.nic.readw(cap + 2) | 0x8000)

    def kick(self, ring: int) -> None:
        self.writew(self.common + 22, ring)
        self.writew(self.notify + self.readw(self.common + 30) * self.multiplier, ring)

    def take_interrupt(self, ring: int) -> bool:
        at = MESSAGES + 4 * ring
        if self.readl(at) != ring + 1:
            return False
        self.writel(at, 0)
        return True

    def use_pairs(self, pairs: int) -> None:
        """Sends VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET; returns the answer."""
        assert self.command_control(CTRL_MQ, CTRL_MQ_PAIRS_SET, struct.pack("<H", pairs)) == 0, f"{pairs} queue pairs were refused"

    def set_offloads(self, offloads: int) -> int:
        return self.command_control(CTRL_GUEST_OFFLOADS, CTRL_GUEST_OFFLOADS_SET, struct.pack("<Q", offloads))

    def set_mac(self, mac: bytes) -> int:
        return self.command_control(CTRL_MAC, CTRL_MAC_ADDR_SET, mac)

    def command_control(self, group: int, command: int, data: bytes) -> int:
        """Sends a control command; returns the device's answer, 0 for success."""
        at, end = self.ring_at(self.control), COMMAND + 2 + len(data)
        self.write(COMMAND, bytes([group, command]) + data + b"\xff")
        self.write(at, struct.pack("<QIHH", COMMAND, 2, 1, 1) + struct.pack("<QIHH", COMMAND + 2, len(data), 1, 2)
                   + struct.pack("<QIHH", end, 1, 2, 0))
        index = self.readw(at + 0x2002)
        self.writew(at + 0x2004 + 2 * (index % 64), 0)
        self.writew(at + 0x2002, index + 1 & 0xffff)
        self.kick(self.control)
        wait_for("the control queue", lambda: self.readw(at + 0x3002) == index + 1 & 0xffff)
        return self.readb(end)

    def client(self) -> dict:
        return self.qmp.execute("query-vhost-pci")["clients"][0]
