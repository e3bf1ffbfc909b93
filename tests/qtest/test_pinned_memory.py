# SPDX-License-Identifier: GPL-2.0-or-later
"""A device of the mirror that pins all memory would pin the windows: whoever comes second is refused, and says why."""
import pathlib
import subprocess

import pytest

from tests.lab import paths, preload
from tests.lab.qmp import QmpError

from .front_end import FrontEnd
from .mirror import PCIHP_EJECT, PCIHP_SELECT, Mirror, wait_for
from .test_command_line import server
from .test_own_socket import OwnMirror

FOLDER = pathlib.Path(__file__).parent
OURS = "vhost-pci does not work with a device that pins all memory of this VM"


@pytest.fixture
def vdpa(run):
    """-netdev options of a vhost-vdpa device that is none, and the environment in which QEMU takes it for one."""
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
    """The counter-proof: it is the server that is refused above."""
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


def test_vfio_does_not_get_the_window(run):
    """It maps the VM's own memory for its devices and passes the window over, so it can stay."""
    maps, sysfs = run / "maps", run / "0000:01:00.0"
    sysfs.mkdir()
    (sysfs / "iommu_group").symlink_to("/kernel/iommu_groups/77")
    with Mirror(run, env=preload.environment(run, FOLDER / "fake_vfio.c", FAKE_VFIO=maps)) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        device = mirror.device()
        assert mirror.readl(device.window + 0x8000) == 0
        with pytest.raises(QmpError, match="error getting device from group 77"):
            mirror.qmp.execute("device_add", {"driver": "vfio-pci", "sysfsdev": str(sysfs), "addr": "9"})
        mapped = [[int(word, 16) for word in line.split()] for line in maps.read_text().splitlines()]
        assert any(iova <= 1 << 20 < iova + size for iova, size in mapped), mapped
        assert all(iova + size <= device.window for iova, size in mapped), mapped
        assert mirror.peers()[0]["link"]
