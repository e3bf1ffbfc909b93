# SPDX-License-Identifier: GPL-2.0-or-later
"""-device dotnet-pci: what a user, a developer or a guest can do wrong with it, plug and unplug. What a device in C# does is in test_edu."""
import pathlib
import struct
import subprocess
import time

import pytest

from tests.lab import footprint, paths
from tests.lab.patience import wait_for
from tests.lab.qmp import QmpError
from tests.lab.qtest import PCI_CAP_MSIX, QTest

from . import edu as regs
from .edu import BAR, BUFFER, BUFFER_SIZE, Edu
from .mirror import PCIHP_EJECT, PCIHP_SELECT
from .test_command_line import qemu

EDU = f"dotnet-pci,library={paths.BUILD / 'libedu.so'}"
MEMORY = 0x100000
SLOT = 9


def eject(vm: QTest) -> None:
    """What the guest's ACPI code does when it has let a device go."""
    vm.outl(PCIHP_SELECT, 0)
    vm.outl(PCIHP_EJECT, 1 << SLOT)


def unplug(vm: QTest) -> None:
    vm.qmp.execute("device_del", {"id": "d"})
    eject(vm)
    vm.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "d")


@pytest.fixture
def vm(run):
    with QTest(run, "vm", []) as machine:
        yield machine


def plug(vm: QTest, library: pathlib.Path = paths.BUILD / "libedu.so", options: str | None = None) -> None:
    vm.qmp.execute("device_add", {"driver": "dotnet-pci", "id": "d", "addr": hex(SLOT), "library": str(library),
                                  **({"options": options} if options else {})})


def plug_edu(vm: QTest, options: str | None = None) -> Edu:
    plug(vm, options=options)
    return Edu(vm, vm.pci(0, SLOT))


@pytest.fixture(scope="session")
def build_model(tmp_path_factory):
    def build(*flags: str) -> pathlib.Path:
        library = tmp_path_factory.mktemp("model") / "libmodel.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-I", paths.ROOT / "interop", *flags, "-o", library,
                        pathlib.Path(__file__).with_name("fake_model.c")], check=True)
        return library
    return build


@pytest.fixture(scope="session")
def model(build_model):
    return build_model()


# -- what is wrong on the command line ------------------------------------------------------------------------------------
@pytest.mark.parametrize("device,expected", [
    ("dotnet-pci", ["needs library=", "-device dotnet-pci,library="]),
    ("dotnet-pci,library=/nowhere/libedu.so", ["cannot load /nowhere/libedu.so"]),
    ("dotnet-pci,library=libnowhere.so", ["cannot load libnowhere.so"]),
    ("dotnet-pci,library=libc.so.6", ["has no dotnet_get_api"]),
    (f"dotnet-pci,library={paths.BUILD / 'libvhostpci.so'}", ["it has no interface 'pci', only vhost-pci"]),
    (f"{EDU},options=mask=5", ["options= has no 'mask'", "this device takes dma_mask"]),
    (f"{EDU},options=dma_mask=much", ["dma_mask=much", "not a number such as 4096 or 0x1000"]),
    (f"{EDU},options=dma_mask", ["'dma_mask' in options= is not KEY=VALUE"]),
    (f"{EDU},options=dma_mask=1;dma_mask=2", ["'dma_mask' is twice"]),
])
def test_wrong_option(device, expected):
    text = qemu("-device", device)
    for part in expected:
        assert part in text


def test_no_migration(run):
    assert "dotnet-pci is not migratable" in qemu("-only-migratable", "-device", EDU)
    with QTest(run, "vm", ["-device", EDU]) as vm:
        with pytest.raises(QmpError, match="non-migratable device '0000:00:02.0/dotnet-pci'"):
            vm.qmp.execute("migrate", {"uri": f"exec:cat >{run / 'state'}"})


