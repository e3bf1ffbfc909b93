# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock QEMU as origin: it is not offered the dirty log, so it refuses to migrate, and says why."""
import pathlib

import pytest

from tests.lab import paths
from tests.lab.process import Qemu
from tests.lab.qmp import Qmp, QmpError

STOCK = pathlib.Path("/usr/bin/qemu-system-x86_64")


@pytest.mark.parametrize("program", [
    pytest.param(STOCK, id="debian", marks=pytest.mark.skipif(not STOCK.exists(), reason=f"{STOCK} is not installed")),
    pytest.param(paths.QEMU, id="ours"),
])
def test_an_origin_with_a_vhost_user_netdev_cannot_be_migrated(run, mirror, program):
    qemu = Qemu("stock", [
        str(program), "-nodefaults", "-display", "none", "-M", "q35", "-m", "64", "-S",
        "-object", "memory-backend-memfd,id=mem,size=64M,share=on", "-machine", "memory-backend=mem",
        "-chardev", f"socket,id=c0,path={mirror.path}", "-netdev", "vhost-user,id=n0,chardev=c0",
        "-device", "virtio-net-pci,netdev=n0,romfile=", "-qmp", f"unix:{run / 'stock.qmp'},server=on,wait=off"], run)
    qmp = Qmp.connect(run / "stock.qmp", qemu.check)
    with pytest.raises(QmpError, match="Migration disabled: vhost-user backend lacks"):
        qmp.execute("migrate", {"uri": "exec:cat >/dev/null"})
    assert qmp.execute("query-status")["status"] == "prelaunch"
    assert mirror.info()["servers"][0]["refused"] == 0
    qemu.stop()
