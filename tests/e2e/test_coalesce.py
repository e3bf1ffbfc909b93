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


def test_the_defaults_do_not_hold_up_a_ping(pair: guests.Pair):
    before = count(pair, "kicks")
    assert pair.origin.ping(MIRROR_IP, 50, 0.02).lossless
    # Each came by its own kick, not by the timer.
    assert count(pair, "kicks") - before >= 45


def test_a_lone_frame_waits_for_the_timer_and_no_longer(pair: guests.Pair):
    tell(pair, "adaptive-rx off rx-usecs 10000 rx-frames 64")
    pair.origin.ping(MIRROR_IP, 2)
    before = count(pair, "kicks")
    ping = pair.origin.ping(MIRROR_IP, 10, 0.05)
    assert ping.lossless and ping.average_ms > 4, str(ping)
    # Without a timer they would come by the kick of every 64th.
    assert count(pair, "kicks") - before <= 2


def test_bulk_needs_no_kick_for_each_frame(pair: guests.Pair):
    tell(pair, "adaptive-rx off rx-usecs 10000 rx-frames 32")
    flood = traffic.PacketFlood(pair, 64)
    before = count(pair, "kicks")
    flood.start()
    received = f"/sys/class/net/{flood.receiver}/statistics/rx_packets"
    # A busy machine may take its time to send them, and to deliver the last ones.
    pair.mirror.wait_until(f'[ "$(cat {received})" -gt {flood.before + 2000} ]', 60)
    sent = flood.stop().sent
    pair.mirror.wait_until(f'[ "$(cat {received})" = {flood.before + sent} ]', 20)
    kicks = count(pair, "kicks") - before
    assert kicks <= sent / 32 + 20, f"{kicks} kicks for {sent} frames"


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
