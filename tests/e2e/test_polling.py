# SPDX-License-Identifier: GPL-2.0-or-later
"""Other ways to call the mirror's receive work: a thread for each NAPI context, and sockets that poll. One pair, booted once."""
import re

import pytest

from lab import guests, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP

pytestmark = pytest.mark.usefixtures("clean_kernels")


def kicks(pair: guests.Pair) -> int:
    text = pair.mirror.command(f"/usr/sbin/ethtool -S {pair.mirror.wait_interface(MIRROR_IP)}")
    return int(re.search(r"origin0_tx_kicks: (\d+)", text).group(1))


def check_traffic(pair: guests.Pair) -> None:
    assert pair.origin.ping(MIRROR_IP, 20, 0.02).lossless
    for source, target, address in ((pair.origin, pair.mirror, MIRROR_IP), (pair.mirror, pair.origin, ORIGIN_IP)):
        sent, received = traffic.transfer_file(source, target, address, 8)
        assert sent == received


def test_threaded_napi(pair: guests.Pair):
    switch = f"/sys/class/net/{pair.mirror.wait_interface(MIRROR_IP)}/threaded"
    pair.mirror.command(f"echo 1 >{switch}")
    try:
        thread = pair.mirror.command("ps | grep '[n]api/'").split()[0]
        before = pair.mirror.command(f"cut -d' ' -f15 /proc/{thread}/stat; grep ctxt /proc/{thread}/status")
        check_traffic(pair)
        assert pair.mirror.command(f"cut -d' ' -f15 /proc/{thread}/stat; grep ctxt /proc/{thread}/status") != before, "the thread had no work"
    finally:
        pair.mirror.command(f"echo 0 >{switch}")
    check_traffic(pair)


def test_sockets_that_poll(pair: guests.Pair):
    pair.mirror.command("echo 200 >/proc/sys/net/core/busy_read; echo 200 >/proc/sys/net/core/busy_poll")
    try:
        before = kicks(pair)
        check_traffic(pair)
        # It went on asking for kicks after each poll of a socket: without, nothing would have arrived after the socket slept.
        assert kicks(pair) > before
    finally:
        pair.mirror.command("echo 0 >/proc/sys/net/core/busy_read; echo 0 >/proc/sys/net/core/busy_poll")
    check_traffic(pair)
