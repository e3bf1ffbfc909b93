# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's own edu device and the one in C# (managed/Examples.Edu), by the same driver."""
import math

import pytest

from tests.lab import paths
from tests.lab.qtest import QTest

from . import edu as regs
from .edu import BAR, BUFFER, BUFFER_SIZE, Edu

DEVICES = {"qemu": "edu", "csharp": f"dotnet-pci,library={paths.BUILD / 'libedu.so'}"}
MEMORY = 0x100000
MESSAGE, DATA = 0x200000, 0x4242


@pytest.fixture(params=DEVICES)
def edu(run, request):
    with QTest(run, request.param, ["-device", DEVICES[request.param]]) as vm:
        yield Edu(vm)


@pytest.fixture(params=["line", "msi"])
def interrupt(request, edu):
    """Whether an interrupt has come since the last call, however it comes; the cause is still to be acknowledged."""
    if request.param == "line":
        edu.watch_line()
        return edu.line_is_up
    edu.enable_msi(MESSAGE, DATA)

    def message_came() -> bool:
        came = edu.vm.readl(MESSAGE)
        assert came in (0, DATA)
        edu.vm.writel(MESSAGE, 0)
        return came == DATA
    return message_came


def test_what_a_driver_finds(edu):
    pci = edu.pci
    assert pci.ids == regs.IDS
    assert pci.readl(0x08) == 0x00ff0010        # a device of no class, revision 16
    assert pci.readb(0x3d) == 1                 # INTA
    assert len(pci.capabilities(regs.PCI_CAP_MSI)) == 1
    assert [pci.bar_size(bar) for bar in range(6)] == [1 << 20, 0, 0, 0, 0, 0]


def test_identification(edu):
    assert edu.readl(regs.IDENTIFICATION) == 0x010000ed
    edu.writel(regs.IDENTIFICATION, 0)
    assert edu.readl(regs.IDENTIFICATION) == 0x010000ed


@pytest.mark.parametrize("value", [0, 1, 0x12345678, 0xffffffff])
def test_liveness(edu, value):
    edu.writel(regs.LIVENESS, value)
    assert edu.readl(regs.LIVENESS) == ~value & 0xffffffff


@pytest.mark.parametrize("number", [0, 1, 2, 5, 12, 13, 20, 33, 34, 100_000])
def test_factorial(edu, number):
    edu.writel(regs.FACTORIAL, number)
    # Modulo 2^32; from 34 on nothing is left of it
    assert edu.wait_computed() == (math.factorial(number) & 0xffffffff if number < 100 else 0)
    assert not edu.readl(regs.INTERRUPT_STATUS)


def test_factorial_with_interrupt(edu, interrupt):
    edu.writel(regs.STATUS, regs.INTERRUPT_WHEN_COMPUTED)
    assert edu.readl(regs.STATUS) == regs.INTERRUPT_WHEN_COMPUTED
    edu.writel(regs.FACTORIAL, 6)
    assert edu.wait_computed() == 720
    regs.patience.wait_for("its interrupt", lambda: edu.readl(regs.INTERRUPT_STATUS) == regs.FACTORIAL_CAUSE, 10, 0.01)
    assert interrupt()
    assert edu.acknowledge() == regs.FACTORIAL_CAUSE
    assert not interrupt()
    edu.writel(regs.STATUS, 0)
    edu.writel(regs.FACTORIAL, 4)
    assert edu.wait_computed() == 24
    assert not interrupt() and not edu.readl(regs.INTERRUPT_STATUS)


def test_status_has_one_bit_to_write(edu):
    edu.writel(regs.STATUS, 0xffffffff)
    assert edu.readl(regs.STATUS) == regs.INTERRUPT_WHEN_COMPUTED
    edu.writel(regs.STATUS, ~regs.INTERRUPT_WHEN_COMPUTED & 0xffffffff)
    assert edu.readl(regs.STATUS) == 0


def test_interrupts(edu, interrupt):
    assert not interrupt()
    edu.writel(regs.RAISE, 0x10001)
    assert edu.readl(regs.INTERRUPT_STATUS) == 0x10001
    assert interrupt()
    edu.writel(regs.RAISE, 0x80000000)
    assert edu.readl(regs.INTERRUPT_STATUS) == 0x80010001
    assert interrupt()
    edu.writel(regs.ACKNOWLEDGE, 0x80000001)
    assert edu.readl(regs.INTERRUPT_STATUS) == 0x10000
    edu.writel(regs.ACKNOWLEDGE, 0xffffffff)
    assert edu.readl(regs.INTERRUPT_STATUS) == 0
    assert not interrupt()
    edu.writel(regs.RAISE, 0)
    assert not interrupt()


def test_line_stays_until_all_is_acknowledged(edu):
    edu.watch_line()
    edu.writel(regs.RAISE, 3)
    for left, up in ((2, True), (0, False)):
        edu.writel(regs.ACKNOWLEDGE, 3 & ~left)
        assert edu.readl(regs.INTERRUPT_STATUS) == left
        assert edu.pci.interrupt_status == up == edu.line_is_up()