@pytest.mark.parametrize("flag,expected", [("HOST", "has host ABI version 4711"), ("PCI", "has version 4711")])
def test_another_version(build_model, flag, expected):
    text = qemu("-device", f"dotnet-pci,library={build_model(f'-D{flag}_VERSION=4711')}")
    assert expected in text and "Build both from the same sources" in text


@pytest.mark.parametrize("options,expected", [
    ("kind0=1;size0=3", "BAR 0 cannot have 3 bytes"),
    ("kind1=1;size1=512", "a power of two from 4 to 256"),
    ("kind0=2;size0=8", "BAR 0 cannot have 8 bytes"),
    ("kind0=2;size0=0", "BAR 0 cannot have 0 bytes"),
    ("kind0=2;size0=0x100000000", "a power of two from 16 to 2147483648"),
    ("kind2=3;size2=0x8000000000000000", "BAR 2 cannot have 9223372036854775808 bytes"),
    ("kind5=3;size5=4096", "needs the number after it"),
    ("kind2=3;size2=4096;kind3=2;size3=4096", "BAR 2 has 64 bits and needs the number after it"),
    ("kind0=4;size0=4096", "unknown kind 4"),
    ("kind0=2;size0=4096;least0=3", "BAR 0 cannot have accesses of 3 to 4 bytes"),
    ("kind0=2;size0=4096;most0=16", "BAR 0 cannot have accesses of 1 to 16 bytes"),
    ("kind0=2;size0=4096;least0=0", "BAR 0 cannot have accesses of 0 to 4 bytes"),
    ("kind0=2;size0=4096;least0=8", "BAR 0 cannot have accesses of 8 to 4 bytes"),
    ("kind0=1;size0=16;most0=8", "BAR 0 cannot have accesses of 1 to 8 bytes"),
    ("interrupt_pin=5", "interrupt pin 5"),
    ("class_code=0x1000000", "class 0x1000000"),
    ("timers=65", "65 timers"),
    ("msi_vectors=3", "3 MSI vectors: it must be a power of two up to 32"),
    ("msi_vectors=64", "64 MSI vectors"),
    ("msix_vectors=2049", "2049 MSI-X vectors in BAR 0: at most 2048"),
    ("msix_vectors=1;msix_bar=6", "in BAR 6"),
    ("msix_vectors=1;msix_bar=2;kind2=2;size2=4096", "in a BAR that is free"),
    ("msix_vectors=1;msix_bar=3;kind2=3;size2=4096", "in a BAR that is free"),
])
def test_wrong_plan(vm, model, options, expected):
    with pytest.raises(QmpError) as error:
        plug(vm, model, options)
    assert expected in str(error.value)
    plug(vm, model)             # all is given back
    unplug(vm)


# -- what there can be ------------------------------------------------------------------------------------------------------
def test_kinds_of_bars(vm, model):
    plug(vm, model, "vendor_id=0x1af4;device_id=0x1234;subsystem_vendor_id=1;subsystem_id=2;class_code=0x020003;revision=7;"
         "kind0=1;size0=256;kind1=2;size1=16;prefetchable1=1;most1=8;kind2=3;size2=0x40000000;prefetchable2=1;"
         "kind4=2;size4=65536;msix_vectors=5;msix_bar=5")
    pci = vm.pci(0, SLOT)
    assert pci.ids == (0x1af4, 0x1234) and pci.readl(0x08) == 0x02000307 and pci.readl(0x2c) == 0x00020001
    assert [pci.readl(0x10 + 4 * bar) & 15 for bar in range(6)] == [1, 8, 12, 0, 0, 0]
    assert [pci.bar_size(bar) for bar in (0, 1, 2, 4, 5)] == [256, 16, 0x40000000, 65536, 4096]
    for bar, address in ((0, 0xc000), (1, 0xe0000000), (2, 8 << 32), (4, 0xe0010000)):
        pci.set_bar(bar, address)
    pci.enable()
    vm.outl(0xc000, 0x11223344)
    assert (vm.inl(0xc004), vm.inw(0xc000), vm.inb(0xc000)) == (0x11223344, 0x3344, 0x44)
    vm.writeq(0xe0000000, 0x1122334455667788)
    assert vm.readq(0xe0000000) == 0x1122334455667788
    vm.writel(8 << 32, 0x55aa)
    assert vm.readl((8 << 32) + 0x3ffffffc) == vm.readl(0xe001fffc) == 0x55aa
    assert vm.qmp.execute("qom-get", {"path": "/machine/peripheral/d", "property": "allocated"}) == 4711
    vm.qmp.execute("system_reset")
    vm.qmp.wait_event("RESET")
    pci.set_bar(4, 0xe0010000)
    pci.enable()
    assert vm.readl(0xe0010000) == 0


