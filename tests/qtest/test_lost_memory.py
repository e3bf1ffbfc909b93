# SPDX-License-Identifier: GPL-2.0-or-later
"""A file that is mapped into a window loses pages: only its connection ends."""
import contextlib
import os
import pathlib
import resource

import pytest

from tests.lab import footprint, losing, preload

from . import front_end as fe
from .front_end import FrontEnd, region
from .mirror import Mirror, wait_for

F_RING_PACKED = 1 << 34
FEATURES = 1 << 32 | fe.F_PROTOCOL_FEATURES


@pytest.fixture
def mirror(run):
    with Mirror(run, options=",allow-unsealed=on") as vm:
        yield vm


@contextlib.contextmanager
def neighbour(mirror):
    with FrontEnd(mirror.path) as other:
        other.start()
        mirror.wait_link()
        yield other


def connect(mirror, file, features=FEATURES, pairs=1) -> FrontEnd:
    """Starts the first pair."""
    links = linked(mirror)
    origin = FrontEnd(mirror.path)
    origin.greet()
    origin.send(fe.SET_FEATURES, features)
    for ring in range(2 * pairs):
        origin.send(fe.SET_VRING_CALL, ring, [origin.own(os.eventfd(0))])
    origin.set_memory([region(size=file.size)], [file.fd])
    origin.set_ring(0)
    origin.set_ring(1)
    wait_for("its link", lambda: linked(mirror) == links + 1)
    return origin


def linked(mirror) -> int:
    return sum(peer["link"] for peer in mirror.peers())


def check_ended(mirror, origin, links: int) -> None:
    """Only this connection was dropped, for this reason."""
    assert origin.closed_by_server()
    server = mirror.info()["servers"][0]
    assert losing.REASON in server["last-refusal"] and server["refused"] == 1
    wait_for("the neighbour's link alone", lambda: linked(mirror) == links)


def serve_another(mirror) -> None:
    links = linked(mirror)
    with FrontEnd(mirror.path) as origin:
        origin.start()
        wait_for("another link", lambda: linked(mirror) == links + 1)


@pytest.mark.parametrize("access", ["read", "write"])
def test_the_main_loop_survives(mirror, losing_file, access):
    """qtest accesses memory from the main loop, as device models do."""
    with neighbour(mirror) as other:
        held = footprint.Footprint(mirror.qemu)
        origin = connect(mirror, losing_file)
        slot = max(peer["slot"] for peer in mirror.peers())
        device = mirror.device(slot)
        assert mirror.readl(device.window + 0x8000) == 0
        losing_file.lose()
        at = device.window + losing_file.at
        if access == "write":
            mirror.writel(at, 0x12345678)
        else:
            assert mirror.readl(at) == 0
        # Whatever it was: now it is memory of nobody's
        mirror.writel(at, 0x55aa55aa)
        assert mirror.readl(at) == 0x55aa55aa
        check_ended(mirror, origin, links=1)
        origin.close()
        assert other.ask(fe.GET_FEATURES)
        mirror.eject(slot)
        wait_for("the device to go", lambda: len(mirror.peers()) == 1)
        footprint.wait_back(mirror.qemu, held)
        serve_another(mirror)


def test_the_library_survives(mirror, losing_file):
    """The library reads a packed ring before it shows it."""
    with neighbour(mirror):
        origin = connect(mirror, losing_file, FEATURES | F_RING_PACKED, pairs=2)
        losing_file.lose()
        # One more pair, and its descriptors are where no page is
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            origin.set_ring(2, desc=(losing_file.at & ~0xffff) - 0x20000)
            origin.set_ring(3)
        check_ended(mirror, origin, links=1)
        origin.close()
        serve_another(mirror)


def test_a_queue_in_the_window(mirror):
    """A guest can place a virtqueue of another device in the window, which QEMU's virtio core then reads."""
    with losing.truncated_memfd(losing.SIZE) as file:
        origin = connect(mirror, file)
        device = mirror.device()
        device.start()
        common, window = device.common, device.window
        mirror.writew(common + 22, 0)
        file.lose()
        device.reset()
        device.status = 3
        mirror.writel(common + 8, 1)
        mirror.writel(common + 12, 1)
        device.status = 11
        mirror.writew(common + 22, 0)
        for register in (32, 40, 48):
            mirror.writeq(common + register, window + 0x100000 + 0x1000 * (register // 8))
        mirror.writew(common + 28, 1)
        device.status = 15
        mirror.writew(device.notify, 0)
        assert origin.closed_by_server()
        assert losing.REASON in mirror.info()["servers"][0]["last-refusal"]
        origin.close()


def test_the_monitor_survives(mirror):
    with losing.truncated_memfd(losing.SIZE) as file:
        origin = connect(mirror, file)
        device = mirror.device()
        file.lose()
        assert "0x00000000" in mirror.hmp(f"xp /1xw {device.window + 0x3000:#x}")
        check_ended(mirror, origin, links=0)
        origin.close()


def test_where_anonymous_memory_is_refused(run):
    """Strict overcommit: the window gets the spare file, which is emptied before the next use."""
    flag = run / "no-anonymous"
    env = preload.environment(run, pathlib.Path(__file__).with_name("no_anonymous.c"), NO_ANONYMOUS=flag)
    with Mirror(run, options=",allow-unsealed=on", env=env) as mirror:
        for _ in range(2):
            flag.unlink(missing_ok=True)
            with losing.truncated_memfd(losing.SIZE) as file:
                origin = connect(mirror, file)
                window = mirror.device().window
                flag.touch()
                file.lose()
                assert mirror.readl(window + 0x3000) == 0
                assert origin.closed_by_server()
                assert losing.REASON in mirror.info()["servers"][0]["last-refusal"]
                mirror.writel(window + 0x3000, 0x55aa55aa)
                assert mirror.readl(window + 0x3000) == 0x55aa55aa
                origin.close()
            mirror.eject(mirror.peers()[0]["slot"])
            wait_for("the device to go", lambda: not mirror.peers())


def test_a_withdrawal_where_anonymous_memory_is_refused(mirror):
    """The same without a fault: RLIMIT_DATA is below what the process uses."""
    with losing.truncated_memfd(losing.SIZE) as file:
        origin = connect(mirror, file)
    window = mirror.device().window
    before = resource.prlimit(mirror.qemu.pid, resource.RLIMIT_DATA, (1 << 20, resource.RLIM_INFINITY))
    origin.close()
    wait_for("no link", lambda: not linked(mirror))
    resource.prlimit(mirror.qemu.pid, resource.RLIMIT_DATA, before)
    assert "vhost-pci-blank" in pathlib.Path(f"/proc/{mirror.qemu.pid}/maps").read_text()
    assert mirror.readl(window + 0x3000) == 0
    mirror.writel(window + 0x3000, 0x55aa55aa)
    assert mirror.readl(window + 0x3000) == 0x55aa55aa


def test_a_fault_elsewhere_still_ends_qemu(run):
    """If the VM's own memory is truncated, vhost-pci does not interfere."""
    path = run / "ram"
    path.write_bytes(b"")
    with path.open("r+b") as file, Mirror(run, shared=False, args=[
            "-object", f"memory-backend-file,id=mem,size=64M,share=on,mem-path={path}",
            "-machine", "memory-backend=mem"]) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        file.truncate(4096)
        with pytest.raises(Exception, match="."):
            mirror.readl(0x2000000)
        assert mirror.qemu.wait(20) == -7
