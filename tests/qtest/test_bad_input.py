# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile and mistaken front-ends: the connection is closed, one line says why, nobody else notices."""
import os
import struct
import tempfile

import pytest

from tests.lab import footprint

from . import front_end as fe
from .front_end import FrontEnd, memory, region
from .mirror import wait_for

MIB = fe.MIB


def bad_header_version(f): f.send(fe.GET_FEATURES, flags=2)
def bad_size(f): f.send(fe.GET_FEATURES, size=0xffffffff)
def bad_payload(f): f.send(fe.SET_FEATURES, b"1234")
def bad_request(f): f.send(63)
def bad_log_base(f): f.send(6, bytes(16), [f.own(memory())])
def bad_rarp(f): f.send(19, 1)
def bad_log_all(f): f.send(fe.SET_FEATURES, 1 << 32 | 1 << 26)
def bad_request_zero(f): f.send(0)
def bad_reply_flag(f): f.send(fe.GET_FEATURES, flags=5)
def bad_features(f): f.send(fe.SET_FEATURES, 1 << 60)
def bad_protocol_features(f): f.send(fe.SET_PROTOCOL_FEATURES, 1 << 63)
def bad_fd_with_get(f): f.send(fe.GET_FEATURES, fds=[f.own(memory())])
def bad_many_fds(f): f.send(fe.SET_MEM_TABLE, bytes(40), fds=[f.own(memory()) for _ in range(20)])
def bad_no_fd(f): f.set_memory([region()], [])
def bad_more_fds(f): f.set_memory([region()], [f.own(memory()), f.own(memory())])
def bad_no_regions(f): f.set_memory([], [])
def bad_count(f): f.send(fe.SET_MEM_TABLE, struct.pack("=II", 0xffff, 0) + region(), [f.own(memory())])
def bad_unsealed(f): f.set_memory([region()], [f.own(memory(seal=False))])
def bad_short(f): f.set_memory([region()], [f.own(memory(8 * MIB))])
def bad_wrap(f): f.set_memory([region(size=2**64 - 4096)], [f.own(memory())])
def bad_offset(f): f.set_memory([region(offset=2**64 - 4096)], [f.own(memory())])
def bad_alignment(f): f.set_memory([region(guest=0x123)], [f.own(memory())])
def bad_above_window(f): f.set_memory([region(guest=1 << 45)], [f.own(memory())])
def bad_zero_size(f): f.set_memory([region(size=0)], [f.own(memory())])
def bad_pipe(f): f.set_memory([region()], [f.own(f.own(os.pipe()[0]) and os.dup(f.fds[-1]))])


def bad_overlap(f):
    f.set_memory([region(), region(guest=8 * MIB, user=fe.USER + 64 * MIB)], [f.own(memory()), f.own(memory())])


def bad_disk_file(f):
    with tempfile.TemporaryFile(dir="/var/tmp") as file:
        file.truncate(16 * MIB)
        f.set_memory([region()], [file.fileno()])


def bad_read_only(f):
    fd = f.own(memory())
    f.set_memory([region()], [f.own(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY))])


def bad_kick_is_a_pipe(f):
    f.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
    read, write = os.pipe()
    f.own(read)
    f.send(fe.SET_VRING_KICK, 0, [f.own(write)])


def bad_call_is_a_pipe(f):
    read, write = os.pipe()
    f.own(read)
    f.send(fe.SET_VRING_CALL, 0, [f.own(write)])


def bad_ring_index(f): f.send(fe.SET_VRING_NUM, struct.pack("=II", 0x10000, 256))
def bad_ring_index_2(f): f.send(fe.SET_VRING_NUM, struct.pack("=II", 64, 256))
def bad_ring_size(f): f.send(fe.SET_VRING_NUM, struct.pack("=II", 0, 257))
def bad_ring_size_zero(f): f.send(fe.SET_VRING_NUM, struct.pack("=II", 0, 0))
def bad_ring_huge(f): f.send(fe.SET_VRING_NUM, struct.pack("=II", 0, 0x20000))
def bad_enable(f): f.send(fe.SET_VRING_ENABLE, struct.pack("=II", 0xffffffff, 1))


def bad_ring_address(f):
    f.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
    f.set_memory()
    f.set_ring(0, desc=15 * MIB + 0xff000)      # the used ring would end behind the region
    f.set_ring(1)


BAD = [value for name, value in sorted(globals().items()) if name.startswith("bad_")]


@pytest.fixture(scope="module")
def mirror_and_neighbour():
    """One mirror for all cases, with a well-behaved origin that must not notice anything."""
    from tests.lab.process import RunDir, stop_all
    from .mirror import Mirror
    with RunDir("bad-input") as run, Mirror(run) as mirror, FrontEnd(mirror.path) as neighbour:
        neighbour.start()
        mirror.wait_link()
        yield mirror, neighbour
        stop_all()