def test_timers(vm, model):
    plug(vm, model, "timers=64;kind0=2;size0=16")
    pci = vm.pci(0, SLOT)
    pci.set_bar(0, BAR)
    pci.enable()
    vm.writel(BAR + 8, 0x40000)         # 64 and two that do not exist
    vm.clock_step(999)
    assert vm.readl(BAR + 8) == 0
    vm.clock_step(1)
    assert vm.readl(BAR + 8) == 64
    vm.writel(BAR + 8, 0x40000)
    unplug(vm)
    vm.clock_step(1000)


def test_no_pin(vm, model):
    """A model without a pin that sets it, and sends messages that it does not have."""
    plug(vm, model, "kind0=2;size0=16")
    pci = vm.pci(0, SLOT)
    pci.set_bar(0, BAR)
    pci.enable()
    vm.writel(BAR + 8, 0x20001)
    assert not pci.interrupt_status
    vm.writel(BAR + 8, 0x10000)
    assert vm.readl(BAR + 8) == -22 & 0xffffffff


def test_fewer_messages_than_wanted(vm, model):
    plug(vm, model, "kind0=2;size0=16;msi_vectors=8")
    pci = vm.pci(0, SLOT)
    pci.set_bar(0, BAR)
    pci.enable()
    at, = pci.capabilities(regs.PCI_CAP_MSI)
    pci.writel(at + 4, MEMORY)
    pci.writew(at + 12, 0x40)
    for granted in (0, 1, 3, 7):        # of log2; QEMU grants no more than there are
        pci.writew(at + 2, granted << 4 | 1)
        vm.writel(BAR + 8, 0x30000)
        count = min(1 << granted, 8)
        assert vm.readl(BAR + 8) == count
        for vector in range(33):
            vm.writel(MEMORY, 0)
            vm.writel(BAR + 8, 0x10000 + vector)
            assert vm.readl(MEMORY) == (0x40 + vector % count if vector < 32 else 0)


def test_msix(vm, model):
    plug(vm, model, "kind0=2;size0=16;msix_vectors=2048;msix_bar=1")
    pci = vm.pci(0, SLOT)
    table = BAR + 0x100000
    pci.set_bar(0, BAR)
    pci.set_bar(1, table)
    pci.enable()
    at, = pci.capabilities(PCI_CAP_MSIX)
    vm.writel(BAR + 8, 0x30000)
    assert vm.readl(BAR + 8) == 0
    pci.writew(at + 2, 0x8000)
    vm.writel(BAR + 8, 0x30000)
    assert vm.readl(BAR + 8) == 2048
    for vector in (0, 2047):
        vm.write(table + 16 * vector, struct.pack("<QII", MEMORY + 8 * vector, 0x1000 + vector, 0))
        vm.writel(BAR + 8, 0x10000 + vector)
        assert vm.readl(BAR + 8) == 0 and vm.readl(MEMORY + 8 * vector) == 0x1000 + vector
    vm.writel(table + 12, 1)
    vm.writel(MEMORY, 0)
    vm.writel(BAR + 8, 0x10000)
    assert vm.readl(MEMORY) == 0
    vm.writel(table + 12, 0)            # it was pending
    assert vm.readl(MEMORY) == 0x1000
    vm.writel(BAR + 8, 0x10000 + 2048)
    assert vm.readl(BAR + 8) == -22 & 0xffffffff


