# SPDX-License-Identifier: GPL-2.0-or-later
"""One boot of the two VMs serves the tests of a module; logs stay when something failed."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import guests, paths, process  # noqa: E402


def pytest_sessionstart(session: pytest.Session) -> None:
    missing = [str(path) for path in (paths.QEMU, paths.KERNEL, paths.INITRAMFS) if not path.exists()]
    if missing:
        pytest.exit(f"not built: {', '.join(missing)}; run ./vhost-pci build", 1)


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest):
    before = request.session.testsfailed
    folder = process.RunDir("e2e")
    yield folder
    process.stop_all()
    if request.session.testsfailed == before:
        folder.remove()
    else:
        print(f"\nlogs: {folder.path}")


@pytest.fixture(scope="module")
def pair(run: process.RunDir):
    pair = guests.boot_vhost_pci(run, "q35")
    yield pair
    pair.stop()


@pytest.fixture
def clean_kernels(pair: guests.Pair):
    """After the test: nobody crashed and no kernel complained."""
    yield
    for vm in (pair.mirror, pair.origin):
        assert vm.qemu.running, vm.qemu.output()[-2000:]
        assert vm.complaints() == [], f"kernel of the {vm.name}"


@pytest.fixture
def vms():
    """Those that are to be stopped."""
    found: list[guests.Guest] = []
    yield found
    for vm in found:
        vm.stop()
