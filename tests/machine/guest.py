# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU with a real CPU, TCG's or KVM's, that runs agent.s: the test reaches the machine through the guest."""
import mmap
import os
import pathlib
import struct
import subprocess
import time

from tests.lab import paths
from tests.lab.patience import Deadline
from tests.lab.process import Qemu, RunDir
from tests.lab.qmp import Qmp
from tests.lab.qtest import PciHost

SOURCE = pathlib.Path(__file__).with_name("agent.s")
MEMORY = 64 << 20
OPERATIONS = ("read8", "read16", "read32", "write8", "write16", "write32", "in8", "in16", "in32", "out8", "out16", "out32",
              "repeat32", "halt", "far_read32", "far_write32", "repeat_read32")
# The mailbox's words; agent.s has the same
MAILBOX, PML4 = 0x10000, 0x12000
REQUEST, DONE, OP, ADDRESS, VALUE, COUNT, READY, FAULT, STRAY, HALTED, COUNTS = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16
IS_READY = 0x600d
FAR = 2 << 30                   # where the guest sees what set_far() chose
FIRST_VECTOR = 0x40
LAPIC = 0xfee00000


def assemble(directory: pathlib.Path) -> pathlib.Path:
    image, relocatable = directory / "agent.bin", directory / "agent.o"
    subprocess.run(["as", "--32", "-o", relocatable, SOURCE], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0xf0000", "--oformat", "binary", "-o", image, relocatable], check=True)
    return image


class Guest(PciHost):
    def __init__(self, run: RunDir, name: str, accel: str, image: pathlib.Path, args=(), ready_timeout: float = 10,
                 env: dict[str, str] | None = None):
        self.name, self.accel = name, accel
        argv = [str(paths.QEMU), "-name", name, "-nodefaults", "-display", "none", "-machine", "pc,memory-backend=mem",
                "-accel", "kvm" if accel == "kvm" else "tcg,thread=multi", "-cpu", "qemu64",
                "-m", f"{MEMORY}B", "-object", f"memory-backend-memfd,id=mem,size={MEMORY}B,share=on", "-bios", str(image),
                "-qmp", f"unix:{run / f'{name}.qmp'},server=on,wait=off", "-trace", "vhost_pci_irqfd", "-trace", "kvm_vm_ioctl",
                "-trace", "kvm_run_exit", "-trace", "kvm_set_user_memory", "-trace", "kvm_irqchip_add_msi_route",
                "-trace", "kvm_irqchip_release_virq", *args]
        self.qemu = Qemu(name, argv, run, env)
        try:
            self.qmp = Qmp.connect(run / f"{name}.qmp", self.qemu.check)
            self.memory = self._map()
            self._words = memoryview(self.memory).cast("I")[MAILBOX // 4:MAILBOX // 4 + 32]
            self._wait("the agent", lambda: self._words[READY] == IS_READY, ready_timeout)
        except BaseException:
            self.qemu.stop()
            raise

    def __enter__(self) -> "Guest":
        return self

    def __exit__(self, *_rest: object) -> None:
        self.qemu.stop()

    def _map(self) -> mmap.mmap:
        for entry in pathlib.Path(f"/proc/{self.qemu.pid}/fd").iterdir():
            if "memory-backend-memfd" in os.readlink(entry):
                fd = os.open(entry, os.O_RDWR)
                try:
                    return mmap.mmap(fd, MEMORY)
                finally:
                    os.close(fd)
        raise RuntimeError(f"{self.name}: QEMU has no memory-backend-memfd open")

    def _wait(self, what: str, condition, timeout: float) -> None:
        end = Deadline(timeout)
        while not condition():
            self.qemu.check()
            if self._words[FAULT]:
                raise RuntimeError(f"{self.name}: the agent took exception {self._words[FAULT] - 0x100}")
            if end.over:
                raise TimeoutError(f"{self.name}: waited {timeout} s for {what}; {self.qemu.output()[-500:]}")
            time.sleep(0.0001)

    # -- the mailbox --------------------------------------------------------------------------------------------------
    def post(self, operation: str, address: int = 0, value: int = 0, count: int = 1) -> None:
        words = self._words
        words[OP], words[ADDRESS], words[VALUE], words[COUNT] = OPERATIONS.index(operation), address, value, count
        words[REQUEST] = (words[REQUEST] + 1) & 0xffffffff

    @property
    def done(self) -> bool:
        return self._words[DONE] == self._words[REQUEST]

    def wait_done(self, timeout: float = 10) -> int:
        self._wait("an answer", lambda: self.done, timeout)
        return self._words[VALUE]

    def do(self, operation: str, address: int = 0, value: int = 0, count: int = 1) -> int:
        self.post(operation, address, value, count)
        return self.wait_done()

    def halt(self) -> None:
        """Returns when the CPU is as good as halted; wait_done() waits for the interrupt that wakes it."""
        self.post("halt")
        self._wait("the halt", lambda: self._words[HALTED], 10)

    def restart(self) -> None:
        """Resets the machine. Its memory stays, and so do the counters."""
        self._words[READY] = 0
        self.qmp.execute("system_reset")
        self._wait("the agent", lambda: self._words[READY] == IS_READY, 10)

    def inb(self, port: int) -> int: return self.do("in8", port)
    def inw(self, port: int) -> int: return self.do("in16", port)
    def inl(self, port: int) -> int: return self.do("in32", port)
    def outb(self, port: int, value: int) -> None: self.do("out8", port, value)
    def outw(self, port: int, value: int) -> None: self.do("out16", port, value)
    def outl(self, port: int, value: int) -> None: self.do("out32", port, value)
    def readb(self, address: int) -> int: return self.do("read8", address)
    def readw(self, address: int) -> int: return self.do("read16", address)
    def readl(self, address: int) -> int: return self.do("read32", address)
    def writeb(self, address: int, value: int) -> None: self.do("write8", address, value)
    def writew(self, address: int, value: int) -> None: self.do("write16", address, value)
    def writel(self, address: int, value: int) -> None: self.do("write32", address, value)

    def read(self, address: int, size: int) -> bytes:
        return b"".join(struct.pack("<I", self.readl(at)) for at in range(address, address + size, 4))

    def set_far(self, base: int) -> None:
        """Lets far_read() and far_write() reach the gigabyte at base."""
        present, large = 3, 0x83        # writable too
        pdpt, low, far = PML4 + 0x1000, PML4 + 0x2000, PML4 + 0x3000
        struct.pack_into("<Q", self.memory, PML4, pdpt | present)
        struct.pack_into("<Q", self.memory, pdpt, low | present)
        struct.pack_into("<Q", self.memory, pdpt + 8 * (FAR >> 30), far | present)
        struct.pack_into("<Q", self.memory, low, large)
        for i in range(512):
            struct.pack_into("<Q", self.memory, far + 8 * i, base + (i << 21) | large)

    def far_read(self, offset: int) -> int:
        return self.do("far_read32", FAR + offset)

    def far_write(self, offset: int, value: int) -> None:
        self.do("far_write32", FAR + offset, value)

    # -- what happened ------------------------------------------------------------------------------------------------
    def interrupts(self, vector: int) -> int:
        return self._words[COUNTS + vector]

    def all_interrupts(self) -> list[int]:
        return list(self._words[COUNTS:COUNTS + 16])

    @property
    def stray(self) -> int:
        """Interrupts of vectors that the test did not hand out."""
        return self._words[STRAY]

    def wait_interrupts(self, vector: int, count: int, timeout: float = 10) -> None:
        self._wait(f"{count} interrupts of vector {vector}, not {self.interrupts(vector)}",
                   lambda: self.interrupts(vector) >= count, timeout)

    def traced(self, event: str) -> int:
        return self.qemu.output().count(event + " ")

    def exits(self) -> int:
        """To QEMU, under KVM; every one of TCG's accesses is QEMU's."""
        return self.traced("kvm_run_exit")
