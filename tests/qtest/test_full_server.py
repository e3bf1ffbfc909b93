# SPDX-License-Identifier: GPL-2.0-or-later
"""A server with the most connections it can have, on eight bridges in one PCI slot."""
import contextlib
import resource
import subprocess
import time

import pytest

from tests.lab import paths

from .front_end import FrontEnd, drain
from .mirror import BRIDGE_IDS, DEVICE_IDS, GIB, PCIHP_EJECT, PCIHP_SELECT, Mirror, MirrorDevice, wait_for
from .test_static import start_named

BRIDGES = 8
ORIGINS = 255
CPU = ["-cpu", "max,phys-bits=43"]
WINDOWS = 1 << 40


@pytest.fixture(autouse=True)
def many_descriptors():
    """The front-ends run in this process, with eight descriptors each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class FullMirror(Mirror):
    """Assigns a bus number and a window to each bridge; ejects by the bridge's ACPI number."""

    def run_firmware(self) -> None:
        first, = self.find_pci(*BRIDGE_IDS)
        for function in range(BRIDGES):
            bridge = self.pci(0, first.slot, function)
            assert bridge.ids == BRIDGE_IDS
            low, high = 0xe0000000 + function * 0x400000, WINDOWS + function * 132 * GIB
            bridge.set_up_bridge(1 + function, memory=(low, low + 0x3fffff), prefetchable=(high, high + 132 * GIB - 1))
        names = ["vps"] + [f"vps.bridge{n}" for n in range(1, BRIDGES)]
        self.buses = {name: number for number, name in enumerate(names, 1)}
        self.bsel = {name: self.qmp.execute("qom-get", {"path": f"/machine/peripheral/{name}/{name}", "property": "acpi-pcihp-bsel"})
                     for name in names}
        assert len(set(self.bsel.values())) == BRIDGES

    def eject_peer(self, peer: dict) -> None:
        self.outl(PCIHP_SELECT, self.bsel[peer.get("bus", "vps")])
        self.outl(PCIHP_EJECT, 1 << peer["slot"])

    def all_leaving(self) -> list[dict] | None:
        peers = self.peers()
        return peers if all(peer["state"] == "leaving" for peer in peers) else None

    def eject_all(self) -> None:
        for peer in wait_for("all to leave", self.all_leaving, 60):
            self.eject_peer(peer)
        wait_for("nothing to be left", lambda: self.peers() == [])

    def links(self) -> int:
        return sum(peer["link"] for peer in self.peers())


def place(peer: dict) -> tuple[str, int]:
    return peer.get("bus", "vps"), peer["slot"]


def start(mirror, name: str) -> FrontEnd:
    origin = FrontEnd(mirror.path)
    start_named(origin, name)
    return origin


def test_255_origins_come_and_half_of_them_go_and_return(run):
    with FullMirror(run, connections=ORIGINS, args=CPU) as mirror:
        baseline = len(mirror.qemu.open_fds())
        begin = time.monotonic()
        origins = {f"vm{n}": start(mirror, f"vm{n}") for n in range(ORIGINS)}
        wait_for("all links", lambda: mirror.links() == ORIGINS, 120)
        print(f"{ORIGINS} origins linked after {time.monotonic() - begin:.1f} s, "
              f"{(len(mirror.qemu.open_fds()) - baseline) / ORIGINS:.1f} descriptors each")
        peers = mirror.peers()
        assert len({place(peer) for peer in peers}) == len({peer["device"] for peer in peers}) == ORIGINS
        for peer in peers:
            pci = mirror.pci(mirror.buses[peer.get("bus", "vps")], peer["slot"])
            assert pci.ids == DEVICE_IDS, peer
        text = mirror.hmp("info vhost-pci")
        assert f"{ORIGINS} of {ORIGINS} connections" in text and "in slot 31 on bus vps.bridge7" in text

        with FrontEnd(mirror.path) as late:
            assert late.closed_by_server()
        assert f"all {ORIGINS} connections are in use (raise connections=)" in mirror.qemu.output()
        assert mirror.links() == ORIGINS

        begin = time.monotonic()
        gone = [name for number, name in enumerate(origins) if number % 2]
        for name in gone:
            origins.pop(name).close()
        leaving = wait_for("them to leave", lambda: [p for p in mirror.peers() if p["state"] == "leaving"]
                           if mirror.links() == ORIGINS - len(gone) else None, 60)
        assert len(leaving) == len(gone)
        for peer in leaving:
            mirror.eject_peer(peer)
        wait_for("them to be gone", lambda: len(mirror.peers()) == ORIGINS - len(gone))
        origins |= {name: start(mirror, name) for name in gone}
        wait_for("all links again", lambda: mirror.links() == ORIGINS, 120)
        print(f"{len(gone)} left and returned in {time.monotonic() - begin:.1f} s")
        assert len({place(peer) for peer in mirror.peers()}) == ORIGINS

        for origin in origins.values():
            origin.close()
        mirror.eject_all()
        wait_for("descriptors to be closed", lambda: len(mirror.qemu.open_fds()) <= baseline)


