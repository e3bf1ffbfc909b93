# SPDX-License-Identifier: GPL-2.0-or-later
"""Origin and mirror, both real machines: a notification goes from one guest to the other."""
import time

from .frozen import frozen
from .virtio import CONFIG_VECTOR

COUNT = 100


def deliver(sender, address, receiver, vector, count):
    before = receiver.interrupts(vector)
    for number in range(1, count + 1):
        sender.do("write32" if address & 3 == 0 else "write16", address)
        receiver.wait_interrupts(vector, before + number)


def routes(two):
    """Both directions of both rings."""
    for queue in (0, 1):
        yield two.origin, two.nic.notify_at[queue], two.mirror, queue
        yield two.mirror, two.device.doorbell(queue), two.origin, queue


def test_each_notification_arrives(two):
    two.mirror.settle()
    machines = (two.origin, two.mirror)
    before = [machine.all_interrupts() for machine in machines]
    exits = [machine.exits() for machine in machines]
    for route in routes(two):
        deliver(*route, COUNT)
    two.mirror.settle()
    if two.mirror.kvm:
        assert [machine.exits() for machine in machines] == exits
    for machine, old in zip(machines, before):
        assert [new - was for new, was in zip(machine.all_interrupts(), old)] == [COUNT, COUNT] + [0] * 14
        assert not machine.stray


def test_with_both_main_threads_frozen(two):
    for sender, address, receiver, vector in routes(two):
        before = receiver.interrupts(vector)
        with frozen(two.origin, two.mirror):
            if two.mirror.kvm:
                deliver(sender, address, receiver, vector, COUNT)
            else:
                sender.do("write32", address)
                time.sleep(0.05)
                assert receiver.interrupts(vector) == before
        receiver.wait_interrupts(vector, before + 1)


def test_memory_both_ways(two):
    two.origin.memory[0x700000:0x700008] = b"originXX"
    assert two.mirror.far_read(0x700000).to_bytes(4, "little") == b"orig"
    two.mirror.far_write(0x700004, 0x4f4c4c45)
    assert two.origin.memory[0x700000:0x700008] == b"origELLO"
    ring = two.device.config().rings[0]
    assert (ring.desc, ring.avail, ring.used) == tuple(two.nic.memory + 0x4000 * part for part in range(3))


def test_the_origin_is_killed(two):
    two.origin.memory[0x700000:0x700004] = b"here"
    assert two.mirror.far_read(0x700000)
    before = two.mirror.interrupts(CONFIG_VECTOR)
    two.origin.qemu.kill()
    two.mirror.wait_interrupts(CONFIG_VECTOR, before + 1)
    assert two.mirror.far_read(0x700000) == 0
    assert not two.device.config().up
    two.mirror.do("repeat32", two.device.doorbell(0), count=10)
    assert two.mirror.qmp.execute("query-status")["running"]
