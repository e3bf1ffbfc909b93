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


def ring_at(f, desc):
    f.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
    f.set_memory()
    f.set_ring(0, desc=desc)
    f.set_ring(1)


# The table is the first of the three areas, the available ring 0x2000 and the used ring 0x3000 behind it.
def bad_ring_descriptors(f): ring_at(f, 16 * MIB - 0x800)
def bad_ring_available(f): ring_at(f, 16 * MIB - 0x2000 - 16)
def bad_ring_used(f): ring_at(f, 16 * MIB - 0x3000 - 16)
def bad_ring_alignment(f): ring_at(f, 8 * MIB + 8)


# What query-vhost-pci says of each: the part that no other case has.
REASONS = {
    "above_window": "its memory ends at 0x200001000000, which no window",
    "alignment": "memory region 0x123+0x1000000 at 0x0 of its file is not aligned to its pages of 4096 bytes",
    "call_is_a_pipe": "the descriptor for ring 0 is not an eventfd",
    "count": "SetMemoryTable whose count does not fit its 40 bytes",
    "disk_file": "is not a file on tmpfs or hugetlbfs",
    "enable": "ring 4294967295: 32 queue pairs are the most",
    "fd_with_get": "GetFeatures with 1 descriptors",
    "features": "feature bits 0x1000000000000000 were not offered",
    "header_version": "protocol version 2",
    "kick_is_a_pipe": "the descriptor for ring 0 is not an eventfd",
    "log_all": "the dirty log (feature bit 26) was not offered",
    "log_base": "request 6 is about the dirty log",
    "many_fds": "descriptors were lost: too many with one message",
    "more_fds": "SetMemoryTable with 2 descriptors",
    "no_fd": "SetMemoryTable with 0 descriptors",
    "no_regions": "SetMemoryTable with 8 bytes of payload",
    "offset": "memory region 0xfffffffffffff000+0x1000000 wraps around in its file",
    "overlap": "memory region at 0x800000 overlaps the one at 0x0",
    "payload": "SetFeatures with 4 bytes of payload",
    "pipe": "is not a file on tmpfs or hugetlbfs",
    "protocol_features": "protocol feature bits 0x8000000000000000 were not offered",
    "rarp": "SEND_RARP without its protocol feature",
    "read_only": "is not open for reading and writing",
    "reply_flag": "a reply where a request belongs",
    "request": "unknown request 63",
    "request_zero": "unknown request 0",
    "ring_alignment": "descriptor table",
    "ring_available": "the available ring at user address",
    "ring_descriptors": "the descriptor table at user address",
    "ring_huge": "a split ring of 131072 entries",
    "ring_index": "ring 65536: 32 queue pairs are the most",
    "ring_index_2": "ring 64: 32 queue pairs are the most",
    "ring_size": "a split ring of 257 entries",
    "ring_size_zero": "a split ring of 0 entries",
    "ring_used": "the used ring at user address",
    "short": "memory region ends at byte 16777216 of a file of 8388608 bytes",
    "size": "4294967295 bytes of payload",
    "unsealed": "is not sealed against shrinking",
    "wrap": "memory region 0x7f0000000000+0xfffffffffffff000 wraps around in user addresses",
    "zero_size": "a memory region of 0 bytes",
}

BAD = {name.removeprefix("bad_"): value for name, value in sorted(globals().items()) if name.startswith("bad_")}


@pytest.fixture(scope="module")
def mirror_and_neighbour():
    """One mirror for all cases, with a well-behaved origin that must notice nothing."""
    from tests.lab.process import RunDir, stop_all
    from .mirror import Mirror
    with RunDir("bad-input") as run, Mirror(run) as mirror, FrontEnd(mirror.path) as neighbour:
        neighbour.start()
        mirror.wait_link()
        yield mirror, neighbour
        stop_all()


def test_each_case_has_its_reason():
    assert sorted(REASONS) == sorted(BAD)


@pytest.mark.parametrize("name", BAD)
def test_refused(mirror_and_neighbour, name):
    mirror, neighbour = mirror_and_neighbour
    before = footprint.Footprint(mirror.qemu)
    logged = len(mirror.qemu.output())
    refused = mirror.info()["servers"][0]["refused"]
    with FrontEnd(mirror.path) as origin:
        origin.greet()
        try:
            BAD[name](origin)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert origin.closed_by_server()
    # A device that was plugged for it stays until the guest ejects it; there is no guest
    for peer in [p for p in mirror.peers() if p["state"] == "leaving"]:
        mirror.eject(peer["slot"])
    wait_for("the neighbour alone", lambda: len(mirror.peers()) == 1)
    footprint.wait_back(mirror.qemu, before)
    server = mirror.info()["servers"][0]
    assert server["refused"] == refused + 1
    who, _, why = server["last-refusal"].partition(": ")
    assert who == f"pid {os.getpid()} uid {os.getuid()}"
    assert REASONS[name] in why
    # The monitor has all of them, the log a few in ten seconds
    lines = mirror.qemu.output()[logged:].strip().splitlines()
    assert len(lines) <= 1, lines
    assert all(f"refused {who}: {why}" in line for line in lines), lines
    assert mirror.peers()[0]["link"]
    assert neighbour.ask(fe.GET_FEATURES)


def test_of_many_refusals_the_log_has_a_few(mirror):
    for _ in range(25):
        with FrontEnd(mirror.path) as origin:
            bad_request(origin)
            assert origin.closed_by_server()
    assert mirror.info()["servers"][0]["refused"] == 25
    lines = mirror.qemu.output().count("unknown request 63")
    # More than ten only if this took more than ten seconds
    assert 10 <= lines < 25


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
    """The used index counts, not a number on the wire; and the answer comes only when the window is withdrawn."""
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
    """When an origin connects, the bridge's real window is checked; the log says what the firmware gave and what to change."""
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
    """A PC says nothing when a BAR finds no room; at DRIVER_OK our log says which option to add, and the link stays down."""
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
