# SPDX-License-Identifier: GPL-2.0-or-later
"""One booted mirror serves all front-ends of this folder, as a user's mirror would."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from frontends.mirror import Mirror  # noqa: E402
from lab import footprint, paths, process  # noqa: E402


def pytest_sessionstart(session: pytest.Session) -> None:
    missing = [str(path) for path in (paths.QEMU, paths.KERNEL, paths.INITRAMFS) if not path.exists()]
    if missing:
        pytest.exit(f"not built: {', '.join(missing)}; run ./vhost-pci build", 1)


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest):
    folder = process.RunDir("frontends")
    yield folder
    process.stop_all()
    if request.session.testsfailed:
        print(f"\nlogs: {folder.path}")
    else:
        folder.remove()


@pytest.fixture(scope="session")
def booted_mirror(run: process.RunDir):
    mirror = Mirror(run)
    try:
        mirror.vm.wait_ready()
        yield mirror
    finally:
        mirror.vm.stop()


@pytest.fixture
def mirror(booted_mirror: Mirror):
    """The mirror without any origin. After the test: nothing is left, nobody complained."""
    booted_mirror.wait_alone()
    before = footprint.Footprint(booted_mirror.vm.qemu)
    yield booted_mirror
    booted_mirror.wait_alone()
    footprint.wait_back(booted_mirror.vm.qemu, before)
    assert booted_mirror.vm.complaints() == []