# -- a hostile guest, with the device in C# -------------------------------------------------------------------------------
@pytest.mark.parametrize("source,destination,count,command", [
    (MEMORY, BUFFER - 1, 2, 0), (MEMORY, BUFFER, BUFFER_SIZE + 1, 0), (MEMORY, BUFFER + 1, BUFFER_SIZE, 0),
    (MEMORY, BUFFER + BUFFER_SIZE, 1, 0), (MEMORY, 0, 1, 0), (MEMORY, BUFFER + 1, (1 << 64) - 1, 0),
    (BUFFER, MEMORY, (1 << 64) - BUFFER, 2), (BUFFER - 8, MEMORY, 16, 2), ((1 << 64) - 1, MEMORY, 2, 2)])
def test_dma_outside_of_the_buffer(vm, source, destination, count, command):
    edu = plug_edu(vm)
    edu.vm.write(MEMORY, b"x" * 64)
    edu.dma(source, destination, count, command | regs.INTERRUPT_WHEN_DONE)
    assert edu.acknowledge() == regs.DMA_CAUSE
    assert edu.vm.read(MEMORY, 64) == b"x" * 64
    edu.dma(BUFFER, MEMORY, 64, regs.TO_RAM)
    assert edu.vm.read(MEMORY, 64) == bytes(64)


def test_dma_of_the_whole_buffer(vm):
    edu = plug_edu(vm)
    data = bytes(i * 7 & 0xff for i in range(BUFFER_SIZE))
    edu.vm.write(MEMORY, data)
    edu.dma(MEMORY, BUFFER, BUFFER_SIZE)
    edu.dma(BUFFER, MEMORY + BUFFER_SIZE, BUFFER_SIZE, regs.TO_RAM)
    edu.dma(BUFFER + BUFFER_SIZE, MEMORY, 0, regs.TO_RAM)
    assert edu.vm.read(MEMORY, 2 * BUFFER_SIZE) == data * 2


def test_dma_at_the_end_of_addresses(vm):
    edu = plug_edu(vm, "dma_mask=0xffffffffffffffff")
    for command in (0, regs.TO_RAM):
        far = (1 << 64) - 16
        edu.dma(*((BUFFER, far) if command else (far, BUFFER)), BUFFER_SIZE, command)
    assert edu.readl(regs.IDENTIFICATION) == 0x010000ed


def test_dma_into_its_own_registers(vm):
    edu = plug_edu(vm, "dma_mask=0xffffffff")
    vm.write(MEMORY, struct.pack("<I", 0xff))
    edu.dma(MEMORY, BUFFER, 4)
    edu.dma(BUFFER, BAR + regs.RAISE, 4, regs.TO_RAM)
    assert edu.readl(regs.INTERRUPT_STATUS) == 0
    edu.dma(BAR + regs.IDENTIFICATION, BUFFER, 4)
    edu.dma(BUFFER, MEMORY + 8, 4, regs.TO_RAM)
    assert vm.readl(MEMORY + 8) != 0x010000ed
    edu.writel(regs.RAISE, 1)           # not for ever
    assert edu.readl(regs.INTERRUPT_STATUS) == 1


