# SPDX-License-Identifier: GPL-2.0-or-later
"""What the managed library costs a QEMU process (under 10 ms, under 10 MB, one thread beside the one for closing, no garbage on the hot paths)."""
import time

from tests.lab.footprint import POOL
from tests.lab.qtest import QTest

from .mirror import Mirror

# What was asked for: 2 ms is usual, 6 to 17 ms it was when the runtime had to register for membarrier by itself
FIRST_CALL_US = 10_000


def own_threads(vm) -> list[str]:
    return [name for name in vm.qemu.threads() if name not in POOL]


def test_start_up(run):
    first_calls = []
    # The best of some: on a busy machine a single figure is about the machine
    for attempt in range(20):
        with QTest(run, f"plain{attempt}", []) as plain, Mirror(run, name=f"mirror{attempt}") as mirror:
            time.sleep(0.2)
            runtime = mirror.info()["runtime"]
            extra = mirror.qemu.rss_bytes() - plain.qemu.rss_bytes()
            threads = len(own_threads(mirror)) - len(own_threads(plain))
        assert runtime["flavour"] == "nativeaot"
        assert extra < 10 << 20
        assert threads == 2         # the runtime's, and the one that closes what peers send
        first_calls.append(runtime["first-call-us"])
        if attempt >= 2 and min(first_calls) < FIRST_CALL_US:
            break
    print(f"load and first call {first_calls} us, RSS +{extra >> 10} KiB, threads +{threads}")
    assert 0 < min(first_calls) < FIRST_CALL_US


def test_no_garbage_on_the_hot_paths(linked):
    mirror, origin, device = linked

    def allocated() -> int:
        return mirror.info()["runtime"]["allocated"]

    def asked_twice() -> int:
        before = allocated()
        mirror.peers()
        return allocated() - before

    device.config()
    idle = max(asked_twice() for _ in range(4))         # what asking costs
    before = allocated()
    for _ in range(1000):
        device.ring_doorbell(0)
        origin.kick(1)
    for _ in range(100):
        device.config()                         # 128 bytes and more: 128 reads of the configuration
    device.ack(device.config().epoch)
    time.sleep(0.2)
    assert mirror.peers()[0]["rings"][0]["doorbells"] >= 1000
    after = allocated()
    # the runtime counts what it hands out in pieces of 8 KiB; the smallest object for each event would be 24 KiB
    assert after - before <= idle + 8200, (idle, after - before)
