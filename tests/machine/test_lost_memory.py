# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest accesses a window page that the origin has taken away: only the connection ends."""
import contextlib
import pathlib

import pytest

from tests.lab import footprint, losing, preload
from tests.qtest.front_end import FrontEnd
from tests.qtest.mirror import wait_for

from .conftest import reason_against_kvm
from .guest import assemble
from .machines import FakeOriginLink, Mirror



@pytest.fixture
def mirror(run, accel):
    with Mirror(run, accel, assemble(run.path), ",allow-unsealed=on,unplug-delay=0") as machine:
        yield machine


def check_ended(mirror, link) -> None:
    assert link.origin.closed_by_server()
    server = mirror.info()["servers"][0]
    assert losing.REASON in server["last-refusal"] and server["refused"] == 1
    link.origin.close()


@pytest.mark.parametrize("access", ["read", "write"])
def test_the_guest_survives(mirror, losing_file, access):
    with FrontEnd(mirror.path) as neighbour:
        neighbour.start()
        other = mirror.wait_link()["slot"]
        held = footprint.Footprint(mirror.qemu)
        with FakeOriginLink(mirror, losing_file) as link:
            assert mirror.far_read(0x8000) == 0
            losing_file.lose()
            if access == "write":
                mirror.far_write(losing_file.at, 0x12345678)
            else:
                assert mirror.far_read(losing_file.at) == 0
            check_ended(mirror, link)
            assert [peer["link"] for peer in mirror.peers() if peer["slot"] == other] == [True]
        mirror.eject(link.slot)
        footprint.wait_back(mirror.qemu, held)
    mirror.wait_link(False)
    mirror.eject(other)
    with FakeOriginLink(mirror) as another:
        another.check_kicks(0, 0)
        another.memory[0x9000:0x9004] = b"here"
        assert mirror.far_read(0x9000) == int.from_bytes(b"here", "little")


@pytest.fixture
def no_page(run):
    """A file that makes KVM_RUN fail once when it exists, and the environment for that."""
    if reason := reason_against_kvm():
        pytest.skip(reason)
    flag = run / "no-page"
    return flag, preload.environment(run, pathlib.Path(__file__).with_name("no_page.c"), NO_PAGE=flag)


def refuse_a_page(mirror, flag) -> None:
    flag.touch()
    mirror.inb(0xcf8)           # a way out of KVM_RUN and back into it
    assert not flag.exists()


def test_kvm_run_without_an_address(run, no_page, losing_file):
    """Without a signal, the library finds the window that has lost pages; the neighbour keeps its link."""
    flag, env = no_page
    with Mirror(run, "kvm", assemble(run.path), ",allow-unsealed=on", env) as mirror, FrontEnd(mirror.path) as neighbour:
        neighbour.start()
        mirror.wait_link()
        with FrontEnd(mirror.path) as origin:
            origin.start(files=[(losing_file.fd, losing_file.size)])
            wait_for("two links", lambda: sum(peer["link"] for peer in mirror.peers()) == 2)
            losing_file.lose()
            refuse_a_page(mirror, flag)
            assert origin.closed_by_server()
            assert losing.REASON in mirror.info()["servers"][0]["last-refusal"]
        assert sum(peer["link"] for peer in mirror.peers()) == 1


def test_kvm_run_and_another_thread_was_first(run, no_page):
    """The window is withdrawn already when the vCPU handles the failure: never a reason to stop the VM."""
    flag, env = no_page
    with Mirror(run, "kvm", assemble(run.path), "", env) as mirror, contextlib.ExitStack() as stack:
        origins = [stack.enter_context(FrontEnd(mirror.path)) for _ in range(4)]
        for origin in origins:
            origin.start()
        wait_for("all links", lambda: sum(peer["link"] for peer in mirror.peers()) == len(origins))
        for left in range(len(origins) - 1, 0, -1):
            origins[left].close()
            wait_for("a link less", lambda: sum(peer["link"] for peer in mirror.peers()) == left)
            refuse_a_page(mirror, flag)
        assert mirror.qmp.execute("query-status")["running"]
        assert sum(peer["link"] for peer in mirror.peers()) == 1


def test_kvm_run_fails_for_another_reason(run, no_page):
    """Retried once, then with all windows replaced; then QEMU stops the VM."""
    flag, env = no_page
    with Mirror(run, "kvm", assemble(run.path), "", env) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        refuse_a_page(mirror, flag)
        assert mirror.peers()[0]["link"]
        while mirror.qmp.execute("query-status")["running"]:
            flag.touch()
            mirror.post("in8", 0xcf8)
        assert mirror.qmp.execute("query-status")["status"] == "internal-error"
        assert origin.closed_by_server()
        assert "all windows are withdrawn" in mirror.qemu.output()