def test_dma_that_unplugs_its_device(run):
    """The registers of a PCI Express slot are memory, too: power off, and the device is gone in the middle of its write."""
    with QTest(run, "vm", ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off", "-device", f"pcie-root-port,id=slot1,chassis=1,slot=1,addr={SLOT}",
                           "-device", f"{EDU},id=d,bus=slot1,options=dma_mask=0xffffffff"], machine="q35") as vm:
        host, port, extended = vm.pci(0, 0), vm.pci(0, SLOT), 0xb0000000
        host.writel(0x64, 0)
        host.writel(0x60, extended | 1)
        port.set_up_bridge(1, memory=(BAR, BAR + 0xfffff))
        edu = Edu(vm, vm.pci(1, 0))
        slot_control = port.capabilities(0x10)[0] + 0x18
        vm.write(MEMORY, struct.pack("<H", port.readw(slot_control) | 0x700))     # indicator and power off
        edu.dma(MEMORY, BUFFER, 2)
        edu.start_dma(BUFFER, extended + (SLOT << 15) + slot_control, 2, regs.TO_RAM | regs.INTERRUPT_WHEN_DONE)
        vm.clock_step(200_000_000)
        vm.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "d")
        vm.clock_step(200_000_000)
        assert not edu.pci.present


def test_reset(vm):
    edu = plug_edu(vm)
    edu.writel(regs.LIVENESS, 5)
    edu.writel(regs.RAISE, 5)
    vm.write(MEMORY, b"x" * 8)
    edu.start_dma(MEMORY, BUFFER, 8, regs.INTERRUPT_WHEN_DONE)
    vm.qmp.execute("system_reset")
    vm.qmp.wait_event("RESET")
    edu = Edu(vm, vm.pci(0, SLOT))
    assert not edu.pci.interrupt_status
    vm.clock_step(200_000_000)
    for register in (regs.LIVENESS, regs.INTERRUPT_STATUS, regs.DMA_COMMAND, regs.DMA_SOURCE):
        assert edu.readl(register) == 0


# -- what it costs --------------------------------------------------------------------------------------------------------
def allocated(vm: QTest) -> int:
    return vm.qmp.execute("qom-get", {"path": "/machine/peripheral/d", "property": "allocated"})


def test_registers_allocate_nothing(vm):
    edu = plug_edu(vm)
    edu.readl(regs.IDENTIFICATION)
    edu.writel(regs.LIVENESS, 1)
    before = allocated(vm)
    for _ in range(10_000):
        edu.readl(regs.IDENTIFICATION)
        edu.writel(regs.LIVENESS, 1)
    # The runtime hands memory out in pieces of 8 KiB, and counts those; the smallest object for each call would be 24 bytes
    assert allocated(vm) - before <= 8200


def test_plug_and_unplug_leave_no_trace(vm):
    def cycle(number: int) -> None:
        edu = plug_edu(vm)
        edu.writel(regs.RAISE, number)
        edu.start_dma(MEMORY, BUFFER, 64, 0)
        if number % 2:
            edu.enable_msi(MEMORY, 1)
            edu.wait_dma()
        with pytest.raises(QmpError):
            vm.qmp.execute("device_add", {"driver": "dotnet-pci", "id": "e", "library": str(paths.BUILD / "libedu.so"), "options": "no"})
        unplug(vm)
        assert not edu.pci.present

    for number in range(30):
        cycle(number)
    before, resident = footprint.Footprint(vm.qemu), vm.qemu.rss_bytes()
    for number in range(100):
        cycle(number)
    footprint.wait_back(vm.qemu, before)
    wait_for("its memory", lambda: vm.qemu.rss_bytes() - resident < 2 << 20, 10, 0.1)


def test_beside_vhost_pci(run):
    """Two libraries with a runtime each in one QEMU."""
    with QTest(run, "vm", ["-chardev", f"socket,id=s,server=on,wait=off,connections=1,path={run / 's'}",
                           "-vhost-pci-server", "socket,chardev=s", "-device", EDU]) as vm:
        edu = Edu(vm)
        for _ in range(100):
            assert edu.readl(regs.IDENTIFICATION) == 0x010000ed
            assert vm.qmp.execute("query-vhost-pci")["servers"]
        started = time.monotonic()
        vm.qmp.execute("quit")
        assert vm.qemu.wait(20) == 0 and time.monotonic() - started < 20
