# SPDX-License-Identifier: GPL-2.0-or-later
"""The mirror VM: a QEMU with a vhost-pci-server, and a minimal driver for its devices that runs in the test."""

from tests.lab import patience
from tests.lab.process import RunDir
from tests.lab.qtest import PciFunction, QTest

from . import guest_abi

GIB = 1 << 30
BRIDGE_IDS = (0x1b36, 0x0001)
DEVICE_IDS = (0x1af4, 0x1040 + guest_abi.VIRTIO_ID)
BUS = 1
# Where the test, as firmware, puts the bridge's windows
MEMORY = 0xe0000000
WINDOWS = 0x10 << 32
# i440fx' ACPI hot-plug registers: which bus, and which slots to eject
PCIHP_EJECT, PCIHP_SELECT = 0xae08, 0xae10

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8
CONFIG_VECTOR = 2


def wait_for(what, condition, timeout=10):
    # Without a guest things happen at once.
    return patience.wait_for(what, condition, timeout, 0.01)


class MirrorMachine:
    """Bridge, monitor and hot-plug registers, for qtest and for real CPUs."""

    room = 160 * GIB        # of the bridge's windows

    def run_firmware(self) -> None:
        bridge, = self.find_pci(*BRIDGE_IDS)
        bridge.set_up_bridge(BUS, memory=(MEMORY, MEMORY + 0x3fffff), prefetchable=(WINDOWS, WINDOWS + self.room - 1))
        # BSEL numbers are given at the first reset; ours is the only bridge
        self.bridge = bridge

    def info(self) -> dict:
        return self.qmp.execute("query-vhost-pci")

    def peers(self) -> list[dict]:
        return self.info()["servers"][0]["peers"]

    def wait_peer(self, what, condition, timeout=10) -> dict:
        return wait_for(what, lambda: next((p for p in self.peers() if condition(p)), None), timeout)

    def wait_link(self, up=True) -> dict:
        return self.wait_peer(f"link {'up' if up else 'down'}", lambda p: p["link"] == up)

    def eject(self, slot: int) -> None:
        """Ejects a device as the guest's ACPI code does."""
        self.outl(PCIHP_SELECT, 1)
        self.outl(PCIHP_EJECT, 1 << slot)


class Mirror(MirrorMachine, QTest):
    def __init__(self, run: RunDir, name="mirror", connections=4, options="", firmware=True, room=160 * GIB, args=(),
                 unplug_delay=0, plug_rate=0, **more):
        """unplug_delay: in seconds; 0 unless a test is about it.
        plug_rate: new devices a minute per user; 0, no limit, unless a test is about it."""
        self.path = run / f"{name}.vhost-pci"
        self.room = room
        super().__init__(run, name, [
            "-chardev", f"socket,id=srv,server=on,wait=off,connections={connections},path={self.path}",
            "-vhost-pci-server", f"socket,chardev=srv,id=vps,unplug-delay={unplug_delay},plug-rate={plug_rate}{options}", *args], **more)
        if firmware:
            self.run_firmware()

    def device(self, slot: int | None = None) -> "MirrorDevice":
        """The plugged device, with BARs assigned and decoding enabled."""
        if slot is None:
            slot = self.wait_peer("a device", lambda p: "slot" in p)["slot"]
        return MirrorDevice(self, self.pci(BUS, slot))


