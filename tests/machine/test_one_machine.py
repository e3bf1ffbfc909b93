# SPDX-License-Identifier: GPL-2.0-or-later
"""One mirror and an origin that is this test: every doorbell and every interrupt is counted where it arrives."""
import os
import re

import pytest

from tests.lab import footprint

from tests.qtest import front_end as fe
from tests.qtest.front_end import FrontEnd, memory, region
from tests.qtest.mirror import wait_for

from .frozen import frozen
from .guest import FIRST_VECTOR
from .machines import FakeOriginLink
from .virtio import CONFIG_VECTOR, MSIX_ENABLE, MSIX_MASK_ALL, NO_VECTOR

SET_ROUTES = "kvm_vm_ioctl type 0x4008ae6a,"       # KVM_SET_GSI_ROUTING
RINGS = (0, 1)


def test_every_doorbell_arrives(link):
    guest, device = link.mirror, link.device
    exits = guest.exits()
    guest.do("repeat32", device.doorbell(0), count=200)
    guest.do("repeat32", device.doorbell(1), count=3)
    assert [link.doorbells(fd) for fd in link.calls] == [200, 3]
    if guest.kvm:
        assert guest.exits() == exits
        with frozen(guest):
            guest.do("repeat32", device.doorbell(0), count=200)
            assert [link.doorbells(fd) for fd in link.calls] == [200, 0]
    else:
        assert sum(ring["doorbells"] for ring in guest.peers()[0]["rings"]) == 203


@pytest.mark.parametrize("ring", RINGS)
def test_every_kick_interrupts(link, ring):
    link.check_kicks(ring, ring, count=200)
    counted = link.mirror.peers()[0]["rings"][ring]
    assert (counted["kicks"], counted["interrupts"]) == ((0, 0) if link.mirror.kvm else (201, 201))


def test_a_halted_guest_wakes_up(link):
    guest = link.mirror
    for number in range(1, 21):
        guest.halt()
        link.kick(0)
        guest.wait_done()
        guest.wait_interrupts(0, number)


def mask_vector(device, on): device.mask(0, on)
def mask_function(device, on): device.set_msix(MSIX_ENABLE | (MSIX_MASK_ALL if on else 0))


@pytest.mark.parametrize("mask", [mask_vector, mask_function])
def test_a_kick_while_masked_pends_and_fires_once(link, mask):
    guest, device = link.mirror, link.device
    for number in range(1, 31):
        mask(device, True)
        link.kick(0)
        link.kick(0)
        link.wait_taken(0)
        wait_for("the pending bit", lambda: device.pending(0))
        assert guest.interrupts(0) == number - 1
        mask(device, False)
        guest.wait_interrupts(0, number)
        assert not device.pending(0)
    guest.settle()
    assert guest.interrupts(0) == 30
    for ring in RINGS:
        link.check_kicks(ring, ring)


def test_a_kick_that_nobody_saw_while_masked(link):
    """The main loop is stopped, so the kick is in the eventfd alone when the vector is unmasked."""
    guest, device = link.mirror, link.device
    device.mask(0)
    with frozen(guest):
        link.kick(0)
        device.mask(0, False)
        if guest.kvm:
            guest.wait_interrupts(0, 1)
    guest.wait_interrupts(0, 1)
    guest.settle()
    assert guest.all_interrupts()[:3] == [1, 0, 0]
    link.check_kicks(0, 0)


def test_masking_and_kicking_at_once(link):
    """The kick comes before, during or after the masking: one interrupt in each case."""
    guest, device = link.mirror, link.device
    for _ in range(100):
        before = guest.interrupts(1)
        guest.post("repeat32", device.table + 16 + 12, 1)
        link.kick(1)
        guest.wait_done()
        device.mask(1, False)
        guest.wait_interrupts(1, before + 1)
    guest.settle()
    assert guest.interrupts(1) == 100


def test_msix_off_and_on(link):
    guest, device = link.mirror, link.device
    device.set_msix(0)
    device.take_isr()
    link.kick(0)
    wait_for("the interrupt by pin", lambda: device.take_isr() & 1)
    assert not any(guest.all_interrupts()) and not guest.stray
    device.set_msix(MSIX_ENABLE)
    for ring in RINGS:
        link.check_kicks(ring, ring)


