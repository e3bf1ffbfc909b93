# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors whose close() blocks, everywhere a peer can send one: neither the VM nor any other peer is held up.

They block until the test releases them, so a monitor that answers proves that the main thread does not wait."""
import contextlib
import mmap
import os
import pathlib
import struct
import threading

import pytest

from tests.lab import footprint
from tests.lab.patience import TIMES
from tests.lab.qmp import QmpError
from tests.lab.stuck import LingeringSockets, SilentFiles

from . import front_end as fe
from . import test_packed as packed
from .fake_server import FakeServer
from .front_end import FrontEnd, region
from .mirror import PCIHP_EJECT, PCIHP_SELECT, Mirror, wait_for
from .origin import Origin
from .test_own_socket import OwnMirror

CLOSER = "dotnet-close"
CLOSE, PWRITE = "3", "18"       # numbers on x86-64
MOST_CLOSING = 32               # Budgets.ClosingPeers


def hanging(qemu) -> int:
    """Closer threads that are inside close() now."""
    count = 0
    for task in pathlib.Path(f"/proc/{qemu.pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text().strip() == CLOSER:
                count += int((task / "syscall").read_text().split()[0] == CLOSE)
    return count


def silent_files(count: int) -> SilentFiles:
    try:
        return SilentFiles(count)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error}")


@pytest.fixture(params=[LingeringSockets, SilentFiles], ids=lambda kind: kind.name)
def stuck(request, mirror_and_neighbour):
    """Created after QEMU is started: a child process closes inherited descriptors, and would block."""
    with contextlib.closing(silent_files(16) if request.param is SilentFiles else LingeringSockets()) as maker:
        yield maker


def as_kick(f, stuck): f.send(fe.SET_VRING_KICK, 0, [stuck.take()])
def as_call(f, stuck): f.send(fe.SET_VRING_CALL, 1, [stuck.take()])
def as_error(f, stuck): f.send(14, 0, [stuck.take()])
def as_memory(f, stuck): f.set_memory([region()], [stuck.take()])
def as_extra(f, stuck): f.send(fe.GET_FEATURES, fds=[stuck.take()])
def on_a_later_byte(f, stuck): f.send_raw(struct.pack("=I", fe.GET_FEATURES)), f.send_raw(struct.pack("=II", 1, 0), [stuck.take()])
def truncated(f, stuck): f.send(fe.SET_MEM_TABLE, bytes(40), [stuck.take() for _ in range(12)])


def one_of_two_memories(f, stuck):
    f.set_memory([region(), region(guest=fe.MIB * 32, user=fe.USER + fe.MIB * 32)], [f.own(fe.memory()), stuck.take()])


def unread(f, stuck):
    """The first message is refused; the second is never received."""
    f.send_raw(b"\xff" * 12)
    f.send(fe.GET_FEATURES, fds=[stuck.take()])


WAYS = [as_kick, as_call, as_error, as_memory, as_extra, on_a_later_byte, truncated, one_of_two_memories, unread]


@pytest.fixture(scope="module")
def mirror_and_neighbour():
    from tests.lab.process import RunDir, stop_all
    with RunDir("stuck") as run, Mirror(run, connections=3) as mirror, FrontEnd(mirror.path) as neighbour:
        neighbour.start()
        mirror.wait_link()
        yield mirror, neighbour
        stop_all()


@contextlib.contextmanager
def stopped(qemu):
    """QEMU is stopped while the sender closes its copies, so QEMU holds the last ones."""
    qemu.pause()
    try:
        yield
    finally:
        qemu.resume()


def serves(mirror: Mirror, neighbour: FrontEnd) -> None:
    assert mirror.qmp.execute("query-status")["running"]
    assert neighbour.ask(fe.GET_FEATURES)
    assert any(peer["link"] for peer in mirror.peers())
    with FrontEnd(mirror.path) as other:
        assert other.ask(fe.GET_FEATURES)


def settle(mirror: Mirror) -> None:
    for peer in [p for p in mirror.peers() if p["state"] == "leaving"]:
        mirror.eject(peer["slot"])
    wait_for("the neighbour alone", lambda: len(mirror.peers()) == 1)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_mirror_goes_on(mirror_and_neighbour, stuck, way):
    mirror, neighbour = mirror_and_neighbour
    before = footprint.Footprint(mirror.qemu)
    with FrontEnd(mirror.path) as origin:
        origin.greet()
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        with stopped(mirror.qemu):
            way(origin, stuck)
            stuck.forget()
        # At once, although its socket may not be closed for long
        assert origin.closed_by_server()
        serves(mirror, neighbour)
        # And it is true that something hangs. What the kernel drops unread it does not flush: a FUSE daemon is not waited for
        if (stuck.name, way) != ("fuse", unread):
            wait_for("what hangs", lambda: hanging(mirror.qemu))
            serves(mirror, neighbour)
    settle(mirror)
    stuck.release()
    footprint.wait_back(mirror.qemu, before)


def test_one_connection_too_many_with_such_a_descriptor(mirror_and_neighbour, stuck):
    mirror, neighbour = mirror_and_neighbour
    before = footprint.Footprint(mirror.qemu)
    with FrontEnd(mirror.path) as second, FrontEnd(mirror.path) as third:
        assert second.ask(fe.GET_FEATURES) and third.ask(fe.GET_FEATURES)
        with FrontEnd(mirror.path, connect=False) as fourth:
            with stopped(mirror.qemu):
                fourth.connect()
                fourth.send(fe.GET_FEATURES, fds=[stuck.take()])
                stuck.forget()
            assert fourth.closed_by_server()
            assert mirror.qmp.execute("query-status")["running"]
            assert neighbour.ask(fe.GET_FEATURES) and second.ask(fe.GET_FEATURES)
    stuck.release()
    footprint.wait_back(mirror.qemu, before)


def test_enough_of_them_and_nobody_new_is_accepted(run):
    """Each connection leaves one behind. Existing connections are served; new ones have to wait."""
    with Mirror(run) as mirror, FrontEnd(mirror.path) as neighbour, contextlib.closing(silent_files(MOST_CLOSING)) as stuck:
        neighbour.start()
        mirror.wait_link()
        before = footprint.Footprint(mirror.qemu)
        for _ in range(MOST_CLOSING):
            with FrontEnd(mirror.path) as origin:
                origin.send(fe.GET_FEATURES, fds=[stuck.take()])
                assert origin.closed_by_server()
        wait_for("all that hangs", lambda: hanging(mirror.qemu) == MOST_CLOSING)
        with FrontEnd(mirror.path) as late:
            late.send(fe.GET_FEATURES)
            wait_for("the pause", lambda: "accepts nobody for now" in mirror.qemu.output())
            assert neighbour.ask(fe.GET_FEATURES) and mirror.qmp.execute("query-status")["running"]
            assert mirror.info()["servers"][0]["accepted"] == 1 + MOST_CLOSING
            stuck.release()
            assert late.receive()[0] == fe.GET_FEATURES
        assert mirror.qemu.output().count("accepts nobody for now") == 1
        footprint.wait_back(mirror.qemu, before)


def test_a_sandbox_lets_them_be_closed(run):
    """The sandbox allows the closer threads, although spawn=deny."""
    sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    with Mirror(run, args=["-sandbox", sandbox]) as mirror, contextlib.closing(silent_files(3)) as stuck:
        for _ in range(3):
            with FrontEnd(mirror.path) as origin:
                origin.send(fe.GET_FEATURES, fds=[stuck.take()])
                assert origin.closed_by_server()
        wait_for("three that hang", lambda: hanging(mirror.qemu) == 3)
        stuck.release()
        wait_for("their end", lambda: not hanging(mirror.qemu))


def test_memory_whose_owner_is_writing_it(run):
    """A write() from memory on a silent FUSE holds the inode lock of its target, the origin's memory."""
    with Mirror(run) as mirror, FrontEnd(mirror.path) as origin, contextlib.closing(silent_files(1)) as stuck:
        origin.greet(fe.F_VHOST_PCI)
        origin.send_info()
        origin.send(fe.SET_FEATURES, packed.FEATURES)
        origin.set_memory()
        packed.rings(origin)
        mirror.wait_link()
        device = mirror.device()
        device.start()
        for slot in range(packed.ENTRIES):
            packed.poke(origin, 0, slot, packed.AVAILABLE)
        for slot in (4, 3):
            mirror.writew(packed.WINDOWS + packed.at(0, slot), packed.RETURNED)

        def write() -> None:
            with contextlib.suppress(OSError):
                os.pwrite(origin.memory_fd, memoryview(page)[:], 0x100000)

        page = mmap.mmap(stuck.take(), 4096, mmap.MAP_SHARED, mmap.PROT_READ)
        owner = threading.Thread(target=write)
        owner.start()
        state = pathlib.Path(f"/proc/self/task/{owner.native_id}/syscall")
        wait_for("the owner's write", lambda: state.read_text().split()[0] == PWRITE)
        # What was half returned is returned all the same
        assert origin.get_base(0) == 0x80058005
        assert [packed.peek(origin, 0, slot) for slot in range(6)] == [packed.RETURNED] * 5 + [packed.AVAILABLE]
        assert mirror.qmp.execute("query-status")["running"] and owner.is_alive()
        stuck.release()
        owner.join()


