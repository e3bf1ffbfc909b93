# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians, ratios and slopes."""
import pytest
from figures import Record, Records, number, slope, spread


def records() -> Records:
    found = Records()
    for n, (ours, theirs) in enumerate([(10, 20), (30, 90), (11, 20)], 1):
        found.add(Record(2, "equal", "vhost-pci", n, "packets", {"cpu": ours, "only ours": 1}))
        found.add(Record(2, "equal", "stream", n, "packets", {"cpu": theirs}))
    found.add(Record(3, "equal", "stream", 1, "packets", {"cpu": 70}))
    return found


def test_spread_is_median_and_extremes():
    got = spread([3, 1, 2, 50])
    assert (got.median, got.low, got.high, got.count) == (2.5, 1, 50, 4)
    assert str(got) == "2.50 (1.00–50.0)"
    assert str(spread([7])) == "7.00"
    assert spread([]) is None


@pytest.mark.parametrize("value, text", [(0, "0"), (2748.3, "2748"), (99.96, "100.0"), (1.234, "1.23"), (0.0123, "0.012")])
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_slope_is_the_cost_of_one_more():
    assert slope([(2, 16), (3, 23), (4, 30)]) == pytest.approx(7)
    assert slope([(2, 10), (3, 10), (4, 13), (5, 13)]) == pytest.approx(1.2)
    assert slope([(2, 16), (2, 17)]) is None
    assert slope([]) is None


def test_ratio_compares_within_a_round():
    # The second round was disturbed; the ratio of the medians would be 11 : 20.
    got = records().ratio(2, "equal", "vhost-pci", "stream", "packets", "cpu")
    assert (got.median, got.count) == (0.5, 3)
    assert got.low == pytest.approx(1 / 3)


def test_what_was_not_measured_has_no_figure():
    assert records().median(2, "equal", "OVS-DPDK", "packets", "cpu") is None
    assert records().ratio(2, "equal", "vhost-pci", "stream", "packets", "only ours") is None
    assert records().median(2, "best", "stream", "packets", "cpu") is None


def test_ratio_skips_rounds_that_only_one_path_has():
    found = records()
    found.all.remove(next(r for r in found.all if r.path == "stream" and r.round == 1))
    assert found.ratio(2, "equal", "vhost-pci", "stream", "packets", "cpu").count == 2


def test_records_know_what_they_hold():
    assert records().phases() == [(2, "equal"), (3, "equal")]
    assert records().paths() == ["vhost-pci", "stream"]
    assert records().figures(2, "equal", "packets") == ["cpu", "only ours"]
    assert records().tests(3, "equal") == ["packets"]
    assert records().rounds() == 3
