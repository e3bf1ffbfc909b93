# SPDX-License-Identifier: GPL-2.0-or-later
"""What is on the two ends of a link: the mirror's machine, and as origin either the test or another machine."""
import mmap
import os
import pathlib
import select
import struct
import time

from tests.lab.losing import LosingFile
from tests.lab.process import RunDir
from tests.qtest import front_end as fe
from tests.qtest.front_end import FrontEnd
from tests.qtest.mirror import BUS, MEMORY, WINDOWS, MirrorMachine, wait_for

from .frozen import frozen
from .guest import Guest
from .virtio import QUEUES, VhostPciNet, VirtioFunction

VIRTIO_NET = (0x1af4, 0x1041)
MIB = 1 << 20


class Mirror(MirrorMachine, Guest):
    def __init__(self, run: RunDir, accel: str, image: pathlib.Path, options: str = "", env: dict[str, str] | None = None):
        self.path, self.image = run / "vhost-pci.sock", image
        super().__init__(run, "mirror", accel, image, [
            "-chardev", f"socket,id=srv,server=on,wait=off,connections=4,path={self.path}",
            "-vhost-pci-server", f"socket,chardev=srv{options}"], env=env)
        try:
            self.run_firmware()
        except BaseException:
            self.qemu.stop()
            raise

    def slots(self) -> set[int]:
        """Of the devices whose link is up."""
        return {peer["slot"] for peer in self.peers() if peer["link"]}

    def device(self, slot: int | None = None) -> VhostPciNet:
        if slot is None:
            slot = self.wait_peer("a device", lambda p: "slot" in p)["slot"]
        return VhostPciNet(self, self.pci(BUS, slot), MEMORY, WINDOWS)

    def eject(self, slot: int) -> None:
        """Until the device is freed. A CPU of TCG's that never rests holds QEMU's RCU up, so it rests meanwhile."""
        super().eject(slot)
        self.qmp.execute("stop")
        wait_for("the peer to be gone", lambda: not any(peer.get("slot") == slot for peer in self.peers()))
        self.qmp.execute("cont")

    def settle(self) -> None:
        """Time for an interrupt that must not come: once round the main loop, and a little for the guest."""
        self.qmp.execute("query-status")
        time.sleep(0.005)

    @property
    def kvm(self) -> bool:
        return self.accel == "kvm"


class FakeOriginLink:
    def __init__(self, mirror: Mirror, file: LosingFile | None = None):
        known = mirror.slots()
        self.mirror, self.origin = mirror, FrontEnd(mirror.path)
        rings = self.origin.start(files=[(file.fd, file.size)] if file else None)
        self.kicks, self.calls = zip(*rings)
        if not file:
            self.memory = mmap.mmap(self.origin.memory_fd, 16 * MIB)
        self.slot, = wait_for("its link", lambda: mirror.slots() - known)
        self.device = mirror.device(self.slot)
        self.device.start()
        self.device.ack()
        self.drain()

    def __enter__(self) -> "FakeOriginLink":
        return self

    def __exit__(self, *_rest: object) -> None:
        self.origin.close()

    def drain(self) -> None:
        for fd in self.calls:
            self.doorbells(fd)

    @staticmethod
    def doorbells(fd: int) -> int:
        """How often the eventfd was signalled since the last look."""
        try:
            return os.eventfd_read(fd)
        except BlockingIOError:
            return 0

    def kick(self, ring: int, times: int = 1) -> None:
        os.eventfd_write(self.kicks[ring], times)

    def wait_taken(self, ring: int) -> None:
        """Until somebody has read the ring's kick."""
        wait_for("the kick to be taken", lambda: not select.select([self.kicks[ring]], [], [], 0)[0])

    def stop(self) -> None:
        for ring in range(QUEUES):
            self.origin.send(fe.GET_VRING_BASE, struct.pack("=II", ring, 0))
            self.origin.receive()
        self.mirror.wait_link(False)

    def start_again(self) -> None:
        """With new eventfds, as a front-end does."""
        self.kicks, self.calls = zip(*(self.origin.set_ring(ring) for ring in range(QUEUES)))
        self.mirror.wait_link()
        self.drain()

    def check_kicks(self, ring: int, vector: int, count: int = 20) -> None:
        """Each kick is one interrupt of this vector and of no other, and needs QEMU under TCG only."""
        guest = self.mirror
        before = guest.all_interrupts()
        exits = guest.exits()
        for number in range(1, count + 1):
            self.kick(ring)
            guest.wait_interrupts(vector, before[vector] + number)
        if guest.kvm:
            assert guest.exits() == exits
        with frozen(guest):
            self.kick(ring)
            if guest.kvm:
                guest.wait_interrupts(vector, before[vector] + count + 1)
            else:
                time.sleep(0.02)
                assert guest.interrupts(vector) == before[vector] + count
        guest.wait_interrupts(vector, before[vector] + count + 1)
        guest.settle()
        before[vector] += count + 1
        assert guest.all_interrupts() == before and not guest.stray


class TwoMachines:
    def __init__(self, run: RunDir, mirror: Mirror):
        self.mirror = mirror
        self.origin = Guest(run, "origin", mirror.accel, mirror.image, [
            "-chardev", f"socket,id=vp-client1,path={mirror.path}", "-device",
            "virtio-net-pci,id=n0,romfile=,mac=52:54:00:00:00:01,vhost-pci-client=vp-client1,disable-legacy=on"])
        try:
            self.nic = VirtioFunction(self.origin, *self.origin.find_pci(*VIRTIO_NET), {1: MEMORY, 4: MEMORY + 0x4000})
            self.nic.start()
            mirror.wait_link()
            self.device = mirror.device()
            self.device.start()
            self.device.ack()
        except BaseException:
            self.origin.qemu.stop()
            raise

    def __enter__(self) -> "TwoMachines":
        return self

    def __exit__(self, *_rest: object) -> None:
        self.origin.qemu.stop()
