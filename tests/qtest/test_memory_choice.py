# SPDX-License-Identifier: GPL-2.0-or-later
"""Which memory an origin shows: the machine's own RAM, and none of others."""
import os
import pathlib

import pytest

from .mirror import GIB, WINDOWS, Mirror, wait_for
from .origin import Origin

MIB = 1 << 20
MEMORY = 64 * MIB
IVSHMEM = (0x1af4, 0x1110)
BAR_AT = 5 * GIB        # a place that the window has room for
STRANGE = 0x5445524345530a0a
SIZE = 16 * MIB


@pytest.fixture
def shm():
    path = pathlib.Path(f"/dev/shm/vhost-pci-test-{os.getpid()}")
    yield path
    path.unlink(missing_ok=True)


def backend(kind: str, path: pathlib.Path, name: str = "iv", size: int = SIZE) -> str:
    return (f"memory-backend-memfd,id={name},size={size},share=on" if kind == "memfd"
            else f"memory-backend-file,id={name},size={size},share=on,mem-path={path}")


def map_ivshmem(origin: Origin) -> None:
    """Like the firmware or the guest: the RAM gets into the guest's address space."""
    device, = origin.find_pci(*IVSHMEM)
    device.set_bar(2, BAR_AT)
    device.enable()
    origin.writeq(BAR_AT, STRANGE)
    assert origin.readq(BAR_AT) == STRANGE


def assert_only_its_own(mirror, origin, mapped: int = MEMORY) -> None:
    peer = mirror.wait_link()
    device = mirror.device()
    device.start()
    device.ack(device.config().epoch)
    assert mirror.peers()[0]["mapped"] == mapped
    origin.writeq(MEMORY - 4096, 0x1234)
    assert mirror.readq(WINDOWS + MEMORY - 4096) == 0x1234
    assert mirror.readq(WINDOWS + BAR_AT) == 0, "the mirror reads what belongs to another VM"
    mirror.writeq(WINDOWS + BAR_AT, 1)
    assert origin.readq(BAR_AT) == STRANGE, "the mirror writes what belongs to another VM"
    assert peer["window-size"] == 8 * GIB


@pytest.mark.parametrize("kind", ["memfd", "file"])
def test_an_ivshmem_that_is_there_from_the_start(run, mirror, shm, kind):
    with Origin(run, mirror.path, memory="64M,slots=2,maxmem=4G", args=[
            "-object", backend(kind, shm), "-device", "ivshmem-plain,memdev=iv"]) as origin:
        map_ivshmem(origin)
        origin.start_driver()
        assert_only_its_own(mirror, origin)


@pytest.mark.parametrize("kind", ["memfd", "file"])
def test_an_ivshmem_that_is_plugged_in_later(run, mirror, shm, kind):
    with Origin(run, mirror.path, memory="64M,slots=2,maxmem=4G") as origin:
        origin.start_driver()
        before = mirror.wait_link()
        values = dict(part.split("=") for part in backend(kind, shm).split(",")[1:])
        origin.qmp.execute("object-add", {
            "qom-type": backend(kind, shm).split(",")[0], "id": "iv", "size": SIZE, "share": True,
            **({"mem-path": values["mem-path"]} if kind == "file" else {})})
        origin.qmp.execute("device_add", {"driver": "ivshmem-plain", "memdev": "iv", "id": "ivs"})
        map_ivshmem(origin)
        assert mirror.peers()[0]["device"] == before["device"]
        assert_only_its_own(mirror, origin)
        assert not origin.qemu.output()


def test_an_ivshmem_does_not_make_the_window_larger(run, mirror, shm):
    with Origin(run, mirror.path, args=[
            "-object", backend("memfd", shm), "-device", "ivshmem-plain,memdev=iv",
            "-chardev", f"socket,id=vp-client2,path={mirror.path}"]) as origin:
        map_ivshmem(origin)
        # Plugged with the BAR in place, so that whatever counts is counted.
        origin.qmp.execute("device_add", {
            "driver": "virtio-net-pci", "id": "n1", "romfile": "", "mac": "52:54:00:00:00:02", "vhost-pci-client": "vp-client2"})
        peer = mirror.wait_peer("a device", lambda p: p.get("name") == "n1" and "window-size" in p)
        assert peer["window-size"] == 4 * GIB


