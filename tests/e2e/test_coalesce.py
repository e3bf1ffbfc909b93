# SPDX-License-Identifier: GPL-2.0-or-later
"""The mirror's waiting for more frames (ethtool -C): as long as it was told, never for ever, and worth it. One pair, booted once."""
import re

import pytest

from lab import guests, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP

pytestmark = pytest.mark.usefixtures("clean_kernels")


@pytest.fixture(autouse=True)
def defaults(pair: guests.Pair):
    yield
    tell(pair, "adaptive-rx on rx-usecs 500 rx-frames 64")


def interface(pair: guests.Pair) -> str:
    return pair.mirror.wait_interface(MIRROR_IP)


def tell(pair: guests.Pair, what: str) -> None:
    # ethtool refuses to change nothing.
    pair.mirror.run(f"/usr/sbin/ethtool -C {interface(pair)} {what}")
    shown = pair.mirror.command(f"/usr/sbin/ethtool -c {interface(pair)}").lower()
    for name, value in re.findall(r"(\S+) (\S+)", what):
        assert re.search(rf"{name.replace('-rx', ' rx')}:\s+{value}\b", shown), shown


def count(pair: guests.Pair, counter: str) -> int:
    return int(re.search(rf"origin0_tx_{counter}: (\d+)", pair.mirror.command(f"/usr/sbin/ethtool -S {interface(pair)}")).group(1))


def wait_idle(pair: guests.Pair) -> None:
    """Returns when the driver has looked at nothing for a second: the last frame is done, and no timer keeps running."""
    polls = f"$(/usr/sbin/ethtool -S {interface(pair)} | grep origin0_tx_polls)"
    pair.mirror.wait_until(f'a="{polls}"; [ "$a" ] && sleep 1 && [ "$a" = "{polls}" ]', 60)


def ping_alone(pair: guests.Pair) -> None:
    assert pair.origin.ping(MIRROR_IP, 1).lossless


def test_the_defaults_do_not_hold_up_a_ping(pair: guests.Pair):
    before = count(pair, "kicks")
    for _ in range(20):
        ping_alone(pair)
    # Each came by its own kick, not by the timer; on a busy machine one may be found while the mirror still looks.
    assert count(pair, "kicks") - before >= 15


def test_a_lone_frame_is_not_held_up_where_the_wait_is_fixed(pair: guests.Pair):
    tell(pair, "adaptive-rx off rx-usecs 10000 rx-frames 64")
    for _ in range(5):
        ping_alone(pair)
        before = count(pair, "kicks")
        wait_idle(pair)
        ping_alone(pair)
        assert count(pair, "kicks") > before


def test_the_timer_ends_a_wait_for_too_few(pair: guests.Pair):
    tell(pair, "adaptive-rx off rx-usecs 10000 rx-frames 64")
    slow = traffic.PacketFlood(pair, 64, delay=1_000_000)
    before = count(pair, "kicks")
    # Fewer than would bring a kick: without the timer the last ones never arrive.
    for _ in range(5):
        slow.burst(50)
    kicks = count(pair, "kicks") - before
    # A pause of the sender ends the waiting, so on a busy machine there are more than the 5 first ones.
    assert kicks <= 5 * 50 / 2, f"{kicks} kicks for {5 * 50} frames"


def test_many_need_no_kick_for_each_frame(pair: guests.Pair):
    tell(pair, "adaptive-rx off rx-usecs 10000 rx-frames 32")
    before = count(pair, "kicks")
    # Slow enough for a look at each frame.
    traffic.PacketFlood(pair, 64, delay=100_000).burst(5000)
    kicks = count(pair, "kicks") - before
    # One for each 32nd, and one after each pause of the sender that is longer than the wait.
    assert kicks <= 5000 / 8, f"{kicks} kicks for 5000 frames"


def test_tcp_arrives_while_the_waits_change(pair: guests.Pair):
    # In a shell of its own: others on this console wait for their children.
    pair.mirror.command("(while [ ! -e /tmp/done ]; do for what in 'adaptive-rx off rx-usecs 200 rx-frames 8' 'rx-usecs 0' "
                        f"'adaptive-rx on rx-usecs 1000'; do /usr/sbin/ethtool -C {interface(pair)} $what; usleep 100000; done; done "
                        ">/dev/null 2>&1 &)")
    try:
        for source, target, address in ((pair.origin, pair.mirror, MIRROR_IP), (pair.mirror, pair.origin, ORIGIN_IP)):
            sent, received = traffic.transfer_file(source, target, address, 8)
            assert sent == received
    finally:
        pair.mirror.command("touch /tmp/done")


def test_nonsense_is_refused(pair: guests.Pair):
    assert pair.mirror.run(f"/usr/sbin/ethtool -C {interface(pair)} rx-usecs 20000").status != 0
    assert pair.mirror.run(f"/usr/sbin/ethtool -C {interface(pair)} tx-usecs 5").status != 0
