# SPDX-License-Identifier: GPL-2.0-or-later
import functools
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.lab import paths  # noqa: E402
from tests.lab.losing import losing_file  # noqa: E402, F401
from tests.lab.process import RunDir, stop_all  # noqa: E402
from tests.machine.guest import FIRST_VECTOR, LAPIC, Guest, assemble  # noqa: E402
from tests.machine.machines import FakeOriginLink, Mirror, TwoMachines  # noqa: E402


def pytest_configure(config):
    if not paths.QEMU.exists():
        pytest.exit(f"{paths.QEMU} is missing: run ./vhost-pci build", returncode=2)


@functools.cache
def reason_against_kvm() -> str:
    """Empty when a guest starts within a second and takes an interrupt; a /dev/kvm that opens is not enough."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        return f"no KVM: {error}"
    with RunDir("machine-smoke") as run:
        try:
            with Guest(run, "smoke", "kvm", assemble(run.path), ready_timeout=1) as guest:
                guest.writel(LAPIC + 0x300, 0x40000 | FIRST_VECTOR + 15)       # to itself
                guest.wait_interrupts(15, 1, timeout=1)
        except Exception as error:
            return f"no usable KVM: {' '.join(str(error).split())[-300:]}"
    return ""


@pytest.fixture(params=["tcg", "kvm"])
def accel(request):
    if request.param == "kvm" and reason_against_kvm():
        pytest.skip(reason_against_kvm())
    return request.param


@pytest.fixture
def run():
    with RunDir("machine") as directory:
        yield directory
        stop_all()


@pytest.fixture
def mirror(run, accel):
    with Mirror(run, accel, assemble(run.path)) as machine:
        yield machine


@pytest.fixture
def link(mirror):
    """The mirror and an origin of the test's own making; the device's driver is up."""
    with FakeOriginLink(mirror) as link:
        yield link


@pytest.fixture
def two(run, mirror):
    with TwoMachines(run, mirror) as machines:
        yield machines