def test_a_device_on_the_last_bridge_works_like_any(run):
    """Window, doorbell and interrupt behind function 7."""
    with FullMirror(run, connections=ORIGINS, args=CPU) as mirror, contextlib.ExitStack() as stack:
        origins = []
        for number in range(7 * 32 + 1):
            origins.append(stack.enter_context(FrontEnd(mirror.path)))
            rings = origins[-1].start()
        peer = mirror.wait_peer("the last bridge", lambda p: p.get("bus") == "vps.bridge7" and p["link"])
        mirror_device = LastDevice(mirror, mirror.pci(mirror.buses["vps.bridge7"], peer["slot"]))
        mirror_device.start()
        assert mirror_device.config().up
        _kick, call = rings[1]
        mirror_device.ring_doorbell(1)
        wait_for("the call", lambda: drain(call))


class LastDevice(MirrorDevice):
    """A device with its BARs in the windows of the last bridge."""

    def __init__(self, vm, pci):
        self._base = WINDOWS + 7 * 132 * GIB
        super().__init__(vm, _Shifted(pci, 7 * 0x400000, self._base - (0x10 << 32)), 0)
        self.doorbells += 7 * 0x400000
        self.msix += 7 * 0x400000
        shift = self._base - (0x10 << 32)
        self.window, self.modern = self.window + shift, self.modern + shift
        self.common, self.notify, self.config_at = self.common + shift, self.notify + shift, self.config_at + shift


class _Shifted:
    """A PCI function that relocates the BARs that the test's driver assigns."""

    def __init__(self, pci, low: int, high: int):
        self._pci, self._low, self._high = pci, low, high

    def set_bar(self, index: int, address: int) -> None:
        self._pci.set_bar(index, address + (self._high if address >> 32 else self._low))

    def __getattr__(self, name):
        return getattr(self._pci, name)


def test_a_bridge_without_a_window_is_reported(run):
    with Mirror(run, firmware=False) as mirror, FrontEnd(mirror.path) as origin, FrontEnd(mirror.path) as another:
        bridge, = mirror.find_pci(*BRIDGE_IDS)
        bridge.set_up_bridge(1, memory=(0xe0000000, 0xe03fffff))
        start_named(origin, "one")
        start_named(another, "two", mac=2)
        wait_for("both", lambda: [peer["state"] for peer in mirror.peers()] == ["no-window"] * 2)
        line, = mirror.qemu.output().strip().splitlines()
        assert "has no window so far: the firmware gave its bus nothing of 20 GiB" in line
        bridge.set_up_bridge(1, memory=(0xe0000000, 0xe03fffff), prefetchable=(WINDOWS, WINDOWS + 20 * GIB - 1))
        assert {peer["state"] for peer in mirror.peers()} == {"running"}


def run_qemu(*args, limits=None) -> subprocess.CompletedProcess:
    return subprocess.run([str(paths.QEMU), "-nodefaults", "-display", "none", "-accel", "qtest", "-S", *args], capture_output=True,
                          text=True, timeout=300, preexec_fn=limits and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)))


def server(run, connections) -> list[str]:
    return ["-chardev", f"socket,id=s,server=on,wait=off,connections={connections},path={run / 's'}"]


def test_too_many_for_the_address_space(run):
    text = run_qemu(*server(run, 255), "-vhost-pci-server", "socket,chardev=s").stderr
    assert "40 physical address bits" in text and "lower connections= to 240, or use a CPU with 41 bits (-cpu ...,phys-bits=41)" in text


def test_too_few_descriptors(run):
    text = run_qemu(*server(run, 255), *CPU, "-vhost-pci-server", "socket,chardev=s", limits=(1024, 1024)).stderr
    assert "connections=255 may take 13643 file descriptors in this process, but it may have only 1024" in text and "ulimit -Hn" in text


def test_a_low_soft_limit_is_raised(run):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        mirror = Mirror(run, connections=32, firmware=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with mirror:
        line, = (line for line in open(f"/proc/{mirror.qemu.pid}/limits", encoding="ascii") if line.startswith("Max open files"))
        assert line.split()[3] == str(128 + (32 + 32) * (49 + 32 * 4))


def test_the_slot_must_have_the_functions(run):
    text = run_qemu(*server(run, 40), "-device", "pci-testdev,addr=9,multifunction=on", "-device", "vhost-pci-server,chardev=s,addr=9.7").stderr
    assert "needs 2 functions of its slot" in text