def test_msix_on_after_the_driver(link):
    device = link.device
    device.reset()
    device.set_msix(0)
    device.start(msix=False)
    device.ack()
    device.take_isr()
    link.kick(0)
    wait_for("the interrupt by pin", lambda: device.take_isr() & 1)
    device.set_msix(MSIX_ENABLE)
    for ring in RINGS:
        link.check_kicks(ring, ring)


def test_another_vector_for_a_running_queue(link):
    guest, device = link.mirror, link.device
    link.check_kicks(0, 0)
    device.set_vector(0, CONFIG_VECTOR)
    link.check_kicks(0, CONFIG_VECTOR)
    link.check_kicks(1, 1)

    device.set_vector(0, NO_VECTOR)
    before = guest.all_interrupts()
    link.kick(0)
    link.wait_taken(0)
    guest.settle()
    assert guest.all_interrupts() == before

    device.mask(0)
    device.set_vector(0, 0)
    link.kick(0)
    wait_for("the pending bit", lambda: device.pending(0))
    assert guest.all_interrupts() == before
    device.mask(0, False)
    guest.wait_interrupts(0, before[0] + 1)
    link.check_kicks(0, 0)


def test_two_queues_share_a_vector(link):
    link.device.set_vector(1, 0)
    link.check_kicks(1, 0)
    link.check_kicks(0, 0)
    link.device.mask(0)
    link.kick(0)
    link.kick(1)
    for ring in RINGS:
        link.wait_taken(ring)
    link.device.mask(0, False)
    link.mirror.wait_interrupts(0, 43)
    link.device.set_vector(1, 1)
    link.check_kicks(1, 1)


def test_another_message_for_a_vector(link):
    link.check_kicks(0, 0)
    link.device.mask(0)
    link.device.set_message(0, FIRST_VECTOR + 5)
    link.check_kicks(0, 5)


def test_reset(link):
    guest, device = link.mirror, link.device
    link.check_kicks(0, 0)
    before = guest.all_interrupts()
    device.reset()
    for ring in RINGS:
        link.kick(ring)
        link.wait_taken(ring)
    guest.settle()
    assert guest.all_interrupts() == before and not guest.stray
    device.start()
    device.ack()
    guest.settle()
    for ring in RINGS:
        link.check_kicks(ring, ring)


def test_reset_of_the_machine(link):
    guest = link.mirror
    link.check_kicks(0, 0)
    before = guest.all_interrupts()
    guest.restart()
    guest.run_firmware()
    link.kick(0)
    link.wait_taken(0)
    guest.settle()
    assert guest.all_interrupts() == before and not guest.stray
    assert guest.traced("kvm_irqchip_add_msi_route") == guest.traced("kvm_irqchip_release_virq")
    link.device = guest.device()
    link.device.start()
    link.device.ack()
    guest.settle()
    for ring in RINGS:
        link.check_kicks(ring, ring)


def test_link_down_and_up(link):
    guest, device = link.mirror, link.device
    old = link.kicks
    link.memory[0x5000:0x5004] = b"here"
    assert guest.far_read(0x5000) == int.from_bytes(b"here", "little")
    slots = guest.traced("kvm_set_user_memory")
    link.stop()
    guest.wait_interrupts(CONFIG_VECTOR, 1)
    assert guest.far_read(0x5000) == 0
    guest.far_write(0x5000, 0x12345678)
    assert link.memory[0x5000:0x5004] == b"here"
    before = guest.all_interrupts()
    guest.do("write32", device.doorbell(0))
    for ring in RINGS:
        link.kick(ring)
    guest.settle()
    assert guest.all_interrupts() == before and not any(link.doorbells(fd) for fd in link.calls)

    device.ack()
    link.start_again()
    device.ack()
    assert guest.far_read(0x5000) == int.from_bytes(b"here", "little")
    assert guest.traced("kvm_set_user_memory") == slots
    guest.settle()
    for ring in RINGS:
        link.check_kicks(ring, ring)
    guest.do("write32", device.doorbell(1))
    assert [link.doorbells(fd) for fd in link.calls] == [0, 1]
    before = guest.all_interrupts()
    os.eventfd_write(old[0], 1)
    guest.settle()
    assert guest.all_interrupts() == before