@pytest.mark.parametrize("misdeed", BAD, ids=lambda f: f.__name__[4:])
def test_refused(mirror_and_neighbour, misdeed):
    mirror, neighbour = mirror_and_neighbour
    before = footprint.Footprint(mirror.qemu)
    logged = len(mirror.qemu.output())
    refused = mirror.info()["servers"][0]["refused"]
    with FrontEnd(mirror.path) as origin:
        origin.greet()
        try:
            misdeed(origin)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert origin.closed_by_server()
    # A device that was plugged for it stays until the guest ejects it; there is no guest
    for peer in [p for p in mirror.peers() if p["state"] == "leaving"]:
        mirror.eject(peer["slot"])
    wait_for("the neighbour alone", lambda: len(mirror.peers()) == 1)
    footprint.wait_back(mirror.qemu, before)
    assert mirror.info()["servers"][0]["refused"] == refused + 1
    lines = mirror.qemu.output()[logged:].strip().splitlines()
    if not any("suppressed" in line or "more" in line for line in lines):
        assert len(lines) <= 1, lines
    if lines:
        assert str(os.getpid()) in lines[0]
    assert mirror.peers()[0]["link"]
    assert neighbour.ask(fe.GET_FEATURES)


def test_half_a_message_does_not_stop_anyone(mirror):
    with FrontEnd(mirror.path) as slow, FrontEnd(mirror.path) as other:
        slow.send_raw(b"\x01\x00\x00")
        assert other.ask(fe.GET_FEATURES)
        assert mirror.qmp.execute("query-status")["running"]
        assert slow.closed_by_server(timeout=10)
        assert other.ask(fe.GET_FEATURES)


def test_a_peer_that_never_reads_is_closed(mirror):
    with FrontEnd(mirror.path) as deaf, FrontEnd(mirror.path) as other:
        deaf.socket.setblocking(False)

        def closed() -> bool:
            try:
                for _ in range(1000):
                    deaf.send(fe.GET_FEATURES)
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                return True
            return False

        wait_for("the end of the connection", closed)
        assert other.ask(fe.GET_FEATURES)


def test_byte_by_byte_is_fine(mirror):
    with FrontEnd(mirror.path) as origin:
        for byte in struct.pack("=III", fe.GET_FEATURES, 1, 0):
            origin.send_raw(bytes([byte]))
        assert origin.receive()[0] == fe.GET_FEATURES


def test_unsealed_memory_with_the_users_consent(run):
    from .mirror import Mirror
    with Mirror(run, options=",allow-unsealed=on") as mirror, FrontEnd(mirror.path) as origin:
        origin.greet()
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        origin.set_memory([region()], [origin.own(memory(seal=False))])
        origin.set_ring(0)
        origin.set_ring(1)
        mirror.wait_link()


def test_get_vring_base_says_where_the_ring_is(mirror):
    """The used index counts, not a number on the wire; and the answer comes when the window is withdrawn."""
    with FrontEnd(mirror.path) as origin:
        origin.greet()
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        fd = origin.own(memory())
        origin.set_memory([region()], [fd])
        origin.set_ring(0)
        origin.set_ring(1)
        mirror.wait_link()
        os.pwrite(fd, struct.pack("<HH", 0, 4711), 0x10000 + 0x3000)
        origin.send(fe.GET_VRING_BASE, struct.pack("=II", 0, 0))
        assert origin.receive() == (fe.GET_VRING_BASE, struct.pack("=II", 0, 4711))
        assert not mirror.peers()[0]["link"] and mirror.peers()[0]["mapped"] == 0


def test_window_that_the_firmware_made_too_small(run):
    """The real window is looked at when an origin connects; the line says what the firmware gave and what to change."""
    from .mirror import BUS, MEMORY, WINDOWS, Mirror
    with Mirror(run, firmware=False) as mirror, FrontEnd(mirror.path) as origin:
        bridge, = mirror.find_pci(0x1b36, 0x0001)
        bridge.set_up_bridge(BUS, memory=(MEMORY, MEMORY + 0x3fffff), prefetchable=(WINDOWS, WINDOWS + (2 << 30) - 1))
        origin.greet()
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        origin.set_memory()
        assert origin.closed_by_server()
        line = mirror.qemu.output()
        assert "2 GiB" in line and "4 GiB" in line and "slot-size" in line, line


def test_window_without_an_address(run):
    """A BAR that found no room is silent in a PC; at DRIVER_OK the log says which option to add, and the link stays down."""
    from .mirror import Mirror
    with Mirror(run) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        device = mirror.device()
        device.pci.set_bar(2, 0xffffffff00000000)
        device.start()
        peer = mirror.wait_link(False)
        assert peer["driver-ok"] and peer["mapped"] == 0
        line = mirror.qemu.output()
        assert "BAR" in line and ("pci-hole64-size" in line or "slot-size" in line), line
        assert not device.config().up
