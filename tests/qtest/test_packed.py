# SPDX-License-Identifier: GPL-2.0-or-later
"""Packed rings, as the messages and the device's configuration have them; what is on the ring is written by hand."""
import os
import struct

import pytest

from .front_end import F_PROTOCOL_FEATURES, F_VHOST_PCI, SET_FEATURES, SET_VRING_ENABLE, FrontEnd
from .mirror import WINDOWS

VERSION_1, PACKED, IN_ORDER = 1 << 32, 1 << 34, 1 << 35
FEATURES = VERSION_1 | PACKED | IN_ORDER | F_PROTOCOL_FEATURES
ENTRIES = 100                   # no power of two
AVAILABLE, USED = 1 << 7, 1 << 15
RETURNED = AVAILABLE | USED
FRESH = 0x8000                  # slot 0, wrap counter 1


def at(ring: int, slot: int) -> int:
    """Of the flags of a descriptor, guest-physical."""
    return 0x10000 * (1 + ring) + 16 * slot + 14


def poke(front_end: FrontEnd, ring: int, slot: int, flags: int) -> None:
    os.pwrite(front_end.memory_fd, struct.pack("=H", flags), at(ring, slot))


def peek(front_end: FrontEnd, ring: int, slot: int) -> int:
    return struct.unpack("=H", os.pread(front_end.memory_fd, 2, at(ring, slot)))[0]


@pytest.fixture
def origin(mirror):
    with FrontEnd(mirror.path) as front_end:
        front_end.greet(F_VHOST_PCI)
        front_end.send_info()
        front_end.send(SET_FEATURES, FEATURES)
        front_end.set_memory()
        yield front_end


def rings(front_end: FrontEnd, base: int = FRESH) -> None:
    for ring in range(2):
        front_end.set_ring(ring, ENTRIES, base=base)


def test_the_driver_sees_a_packed_ring_as_it_is(mirror, origin):
    rings(origin)
    mirror.wait_link()
    device = mirror.device()
    device.start()
    config = device.config()
    assert config.up and config.features == FEATURES & ~F_PROTOCOL_FEATURES
    assert [ring.size for ring in config.rings] == [ENTRIES] * 2
    assert config.rings[1].desc == 0x20000 and config.rings[1].avail == 0x22000 and config.rings[1].used == 0x23000


def test_the_position_is_read_from_the_ring_after_the_withdrawal(mirror, origin):
    rings(origin)
    mirror.wait_link()
    device = mirror.device()
    device.start()
    # The mirror's guest returns five of its seven, through the window
    for slot in range(7):
        poke(origin, 1, slot, AVAILABLE)
    for slot in range(5):
        mirror.writew(WINDOWS + at(1, slot), RETURNED)
    assert origin.get_base(1) == 0x80058005
    assert not device.config().up
    assert mirror.readw(WINDOWS + at(1, 4)) == 0
    assert peek(origin, 1, 4) == RETURNED
    assert origin.get_base(0) == 0x80008000


def test_what_was_half_returned_is_returned(mirror, origin):
    rings(origin)
    mirror.wait_link()
    device = mirror.device()
    device.start()
    for slot in range(ENTRIES):
        poke(origin, 0, slot, AVAILABLE)
    # A frame in slots 0 to 4, the last of which come first
    for slot in (4, 3):
        mirror.writew(WINDOWS + at(0, slot), RETURNED)
    assert origin.get_base(0) == 0x80058005
    assert [peek(origin, 0, slot) for slot in range(6)] == [RETURNED] * 5 + [AVAILABLE]


def test_a_ring_starts_where_it_was_told_whatever_another_back_end_left(mirror, origin):
    # In the round with wrap counter 0: a chain of four was returned as others do it, by its first slot
    for slot in range(ENTRIES):
        poke(origin, 0, slot, RETURNED)
    poke(origin, 0, 0, 0)
    for slot in range(1, 4):
        poke(origin, 0, slot, USED)
    poke(origin, 0, 4, USED)
    rings(origin, 4)
    mirror.wait_link()
    assert [peek(origin, 0, slot) for slot in range(6)] == [0, 0, 0, 0, USED, RETURNED]
    assert origin.get_base(0) == 0x00040004


@pytest.mark.parametrize("base", (0x8000 | ENTRIES, ENTRIES, 0x80018002))
def test_an_impossible_position_is_refused(mirror, origin, base):
    try:
        rings(origin, base)
    except (BrokenPipeError, ConnectionResetError):
        pass                    # it was closed while there was more to say
    assert origin.closed_by_server()


def test_a_split_ring_of_such_a_size_is_refused(mirror):
    with FrontEnd(mirror.path) as front_end:
        front_end.greet()
        front_end.send(SET_FEATURES, FEATURES & ~PACKED)
        front_end.set_memory()
        try:
            front_end.set_ring(0, ENTRIES)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert front_end.closed_by_server()


def test_a_ring_stops_and_goes_on_without_being_told_again(mirror, origin):
    rings(origin)
    mirror.wait_link()
    device = mirror.device()
    device.start()
    device.ack(device.config().epoch)
    for slot in range(3):
        mirror.writew(WINDOWS + at(0, slot), RETURNED)
    origin.send(SET_VRING_ENABLE, struct.pack("=II", 0, 0))
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    origin.send(SET_VRING_ENABLE, struct.pack("=II", 0, 1))
    mirror.wait_link()
    assert mirror.readw(WINDOWS + at(0, 2)) == RETURNED
    assert origin.get_base(0) == 0x80038003