def test_the_window(link):
    guest, device = link.mirror, link.device
    size = device.config().window_size
    link.memory[0x7000:0x7008] = b"originXX"
    assert guest.far_read(0x7000).to_bytes(4, "little") == b"orig"
    guest.far_write(0x7004, 0x4f4c4c45)
    guest.far_write(len(link.memory) - 4, 0x11223344)
    assert link.memory[0x7000:0x7008] == b"origELLO" and link.memory[-4:] == b"\x44\x33\x22\x11"
    assert guest.far_read(len(link.memory)) == 0
    if guest.kvm:
        slots = re.findall(rf"kvm_set_user_memory .* gpa=0x{device.window:x} size=0x([0-9a-f]+) .* ret=0", guest.qemu.output())
        assert [int(slot, 16) for slot in slots] == [size]


def test_kvm_gets_its_routes_once_for_all_rings(link):
    """A change of the routes waits for all of KVM's readers of them."""
    guest, device = link.mirror, link.device
    if not guest.kvm:
        pytest.skip("KVM's routes")
    link.stop()
    before = guest.traced(SET_ROUTES), guest.traced("vhost_pci_irqfd")
    device.ack()
    link.start_again()
    device.ack()
    assert (guest.traced(SET_ROUTES), guest.traced("vhost_pci_irqfd")) == (before[0] + 1, before[1] + len(RINGS))
    for ring in RINGS:
        link.check_kicks(ring, ring)


def test_unplug_leaves_nothing_behind(mirror):
    def routes() -> int:
        return mirror.traced("kvm_irqchip_add_msi_route") - mirror.traced("kvm_irqchip_release_virq")

    def come_and_go() -> None:
        changes = mirror.traced("vhost_pci_irqfd")
        with FakeOriginLink(mirror) as link:
            for _ in range(10):
                link.device.mask(0)
                link.device.mask(0, False)
                link.device.set_msix(0)
                link.device.set_msix(MSIX_ENABLE)
                link.device.set_vector(1, CONFIG_VECTOR)
                link.device.set_vector(1, 1)
            if mirror.kvm:
                assert routes() == before + 2
                assert mirror.traced("vhost_pci_irqfd") - changes == 2 + 10 * (2 + 4 + 4)
            link.check_kicks(0, 0)
            slot = mirror.peers()[0]["slot"]
        mirror.wait_link(False)
        mirror.eject(slot)
        assert routes() == before

    before = routes()
    held = footprint.Footprint(mirror.qemu)
    for _ in range(3):
        come_and_go()
        footprint.wait_back(mirror.qemu, held)


def test_one_eventfd_for_both_rings(mirror):
    """KVM takes an eventfd once. The origin hurts only itself: somebody gets each kick, QEMU goes on."""
    with FrontEnd(mirror.path) as origin:
        origin.greet()
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        origin.set_memory()
        kick, _ = origin.set_ring(0)
        origin.set_ring(1, kick=kick)
        mirror.wait_link()
        device = mirror.device()
        device.start()
        device.ack()
        for number in range(1, 11):
            os.eventfd_write(kick, 1)
            wait_for("an interrupt", lambda n=number: sum(mirror.all_interrupts()[:2]) >= n)
        assert mirror.peers()[0]["link"]
        device.reset()
    wait_for("the link to go", lambda: not mirror.peers()[0]["link"])


def bad_call(origin):
    read, write = os.pipe()
    origin.own(read)
    origin.set_ring(0, call=origin.own(write))


def bad_memory(origin):
    origin.set_memory([region()], [origin.own(memory(seal=False))])


@pytest.mark.parametrize("misdeed", [bad_call, bad_memory])
def test_refused_and_the_machine_lives(mirror, misdeed):
    """A pipe as call would end QEMU in its ioeventfd code; memory that shrinks ends it with SIGBUS."""
    with FrontEnd(mirror.path) as origin:
        origin.greet()
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        if misdeed is bad_call:
            origin.set_memory()
        try:
            misdeed(origin)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert origin.closed_by_server()
    assert mirror.info()["servers"][0]["refused"] == 1
    for peer in mirror.peers():
        mirror.eject(peer["slot"])
    assert not mirror.peers()
    with FakeOriginLink(mirror) as link:
        link.check_kicks(0, 0)
