# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU without a guest: the test accesses ports, memory and PCI through the qtest protocol, as a CPU would."""
import pathlib
import socket

from . import paths
from .patience import TIMES, Deadline
from .process import Qemu, QemuDied, RunDir
from .qmp import Qmp

PCI_COMMAND, PCI_STATUS, PCI_CAPABILITIES = 0x04, 0x06, 0x34
PCI_CAP_VENDOR, PCI_CAP_MSIX = 0x09, 0x11


class PciHost:
    """Anything that provides inb() to outl()."""

    def pci(self, bus: int, slot: int, function: int = 0) -> "PciFunction":
        return PciFunction(self, bus, slot, function)

    def find_pci(self, vendor: int, device: int | None = None, bus: int = 0) -> list["PciFunction"]:
        found = []
        for slot in range(32):
            function = self.pci(bus, slot)
            ids = function.readl(0)
            if ids & 0xffff == vendor and (device is None or ids >> 16 == device):
                found.append(function)
        return found


class QTest(PciHost):
    """One QEMU with -accel qtest. Use as a context manager; .qmp and .hmp() are its monitor."""

    def __init__(self, run: RunDir, name: str, args: list[str], machine: str = "pc", memory: str = "64M",
                 shared: bool = True, qemu: pathlib.Path = paths.QEMU, timeout: float = 20,
                 env: dict[str, str] | None = None):
        self.name = name
        self._buffer = b""
        self._lines: dict[int, bool] = {}
        listeners = {kind: self._listen(run / f"{name}.{kind}") for kind in ("qtest", "qmp")}
        argv = [str(qemu), "-nodefaults", "-display", "none", "-machine", machine, "-accel", "qtest", "-m", memory,
                "-qtest", f"unix:{run / f'{name}.qtest'}", "-qtest-log", "/dev/null",
                "-chardev", f"socket,id=qmp0,path={run / f'{name}.qmp'}", "-mon", "chardev=qmp0,mode=control"]
        if shared:
            argv += ["-object", f"memory-backend-memfd,id=mem,size={memory.split(',')[0]},share=on", "-machine", "memory-backend=mem"]
        self.qemu = Qemu(name, argv + args, run, env)
        try:
            self._qtest = self._accept(listeners["qtest"], timeout)
            self.qmp = Qmp(self._accept(listeners["qmp"], timeout), timeout)
        except BaseException:
            self.qemu.stop()
            raise
        finally:
            for listener in listeners.values():
                listener.close()

    @staticmethod
    def _listen(path: pathlib.Path) -> socket.socket:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(1)
        return listener

    def _accept(self, listener: socket.socket, timeout: float) -> socket.socket:
        end = Deadline(timeout)
        listener.settimeout(0.05)
        while True:
            try:
                connection = listener.accept()[0]
                connection.settimeout(timeout * TIMES)
                return connection
            except TimeoutError:
                self.qemu.check()
                if end.over:
                    raise TimeoutError(f"{self.name}: QEMU did not connect to its test sockets") from None

    def __enter__(self) -> "QTest":
        return self

    def __exit__(self, *_rest: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.qemu.stop()

    def kill(self) -> None:
        self.qemu.kill()

    def hmp(self, line: str) -> str:
        return self.qmp.hmp(line)

    # -- the protocol -------------------------------------------------------------------------------------------------
    def command(self, *words: object) -> list[str]:
        self._qtest.sendall((" ".join(str(word) for word in words) + "\n").encode())
        while True:
            while b"\n" not in self._buffer:
                data = self._qtest.recv(65536)
                if not data:
                    raise QemuDied(f"{self.name}: {self.qemu.output()[-2000:]}")
                self._buffer += data
            line, self._buffer = self._buffer.split(b"\n", 1)
            answer = line.decode().split()
            if answer[:1] == ["IRQ"]:
                self._lines[int(answer[2])] = answer[1] == "raise"
                continue
            if answer[:1] != ["OK"]:
                raise RuntimeError(f"{self.name}: {words} was answered by {answer}")
            return answer[1:]

    def _get(self, operation: str, address: int) -> int:
        return int(self.command(operation, hex(address))[0], 16)

    def inb(self, port: int) -> int: return self._get("inb", port)
    def inw(self, port: int) -> int: return self._get("inw", port)
    def inl(self, port: int) -> int: return self._get("inl", port)
    def outb(self, port: int, value: int) -> None: self.command("outb", hex(port), hex(value))
    def outw(self, port: int, value: int) -> None: self.command("outw", hex(port), hex(value))
    def outl(self, port: int, value: int) -> None: self.command("outl", hex(port), hex(value))
    def readb(self, address: int) -> int: return self._get("readb", address)
    def readw(self, address: int) -> int: return self._get("readw", address)
    def readl(self, address: int) -> int: return self._get("readl", address)
    def readq(self, address: int) -> int: return self._get("readq", address)
    def writeb(self, address: int, value: int) -> None: self.command("writeb", hex(address), hex(value))
    def writew(self, address: int, value: int) -> None: self.command("writew", hex(address), hex(value))
    def writel(self, address: int, value: int) -> None: self.command("writel", hex(address), hex(value))
    def writeq(self, address: int, value: int) -> None: self.command("writeq", hex(address), hex(value))

    def read(self, address: int, size: int) -> bytes:
        return bytes.fromhex(self.command("read", hex(address), hex(size))[0][2:])

    def write(self, address: int, data: bytes) -> None:
        self.command("write", hex(address), hex(len(data)), "0x" + data.hex())

    def watch_lines(self) -> None:
        """Starts tracking the I/O APIC's input lines."""
        self.command("irq_intercept_in", "ioapic")

    def raised_lines(self) -> set[int]:
        self.inb(0x80)      # its answer comes after all that was noted before
        return {line for line, up in self._lines.items() if up}

    def clock_step(self, nanoseconds: int | None = None) -> int:
        """Advances the virtual clock, which stands still otherwise; to the next timer by default."""
        return int(self.command("clock_step", *([] if nanoseconds is None else [nanoseconds]))[0])


class PciFunction:
    """Configuration space by ports 0xcf8/0xcfc, which i440fx and q35 both have."""

    def __init__(self, vm: QTest, bus: int, slot: int, function: int = 0):
        self.vm, self.bus, self.slot, self.function = vm, bus, slot, function

    def __repr__(self) -> str:
        return f"{self.bus:02x}:{self.slot:02x}.{self.function}"

    def _select(self, register: int) -> int:
        self.vm.outl(0xcf8, 1 << 31 | self.bus << 16 | self.slot << 11 | self.function << 8 | register & 0xfc)
        return 0xcfc + (register & 3)

    def readb(self, register: int) -> int: return self.vm.inb(self._select(register))
    def readw(self, register: int) -> int: return self.vm.inw(self._select(register))
    def readl(self, register: int) -> int: return self.vm.inl(self._select(register))
    def writeb(self, register: int, value: int) -> None: self.vm.outb(self._select(register), value)
    def writew(self, register: int, value: int) -> None: self.vm.outw(self._select(register), value)
    def writel(self, register: int, value: int) -> None: self.vm.outl(self._select(register), value)

    @property
    def interrupt_status(self) -> bool:
        """PCI status: an INTx interrupt is pending, even if masked."""
        return bool(self.readw(PCI_STATUS) & 8)

    @property
    def present(self) -> bool:
        return self.readl(0) != 0xffffffff

    @property
    def ids(self) -> tuple[int, int]:
        value = self.readl(0)
        return value & 0xffff, value >> 16

    def bar_size(self, index: int) -> int:
        """Size by the write-ones probe; 0 for an absent BAR. Leaves the BAR unassigned."""
        register = 0x10 + 4 * index
        command = self.readw(PCI_COMMAND)
        self.writew(PCI_COMMAND, command & ~3)
        self.writel(register, 0xffffffff)
        low = self.readl(register)
        is_io, is_64 = bool(low & 1), not low & 1 and (low >> 1) & 3 == 2
        mask = low & (~3 if is_io else ~15)
        width = 32
        if is_64:
            self.writel(register + 4, 0xffffffff)
            mask |= self.readl(register + 4) << 32
            self.writel(register + 4, 0)
            width = 64
        self.writel(register, 0)
        self.writew(PCI_COMMAND, command)
        return 0 if not mask & (1 << width) - 1 else -mask & (1 << width) - 1

    def set_bar(self, index: int, address: int) -> None:
        register = 0x10 + 4 * index
        low = self.readl(register)
        self.writel(register, address & 0xffffffff)
        if not low & 1 and (low >> 1) & 3 == 2:
            self.writel(register + 4, address >> 32)

    def enable(self, io: bool = True, memory: bool = True, master: bool = True) -> None:
        self.writew(PCI_COMMAND, self.readw(PCI_COMMAND) | int(io) | memory << 1 | master << 2)

    def set_up_bridge(self, secondary: int, memory: tuple[int, int] | None = None,
                      prefetchable: tuple[int, int] | None = None) -> None:
        """Sets bus numbers and windows, each (first, last), so that devices behind the bridge respond."""
        self.writel(0x18, self.bus | secondary << 8 | secondary << 16)
        first, last = memory or (0xfff00000, 0)
        self.writel(0x20, first >> 16 & 0xfff0 | last & 0xfff00000)
        first, last = prefetchable or (0xfff00000, 0)
        self.writel(0x24, first >> 16 & 0xfff0 | last & 0xfff00000)
        self.writel(0x28, first >> 32 if prefetchable else 0)
        self.writel(0x2c, last >> 32 if prefetchable else 0)
        self.enable()

    def capabilities(self, kind: int | None = None) -> list[int]:
        """Offsets of the capabilities, all or of one kind, in list order."""
        found: list[int] = []
        position = self.readb(PCI_CAPABILITIES) & 0xfc
        for _ in range(48):
            if not position:
                break
            if kind is None or self.readb(position) == kind:
                found.append(position)
            position = self.readb(position + 1) & 0xfc
        return found

    def virtio_regions(self) -> dict[int, dict[str, int]]:
        """Virtio's vendor capabilities by cfg_type (1 common, 2 notify, 3 isr, 4 device, 8 shared memory)."""
        regions = {}
        for at in self.capabilities(PCI_CAP_VENDOR):
            length, kind = self.readb(at + 2), self.readb(at + 3)
            region = {"bar": self.readb(at + 4), "id": self.readb(at + 5), "offset": self.readl(at + 8),
                      "length": self.readl(at + 12)}
            if kind == 2 and length >= 20:
                region["multiplier"] = self.readl(at + 16)
            if kind == 8 and length >= 24:
                region["offset"] |= self.readl(at + 16) << 32
                region["length"] |= self.readl(at + 20) << 32
            regions[kind] = region
        return regions
