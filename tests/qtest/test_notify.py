# SPDX-License-Identifier: GPL-2.0-or-later
"""Doorbells and interrupts between the two VMs."""
import os
import threading

from . import front_end as fe
from .front_end import FrontEnd, drain
from .mirror import CONFIG_VECTOR, wait_for
from .origin import RX, TX


def test_doorbell_raises_the_origins_interrupt(linked):
    _mirror, origin, device = linked
    origin.take_interrupt()
    assert not origin.take_interrupt()
    for ring in (RX, TX):
        device.ring_doorbell(ring)
        wait_for("the origin's interrupt", origin.take_interrupt)


def test_doorbell_without_ring_does_nothing(linked):
    mirror, origin, device = linked
    origin.take_interrupt()
    for offset in (8, 0x100, 0xffc):
        mirror.writel(device.doorbells + offset, 1)
    mirror.writeb(device.doorbells, 1)
    assert mirror.readl(device.doorbells) == 0
    assert not origin.take_interrupt()


def test_origins_kick_raises_the_rings_vector(linked):
    mirror, origin, device = linked
    for ring in (RX, TX):
        for other in (RX, TX):
            device.take_message(other)
        origin.kick(ring)
        wait_for(f"MSI-X of ring {ring}", lambda: device.take_message(ring))
        assert not device.take_message(1 - ring)
    rings = mirror.peers()[0]["rings"]
    assert rings[TX]["kicks"] >= 1 and rings[TX]["interrupts"] >= 1


def test_the_token_is_completed_once_and_stays(linked):
    """Linux ignores an interrupt of a queue without used entries; one entry that is never popped lets every kick through."""
    _mirror, origin, device = linked
    device.take_message(TX)
    device.post_token(TX)
    wait_for("the token", lambda: device.used_index(TX) == 1)
    wait_for("its interrupt", lambda: device.take_message(TX))
    origin.kick(TX)
    wait_for("the interrupt after the completion", lambda: device.take_message(TX))
    assert device.used_index(TX) == 1


def test_a_driver_that_polls_needs_no_virtqueues(linked):
    mirror, origin, device = linked
    for msix in (True, False):
        device.start(msix, queues=False)
        wait_for("the link", lambda: device.config().up)
        device.ack(device.config().epoch)
        origin.take_interrupt()
        for ring in (RX, TX):
            origin.kick(ring)
            device.ring_doorbell(ring)
            wait_for("the origin's interrupt", origin.take_interrupt)
    assert not any(device.take_message(ring) for ring in (RX, TX)) and mirror.peers()[0]["link"]
    # It hears of a withdrawal, and can go back to interrupts.
    origin.reset_driver()
    wait_for("link down", lambda: not device.config().up)
    device.start()
    origin.start_driver()
    wait_for("the link again", lambda: device.config().up)
    origin.kick(TX)
    wait_for("the kick", lambda: device.take_message(TX))


def test_link_changes_raise_the_config_vector(linked):
    _mirror, origin, device = linked
    device.take_message(CONFIG_VECTOR)
    origin.reset_driver()
    wait_for("the config interrupt", lambda: device.take_message(CONFIG_VECTOR))
    assert not device.config().up


def test_both_rings_are_raised_when_the_link_comes_up(linked):
    """Buffers that the origin queued before the link was up have not been kicked to anyone."""
    mirror, origin, device = linked
    origin.reset_driver()
    mirror.wait_link(False)
    device.ack(device.config().epoch)
    for ring in (RX, TX):
        device.take_message(ring)
    origin.start_driver()
    mirror.wait_link()
    for ring in (RX, TX):
        wait_for(f"the first interrupt of ring {ring}", lambda r=ring: device.take_message(r))


def test_call_and_kick_fds_of_a_hostile_origin_cannot_block(mirror):
    """O_NONBLOCK is shared with the peer, which can clear it and fill the counter."""
    with FrontEnd(mirror.path) as origin:
        (kick0, call0), _ = origin.start()
        mirror.wait_link()
        device = mirror.device()
        device.start()
        os.set_blocking(call0, True)
        os.set_blocking(kick0, True)
        os.eventfd_write(call0, 0xfffffffffffffffe)
        device.ring_doorbell(0)         # would wait for ever in write()
        os.eventfd_write(kick0, 1)
        wait_for("the interrupt", lambda: device.take_message(0))
        assert mirror.qmp.execute("query-status")["running"]
        assert mirror.peers()[0]["link"]


def test_an_origin_that_fills_its_counter_in_between_cannot_block(mirror):
    """The origin fills the counter at any moment, also between a poll() and the write() after it."""
    with FrontEnd(mirror.path) as origin:
        (_, call), _ = origin.start()
        mirror.wait_link()
        device = mirror.device()
        device.start()
        rung, over, waited = threading.Event(), threading.Event(), threading.Event()

        def fill() -> None:
            step = 0
            while not over.is_set():
                rung.clear()
                step = (step + 7) % 97
                for _ in range(20 * step):
                    pass
                try:
                    os.eventfd_write(call, 0xfffffffffffffffe)
                except BlockingIOError:
                    # The last signal came after it was emptied
                    os.eventfd_read(call)
                    continue
                os.set_blocking(call, True)
                # Full until the doorbell is through; one that waits for room shows in that it is not
                if not rung.wait(10) and not over.is_set():
                    waited.set()
                os.set_blocking(call, False)
                os.eventfd_read(call)

        filler = threading.Thread(target=fill)
        filler.start()
        for _ in range(4000):
            device.ring_doorbell(0)
            rung.set()
            if waited.is_set():
                break
        over.set()
        rung.set()
        filler.join()
        assert not waited.is_set()


def test_a_signal_to_the_old_call_is_not_lost(mirror):
    """Until the server has read SET_VRING_CALL the doorbell rings the old eventfd, and without a call none at all."""
    with FrontEnd(mirror.path) as origin:
        (_, old), _ = origin.start()
        mirror.wait_link()
        device = mirror.device()
        device.start()
        device.ack(device.config().epoch)
        new, newest = (origin.own(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)) for _ in range(2))
        origin.send(fe.SET_VRING_CALL, 0, [new])
        wait_for("the new one's first signal", lambda: drain(new))
        drain(old)
        device.ring_doorbell(0)
        assert drain(new) == 1 and not drain(old)
        # No call at all, and then one again
        origin.send(fe.SET_VRING_CALL, 1 << 8)
        assert origin.ask(fe.GET_FEATURES)
        device.ring_doorbell(0)
        origin.send(fe.SET_VRING_CALL, 0, [newest])
        wait_for("what was rung meanwhile", lambda: drain(newest))
        assert not drain(new)