def test_a_chardev_goes_with_such_a_descriptor_in_its_backlog(run):
    """The backlog of the listening socket is closed with it, and what has been sent there."""
    stuck = LingeringSockets()
    with OwnMirror(run) as mirror, contextlib.closing(stuck), FrontEnd(mirror.path, connect=False) as late:
        before = footprint.Footprint(mirror.qemu)
        mirror.qmp.execute("device_del", {"id": "vpn0"})
        mirror.outl(PCIHP_SELECT, 0)
        mirror.outl(PCIHP_EJECT, 1 << 9)
        wait_for("the end of the device", lambda: not mirror.info()["servers"])
        late.connect()
        late.send(fe.GET_FEATURES, fds=[stuck.take()])
        stuck.forget()

        def removed() -> bool:
            # The device goes a little later than it says
            with contextlib.suppress(QmpError):
                mirror.qmp.execute("chardev-remove", {"id": "own"})
                return True
            return False

        wait_for("the end of the chardev", removed)
        wait_for("what hangs", lambda: hanging(mirror.qemu))
        assert mirror.qmp.execute("query-status")["running"]
        stuck.release()
        footprint.wait_back(mirror.qemu, before)


def test_a_vm_ends_with_such_a_descriptor_in_its_backlog(run):
    with contextlib.closing(LingeringSockets()) as stuck, Mirror(run) as mirror, FrontEnd(mirror.path, connect=False) as late:
        with stopped(mirror.qemu):
            late.connect()
            late.send(fe.GET_FEATURES, fds=[stuck.take()])
            stuck.forget()
            mirror.qemu.process.terminate()     # taken note of before anything is accepted, or not
        mirror.qemu.wait(10 * TIMES)


