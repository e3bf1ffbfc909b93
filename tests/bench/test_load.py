# SPDX-License-Identifier: GPL-2.0-or-later
"""What pktgen is told."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from load import LARGEST_BURST, pace  # noqa: E402


def burst_and_delay(rate: float | None) -> tuple[int, int]:
    burst, delay = pace(rate)
    assert (burst.split()[0], delay.split()[0]) == ("burst", "delay")
    return int(burst.split()[1]), int(delay.split()[1])


def test_a_flood_has_no_delay():
    assert burst_and_delay(None) == (LARGEST_BURST, 0)


@pytest.mark.parametrize("rate", [1, 999.5, 3999, 4000, 10_000, 47_123.4, 128_000, 400_000, 3e6])
def test_the_rate_is_the_one_asked_for(rate):
    burst, delay = burst_and_delay(rate)
    assert 1 <= burst <= LARGEST_BURST
    assert burst * 1e9 / delay == pytest.approx(rate, rel=0.001)


@pytest.mark.parametrize("rate", [100, 7_999, 8_000, 10_000, 50_000, 150_000])
def test_pktgen_sleeps_between_bursts(rate):
    # From 100 us on; a burst takes some of the time itself.
    assert burst_and_delay(rate)[1] > 200_000 * 0.99