class MirrorDevice:
    """A minimal virtio driver for one vhost-pci-net. MSI-X messages are written to RAM, where the test reads them."""

    def __init__(self, vm: Mirror, pci: PciFunction, index: int = 0):
        self.vm, self.pci = vm, pci
        assert pci.ids == DEVICE_IDS
        self.doorbells = MEMORY + index * 0x10000
        self.msix = self.doorbells + 0x1000
        self.window = WINDOWS + index * 8 * GIB
        self.modern = self.window + 4 * GIB
        for bar, address in ((0, self.doorbells), (1, self.msix), (2, self.window), (4, self.modern)):
            pci.set_bar(bar, address)
        pci.enable()
        self.regions = pci.virtio_regions()
        self.common = self.modern + self.regions[1]["offset"]
        self.notify = self.modern + self.regions[2]["offset"]
        self.config_at = self.modern + self.regions[4]["offset"]
        self.messages = 0x800000 + index * 0x100000     # vector i stores i + 1 at messages + 4 * i
        self.queues = self.messages + 0x1000

    # -- virtio -------------------------------------------------------------------------------------------------------
    @property
    def status(self) -> int:
        return self.vm.readb(self.common + 20)

    @status.setter
    def status(self, value: int) -> None:
        self.vm.writeb(self.common + 20, value)

    def reset(self) -> None:
        self.status = 0

    def start(self, msix: bool = True, queues: bool = True) -> None:
        """Without msix, like a driver that only supports INTx; without queues, like one that polls the rings."""
        vm, common = self.vm, self.common
        self.reset()
        self.status = ACKNOWLEDGE | DRIVER
        vm.writel(common + 8, 1)
        vm.writel(common + 12, 1)       # VIRTIO_F_VERSION_1
        self.status = ACKNOWLEDGE | DRIVER | FEATURES_OK
        assert self.status & FEATURES_OK
        if msix:
            self._enable_msix(self.ring_count + 1)
            vm.writew(common + 16, CONFIG_VECTOR)
        for queue in range(self.ring_count if queues else 0):
            vm.writew(common + 22, queue)
            if msix:
                vm.writew(common + 26, self.vector_of(queue))
            desc = self.queues + queue * 0x1000
            vm.writeq(common + 32, desc)
            vm.writeq(common + 40, desc + 0x400)
            vm.writeq(common + 48, desc + 0x800)
            vm.write(desc, bytes(0xc00))
            vm.writew(common + 28, 1)
        self.status = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK

    @property
    def ring_count(self) -> int:
        return self.head().ring_count

    @staticmethod
    def vector_of(ring: int) -> int:
        """Ring i has vector i, skipping the configuration's vector."""
        return ring if ring < CONFIG_VECTOR else ring + 1

    def _enable_msix(self, vectors: int) -> None:
        cap, = self.pci.capabilities(0x11)
        for vector in range(vectors):
            entry = self.msix + 16 * vector
            self.vm.writel(entry, self.messages + 4 * vector)
            self.vm.writel(entry + 4, 0)
            self.vm.writel(entry + 8, vector + 1)
            self.vm.writel(entry + 12, 0)
        self.pci.writew(cap + 2, self.pci.readw(cap + 2) | 0x8000)

    def post_token(self, queue: int) -> None:
        """Posts the one buffer that a driver leaves in each queue."""
        vm, desc = self.vm, self.queues + queue * 0x1000
        vm.write(desc, (desc + 0xa00).to_bytes(8, "little") + (1).to_bytes(4, "little") + b"\x02\x00\x00\x00")
        vm.writew(desc + 0x404, 0)
        vm.writew(desc + 0x402, 1)
        vm.writew(self.common + 22, queue)
        multiplier = self.regions[2]["multiplier"]
        vm.writew(self.notify + vm.readw(self.common + 30) * multiplier, queue)

    def used_index(self, queue: int) -> int:
        return self.vm.readw(self.queues + queue * 0x1000 + 0x802)

    def take_message(self, vector: int) -> bool:
        """Whether the vector was raised since the last call."""
        at = self.messages + 4 * vector
        if self.vm.readl(at) != vector + 1:
            return False
        self.vm.writel(at, 0)
        return True

    def take_kick(self, ring: int) -> bool:
        """Whether the ring's kick interrupt came since the last call."""
        return self.take_message(self.vector_of(ring))

    def take_interrupt(self) -> int:
        """Reads the ISR, which clears it and lowers INTx: 1 for queues, 2 for the configuration."""
        return self.vm.readb(self.modern + self.regions[3]["offset"])

    # -- vhost-pci-net ------------------------------------------------------------------------------------------------
    def head(self) -> guest_abi.Head:
        return guest_abi.parse_head(self.vm.read(self.config_at, guest_abi.HEAD_SIZE))

    def config(self) -> guest_abi.Config:
        return guest_abi.parse(self.vm.read(self.config_at, self.head().size))

    def ack(self, epoch: int) -> None:
        self.vm.writel(self.config_at + guest_abi.ACK_OFFSET, epoch)

    def accept(self, features: int) -> None:
        """Writes the lower half first, as Linux does."""
        for half in range(2):
            self.vm.writel(self.config_at + guest_abi.ACCEPT_OFFSET + 4 * half, features >> 32 * half & 0xffffffff)

    def write_driver(self, flags: int) -> None:
        self.vm.writel(self.config_at + guest_abi.DRIVER_OFFSET, flags)

    def ring_doorbell(self, ring: int) -> None:
        self.vm.writel(self.doorbells + ring * guest_abi.DOORBELL_STRIDE, 1)
