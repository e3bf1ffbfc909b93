# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that pin all memory of the mirror would pin the windows: the one that comes second is refused with a reason."""
import pathlib
import subprocess

import pytest

from tests.lab import paths, preload
from tests.lab.qmp import QmpError

from .front_end import FrontEnd
from .mirror import GIB, PCIHP_EJECT, PCIHP_SELECT, Mirror, wait_for
from .test_command_line import server
from .test_own_socket import OwnMirror

FOLDER = pathlib.Path(__file__).parent
VTD = 0xfed90000           # its registers
OURS = "vhost-pci does not work with a device that pins all memory of this VM"


@pytest.fixture
def vdpa(run):
    """A fake vhost-vdpa device, and the environment in which QEMU accepts it."""
    device = run / "vdpa"
    device.touch()
    return device, preload.environment(run, FOLDER / "fake_vdpa.c", FAKE_VDPA=device)


def start(*args, env) -> subprocess.CompletedProcess:
    return subprocess.run([str(paths.QEMU), "-nodefaults", "-display", "none", "-accel", "qtest", "-m", "64", *args],
                          capture_output=True, text=True, timeout=100, env=env)


def add(mirror, path) -> None:
    mirror.qmp.execute("netdev_add", {"type": "vhost-vdpa", "id": "v", "vhostdev": str(path)})


@pytest.mark.parametrize("device", ["server", "static"])
def test_vdpa_first(run, vdpa, device):
    path, env = vdpa
    chardev = ["-chardev", f"socket,id=s,server=on,wait=off,path={run / 's'}"]
    done = start("-netdev", f"vhost-vdpa,id=v,vhostdev={path}", *(
        [*server(run / "s"), "-vhost-pci-server", "socket,chardev=s"] if device == "server" else
        [*chardev, "-device", "vhost-pci-net,chardev=s"]), env=env)
    assert done.returncode == 1 and OURS in done.stderr and "Leave vhost-vdpa, SEV, nvme://" in done.stderr


def test_vdpa_is_there_without_us(vdpa):
    """The counter-proof: what is refused above is the server."""
    path, env = vdpa
    done = start("-netdev", f"vhost-vdpa,id=v,vhostdev={path}", "-device", "no-such-device", env=env)
    assert "no-such-device" in done.stderr and "discarding" not in done.stderr


def test_vdpa_later(run, vdpa):
    path, env = vdpa
    with Mirror(run, env=env) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        with pytest.raises(QmpError):
            add(mirror, path)
        assert "Cannot set discarding of RAM broken" in mirror.qemu.output()
        assert mirror.peers()[0]["link"]
        # And once more: a failure counts nothing down
        with pytest.raises(QmpError):
            add(mirror, path)
        assert mirror.peers()[0]["link"]


def test_vdpa_when_the_last_window_has_gone(run, vdpa):
    path, env = vdpa
    with OwnMirror(run, env=env) as mirror:
        with pytest.raises(QmpError):
            add(mirror, path)
        mirror.qmp.execute("device_del", {"id": "vpn0"})
        mirror.outl(PCIHP_SELECT, 0)
        mirror.outl(PCIHP_EJECT, 1 << 9)
        wait_for("the device to go", lambda: not mirror.info()["servers"])

        def taken() -> bool:            # when the last FlatView with the window has gone, too
            try:
                add(mirror, path)
            except QmpError:
                return False
            return True

        wait_for("room for vhost-vdpa", taken)


def plug_vfio(mirror, run, **where) -> None:
    """Fails in the end, because the group has no device; by then QEMU has mapped all memory."""
    sysfs = run / "0000:01:00.0"
    sysfs.mkdir()
    (sysfs / "iommu_group").symlink_to("/kernel/iommu_groups/77")
    with pytest.raises(QmpError, match="error getting device from group 77"):
        mirror.qmp.execute("device_add", {"driver": "vfio-pci", "sysfsdev": str(sysfs), "addr": "9"} | where)


def mapped(maps: pathlib.Path) -> list[tuple[int, int]]:
    return [(int(iova, 16), int(size, 16)) for iova, size in map(str.split, maps.read_text().splitlines())]


def test_vfio_does_not_get_the_window(run):
    """VFIO maps the VM's own memory and skips the window, so both can be used."""
    maps = run / "maps"
    with Mirror(run, env=preload.environment(run, FOLDER / "fake_vfio.c", FAKE_VFIO=maps)) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        device = mirror.device()
        assert mirror.readl(device.window + 0x8000) == 0
        plug_vfio(mirror, run)
        assert any(iova <= 1 << 20 < iova + size for iova, size in mapped(maps)), mapped(maps)
        assert all(iova + size <= device.window for iova, size in mapped(maps)), mapped(maps)
        assert mirror.peers()[0]["link"]


def translate(mirror, function, pages: dict[int, int]) -> None:
    """Sets up VT-d like a guest's driver: the function's DMA can reach these pages only. I/O addresses are between 1 and 2 GiB."""
    root, contexts, level3, level2, level1 = (0x400000 + 0x1000 * i for i in range(5))
    mirror.write(root, bytes(0x5000))
    mirror.writeq(root, contexts | 1)
    context = contexts + 16 * (function.slot << 3 | function.function)
    mirror.writeq(context, level3 | 1)
    mirror.writeq(context + 8, 1 << 8 | 1)              # domain 1; 39 bits, in three levels
    mirror.writeq(level3 + 8, level2 | 3)
    mirror.writeq(level2, level1 | 3)
    for iova, page in pages.items():
        mirror.writeq(level1 + 8 * (iova - GIB >> 12), page | 3)
    mirror.writeq(VTD + 0x20, root)
    for command in (1 << 30, 1 << 31):                  # take the root table; translate
        mirror.writel(VTD + 0x18, command)
        assert mirror.readl(VTD + 0x1c) & command


def test_vfio_does_not_get_the_window_through_an_iommu_either(run):
    """There the guest chooses what is mapped: its own memory works, the window is refused with a message."""
    maps = run / "maps"
    with Mirror(run, machine="q35", args=["-device", "intel-iommu,caching-mode=on,intremap=off"],
                env=preload.environment(run, FOLDER / "fake_vfio.c", FAKE_VFIO=maps)) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        device = mirror.device()
        assert mirror.readl(device.window + 0x8000) == 0
        # What is behind a conventional bridge does its DMA as the bridge
        translate(mirror, mirror.bridge, {GIB + 0x1000: 0x200000, GIB + 0x3000: device.window + 0x8000, GIB + 0x5000: 0x300000})
        plug_vfio(mirror, run, bus="vps")
        assert mapped(maps) == [(GIB + 0x1000, 0x1000), (GIB + 0x5000, 0x1000)]
        assert f"iommu map to protected memory: {device.window + 0x8000:x}" in mirror.qemu.output()
        assert mirror.peers()[0]["link"]