# -- the origin: what its server may send ------------------------------------------------------------------------------
def with_the_first_reply(server, fd): server.reply(fe.GET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES, [fd])
def with_a_request(server, fd): server.request(fe.LINK, 1, [fd])
def unread_behind_rubbish(server, fd): server.send_raw(b"\xff" * 12 + b"more"), server.send_raw(b"!", [fd])


@pytest.mark.parametrize("way", [with_the_first_reply, with_a_request, unread_behind_rubbish], ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", [LingeringSockets, SilentFiles], ids=lambda kind: kind.name)
def test_the_origin_goes_on(run, kind, way):
    with FakeServer(run / "server") as server, Origin(run, server.path, chardev=",reconnect=1") as origin, \
            contextlib.closing(silent_files(1) if kind is SilentFiles else LingeringSockets()) as stuck:
        server.accept()
        server.shake_hands()
        wait_for("the link", lambda: origin.client()["link"])
        before = footprint.Footprint(origin.qemu)
        server.accept()
        with stopped(origin.qemu):
            way(server, stuck.take())
            stuck.forget()
        assert server.closed_by_client()
        assert origin.qmp.execute("query-status")["running"]
        assert origin.client()["state"] != "connected"
        # And back to normal, beside what hangs
        server.accept()
        server.shake_hands()
        wait_for("the link", lambda: origin.client()["link"])
        stuck.release()
        footprint.wait_back(origin.qemu, before)