def test_messages_leave_the_line_alone(edu):
    edu.watch_line()
    edu.enable_msi(MESSAGE, DATA)
    edu.writel(regs.RAISE, 1)
    assert not edu.line_is_up() and not edu.pci.interrupt_status
    assert edu.vm.readl(MESSAGE) == DATA


def test_dma_there_and_back(edu, interrupt):
    data = bytes(range(1, 101))
    edu.vm.write(MEMORY, data + bytes(200))
    edu.start_dma(MEMORY, BUFFER, 100, 0)
    assert edu.readl(regs.DMA_COMMAND) & regs.START
    edu.wait_dma()
    assert not interrupt()
    edu.dma(BUFFER, MEMORY + 100, 100, regs.TO_RAM | regs.INTERRUPT_WHEN_DONE)
    assert edu.vm.read(MEMORY, 300) == data * 2 + bytes(100)
    assert interrupt()
    assert edu.acknowledge() == regs.DMA_CAUSE
    edu.dma(BUFFER + 10, MEMORY + 200, 20, regs.TO_RAM)
    assert edu.vm.read(MEMORY + 200, 100) == data[10:30] + bytes(80)
    assert not interrupt()


def test_dma_registers(edu):
    values = {regs.DMA_SOURCE: 0x123456789abcdef0, regs.DMA_DESTINATION: 0x0fedcba987654321, regs.DMA_COUNT: 0x100000001}
    for register, value in values.items():
        edu.writeq(register, value)
    for register, value in values.items():
        assert edu.readq(register) == value
        assert edu.readl(register) == value & 0xffffffff
        edu.writel(register, 0x55)      # the whole register, also by half of its bytes
        assert edu.readq(register) == 0x55
    edu.writel(regs.DMA_COMMAND, regs.TO_RAM | regs.INTERRUPT_WHEN_DONE)
    assert edu.readl(regs.DMA_COMMAND) == 0         # nothing without the start


def test_dma_registers_are_kept_during_a_transfer(edu):
    edu.start_dma(MEMORY, BUFFER, 16, 0)
    for register in (regs.DMA_SOURCE, regs.DMA_DESTINATION, regs.DMA_COUNT, regs.DMA_COMMAND):
        before = edu.readq(register)
        edu.writeq(register, 0xfff)
        assert edu.readq(register) == before
    edu.wait_dma()
    assert edu.readl(regs.DMA_COMMAND) == 0


def test_dma_has_28_address_bits(edu):
    edu.vm.write(MEMORY, b"low memory")
    edu.dma(MEMORY | 1 << 28 | 1 << 40, BUFFER, 10)
    edu.dma(BUFFER, MEMORY + 0x1000 | 1 << 30, 10, regs.TO_RAM)
    assert edu.vm.read(MEMORY + 0x1000, 10) == b"low memory"


def test_dma_to_no_memory_or_without_bus_master(edu):
    edu.vm.write(MEMORY, b"new data")
    edu.dma(MEMORY, BUFFER, 8)
    edu.dma(BUFFER, 0x0fff0000, 8, regs.TO_RAM | regs.INTERRUPT_WHEN_DONE)     # beyond the 64 MiB that there are
    assert edu.acknowledge() == regs.DMA_CAUSE
    edu.vm.write(MEMORY, bytes(8))
    edu.pci.writew(4, edu.pci.readw(4) & ~4)
    edu.dma(BUFFER, MEMORY, 8, regs.TO_RAM)
    assert edu.vm.read(MEMORY, 8) == bytes(8)
    edu.pci.enable()
    edu.dma(BUFFER, MEMORY, 8, regs.TO_RAM)
    assert edu.vm.read(MEMORY, 8) == b"new data"


def test_access_sizes(edu):
    """4 bytes below 0x80, 4 or 8 above it; what is no register reads as ones."""
    edu.writel(regs.LIVENESS, 0)
    for register in (regs.IDENTIFICATION, regs.FACTORIAL, regs.STATUS):
        assert edu.readq(register) == 0xffffffff_ffffffff
    edu.writeq(regs.FACTORIAL, 5)
    assert edu.readl(regs.FACTORIAL) == 0
    edu.writeq(regs.RAISE, 1)
    assert edu.readl(regs.INTERRUPT_STATUS) == 0
    for register in (0x0c, 0x28, 0x68, 0xa0, BUFFER, (1 << 20) - 4):
        assert edu.readl(register) == 0xffffffff
        edu.writel(register, 0)


@pytest.mark.parametrize("register", [regs.IDENTIFICATION, regs.LIVENESS, regs.DMA_SOURCE])
def test_smaller_accesses_do_nothing(edu, register):
    before = edu.readl(register)
    for offset in range(4):
        assert edu.vm.readb(BAR + register + offset) == 0
        edu.vm.writeb(BAR + register + offset, 0x5a)
    for offset in (0, 2):
        assert edu.vm.readw(BAR + register + offset) == 0
        edu.vm.writew(BAR + register + offset, 0x5a5a)
    assert edu.readl(register) == before
