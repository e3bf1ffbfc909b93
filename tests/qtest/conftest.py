# SPDX-License-Identifier: GPL-2.0-or-later
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.lab import paths  # noqa: E402
from tests.lab.losing import losing_file  # noqa: E402, F401
from tests.lab.process import RunDir, stop_all  # noqa: E402
from tests.qtest.mirror import Mirror  # noqa: E402
from tests.qtest.origin import Origin  # noqa: E402


def pytest_configure(config):
    if not paths.QEMU.exists():
        pytest.exit(f"{paths.QEMU} is missing: run ./vhost-pci build", returncode=2)


@pytest.fixture
def run():
    with RunDir("qtest") as directory:
        yield directory
        stop_all()


@pytest.fixture
def mirror(run):
    with Mirror(run) as vm:
        yield vm


@pytest.fixture
def pair(run, mirror):
    """A mirror and an origin whose driver is not up yet."""
    with Origin(run, mirror.path) as origin:
        yield mirror, origin


@pytest.fixture
def linked(pair):
    """Mirror, origin and the mirror's device with its driver; the link is up."""
    mirror, origin = pair
    origin.start_driver()
    mirror.wait_link()
    device = mirror.device()
    device.start()
    device.ack(device.config().epoch)
    return mirror, origin, device
