# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, and how a run ends in time."""
import itertools

import pytest
from chain import OVS, OVS_XDP, PATHS, PLAIN, STREAM, STREAM_XDP, TESTPMD, VHOST_PCI, XDP, XDP_BOTH
from plan import Phase, Schedule, Settings, Step, boot_seconds, phases, round_seconds, steps

EVERYTHING = Settings(PATHS, (2, 3, 4, 5), (64, 512, 1518), 5, 1.0, 5)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(limit: float | None, slowness: float) -> tuple[float, dict[str, int]]:
    """A run in which everything takes so much longer than planned: its seconds, and the rounds of each phase."""
    clock = Clock()
    schedule, rounds = Schedule(EVERYTHING, limit, clock), {}
    for phase in phases(EVERYTHING):
        clock.now += boot_seconds(EVERYTHING, phase) * slowness
        schedule.done(boot_seconds(EVERYTHING, phase))
        for number in range(1, EVERYTHING.rounds + 1):
            if not schedule.another_round(phase, number):
                break
            clock.now += round_seconds(EVERYTHING, phase, number) * slowness
            schedule.done(round_seconds(EVERYTHING, phase, number))
            rounds[str(phase)] = number
    return schedule.elapsed(), rounds


def test_every_length_has_a_phase_and_two_have_both_features():
    assert phases(EVERYTHING) == [Phase(2, "equal"), Phase(2, "best"), Phase(3, "equal"), Phase(4, "equal"), Phase(5, "equal")]
    assert phases(Settings(PATHS, (3,), (64,), 1, 1, 1)) == [Phase(3, "equal")]


@pytest.mark.parametrize("number", [1, 3, 5])
def test_what_is_judged_comes_in_every_round(number):
    two, best = (steps(EVERYTHING, phase, number, OVS) for phase in (Phase(2, "equal"), Phase(2, "best")))
    assert {Step("ping"), Step("packets", 64), Step("packets back", 64), Step("rate", 64)} <= set(two)
    assert {Step("TCP forth"), Step("TCP back")} <= set(best)
    for path in (VHOST_PCI, STREAM, OVS, XDP, STREAM_XDP, OVS_XDP):
        for vms in (3, 4, 5):
            assert {Step("ping"), Step("packets", 64)} <= set(steps(EVERYTHING, Phase(vms, "equal"), number, path))


def rounds_with(step: Step, phase: Phase, path: str = VHOST_PCI, settings: Settings = EVERYTHING) -> list[int]:
    return [n for n in range(1, settings.rounds + 1) if step in steps(settings, phase, n, path)]


def test_what_is_not_judged_comes_in_some_rounds():
    two, best, chain = Phase(2, "equal"), Phase(2, "best"), Phase(4, "equal")
    assert rounds_with(Step("packets", 512), two) == [1, 2] and rounds_with(Step("packets", 512), chain) == [2]
    assert rounds_with(Step("rate", 1518), two) == [2] and rounds_with(Step("rate", 1518), chain) == []
    assert rounds_with(Step("rate", 64), two) == [1, 2, 3, 4, 5] and rounds_with(Step("rate", 64), chain) == [3]
    assert rounds_with(Step("TCP sendfile back"), best) == [1, 2] and rounds_with(Step("TCP sendfile back"), two) == [1]
    assert rounds_with(Step("TCP back"), two) == [1, 2, 3]
    assert rounds_with(Step("packets", 64), chain, TESTPMD) == [1, 2, 3]
    assert rounds_with(Step("packets", 64), Phase(5, "equal"), XDP_BOTH) == [1, 2, 3]


@pytest.mark.parametrize("path", [path for path in PATHS if path != XDP_BOTH])
def test_a_run_of_one_round_has_everything(path):
    one = Settings(PATHS, (2, 3), (64, 512, 1518), 1, 1.0, 1)
    phases_with = [phase for phase in (Phase(2, "equal"), Phase(3, "equal")) if phase.vms == 3 or path not in PLAIN]
    for phase in phases_with:
        assert {Step("packets", 512), Step("paced", 64), Step("rate", 64)} <= set(steps(one, phase, 1, path))
    if path not in PLAIN:
        assert {Step("TCP sendfile forth"), Step("rate", 512)} <= set(steps(one, Phase(2, "equal"), 1, path))


def test_a_search_comes_after_the_flood_that_it_uses():
    for phase in phases(EVERYTHING):
        for number, path in itertools.product(range(1, 6), PATHS):
            found = steps(EVERYTHING, phase, number, path)
            for place, step in enumerate(found):
                assert step.test != "rate" or Step("packets", step.size) in found[:place]


def test_costs_without_loss_come_after_their_search():
    for path in set(PATHS) - {XDP_BOTH}:
        found = steps(EVERYTHING, Phase(3, "equal"), 3, path)
        assert found.index(Step("costs at the rate", 64)) == found.index(Step("rate", 64)) + 1


def test_no_searches_when_none_are_wanted():
    assert not [step for step in steps(Settings(PATHS, (2,), (64,), 5, 1, 0), Phase(2, "equal"), 2, OVS) if step.test == "rate"]


def test_xdp_has_no_part_in_two_vms():
    without = Settings(tuple(path for path in PATHS if path not in PLAIN), (2, 3, 4, 5), (64, 512, 1518), 5, 1.0, 5)
    assert round_seconds(EVERYTHING, Phase(2, "equal"), 1) == round_seconds(without, Phase(2, "equal"), 1)
    assert not any(steps(EVERYTHING, Phase(2, "equal"), 1, path) for path in PLAIN)
    assert round_seconds(EVERYTHING, Phase(3, "equal"), 1) > round_seconds(without, Phase(3, "equal"), 1)


@pytest.mark.parametrize("slowness", [0.7, 1.0, 1.5, 2.0])
def test_a_run_with_a_budget_ends_in_time_and_leaves_out_no_phase(slowness):
    seconds, rounds = run(27 * 60, slowness)
    assert seconds <= 27 * 60
    assert len(rounds) == 5 and min(rounds.values()) >= 1
    # The time is used.
    assert min(rounds.values()) == 5 or seconds > 0.7 * 27 * 60


def test_without_a_budget_all_rounds_run():
    assert set(run(None, 3.0)[1].values()) == {5}


def test_time_left_knows_how_slow_the_machine_is():
    clock = Clock()
    schedule, phase = Schedule(EVERYTHING, None, clock), Phase(2, "equal")
    planned = schedule.left(phase, 1, 5)
    first = boot_seconds(EVERYTHING, phase) + round_seconds(EVERYTHING, phase, 1)
    clock.now += 2 * first
    schedule.done(first)
    assert schedule.factor() == pytest.approx(2)
    assert schedule.left(phase, 2, 5) > 1.5 * (planned - first)