def numa(first: str, second: str) -> list[str]:
    return ["-object", first, "-object", second, "-numa", "node,memdev=m0", "-numa", "node,memdev=m1"]


def test_one_of_two_nodes_is_not_sealed(run, mirror, shm):
    args = numa(backend("memfd", shm, "m0", MEMORY // 2), backend("file", shm, "m1", MEMORY // 2))
    with Origin(run, mirror.path, shared=False, args=args) as origin:
        origin.start_driver()
        wait_for("a refusal", lambda: "last-refusal" in mirror.info()["servers"][0])
        assert "its memory at 0x2000000 (32 MiB) is not sealed" in mirror.info()["servers"][0]["last-refusal"]
        wait_for("the client's reason", lambda: "lost the server" in origin.qemu.output())
        text = origin.qemu.output()
        assert "memory backend 'm1' is not sealed against shrinking" in text and "'m0'" not in text


def test_one_of_two_nodes_is_private(run, mirror, shm):
    """A deliberate way to show less, but the user is told."""
    args = numa(backend("memfd", shm, "m0", MEMORY // 2), f"memory-backend-ram,id=m1,size={MEMORY // 2}")
    with Origin(run, mirror.path, shared=False, args=args) as origin:
        origin.start_driver()
        mirror.wait_link()
        assert mirror.peers()[0]["mapped"] == MEMORY // 2
        text = origin.qemu.output()
        assert "memory backend 'm1' is not given to the mirror" in text and "it is private" in text
        assert text.count("not given to the mirror") == 1


def test_dimms_come_along_and_storage_does_not(run, mirror, shm):
    with Origin(run, mirror.path, machine="pc,nvdimm=on", memory="64M,slots=3,maxmem=3G", args=[
            "-object", backend("memfd", shm, "d0", 128 * MIB), "-device", "pc-dimm,memdev=d0",
            "-object", f"memory-backend-ram,id=d1,size={128 * MIB}", "-device", "pc-dimm,memdev=d1",
            "-object", backend("memfd", shm, "nv", 128 * MIB), "-device", "nvdimm,memdev=nv"]) as origin:
        origin.start_driver()
        mirror.wait_link()
        assert mirror.peers()[0]["mapped"] == MEMORY + 128 * MIB
        text = origin.qemu.output()
        assert "memory backend 'd1' is not given to the mirror, which reads zeroes in its place: it is private" in text
        assert "memory backend 'nv' is not given to the mirror, which reads zeroes in its place: it is storage" in text
        assert "'d0'" not in text


def test_a_virtio_mem_comes_along(run, mirror, shm):
    with Origin(run, mirror.path, memory="64M,slots=2,maxmem=3G", args=[
            "-object", backend("memfd", shm, "vm", 256 * MIB),
            "-device", f"virtio-mem-pci,memdev=vm,id=vmem0,requested-size={128 * MIB}"]) as origin:
        origin.start_driver()
        mirror.wait_link()
        assert mirror.peers()[0]["mapped"] == MEMORY + 256 * MIB
        assert not origin.qemu.output()


def test_memory_on_both_sides_of_the_pci_hole(run):
    """One file, two places: the part behind the hole starts in the middle of the file."""
    with Mirror(run, options=",slot-size=8G") as mirror, Origin(run, mirror.path, memory="4G") as origin:
        origin.start_driver()
        mirror.wait_link()
        device = mirror.device()
        device.start()
        assert mirror.peers()[0]["mapped"] == 4 * GIB
        # The mirror's device has another BAR at 4 GiB of its window.
        places = (0x1000, 3 * GIB - 4096, 4 * GIB + MIB, 5 * GIB - 4096)
        for at in places:
            origin.writeq(at, STRANGE + at)
        for at in places:
            assert mirror.readq(WINDOWS + at) == STRANGE + at, hex(at)
        assert mirror.readq(WINDOWS + 3 * GIB) == 0
