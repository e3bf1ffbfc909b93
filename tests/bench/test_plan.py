# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, and how a run ends in time."""
import pytest
from chain import PATHS, XDP
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
    two, best, chain = (steps(EVERYTHING, phase, number) for phase in (Phase(2, "equal"), Phase(2, "best"), Phase(5, "equal")))
    assert {Step("ping"), Step("packets", 64), Step("packets", 512), Step("packets", 1518), Step("rate", 64), Step("TCP back")} <= set(two)
    assert best == [Step("TCP forth"), Step("TCP back")]
    assert {Step("ping"), Step("packets", 64)} <= set(chain)


def test_chains_have_larger_frames_in_the_first_rounds():
    sizes = [[step.size for step in steps(EVERYTHING, Phase(4, "equal"), n) if step.test == "packets"] for n in (1, 2, 3)]
    assert sizes == [[64, 512, 1518], [64, 512, 1518], [64]]


def test_a_search_comes_after_the_flood_that_it_uses():
    for phase in phases(EVERYTHING):
        for number in range(1, 6):
            found = steps(EVERYTHING, phase, number)
            for place, step in enumerate(found):
                assert step.test != "rate" or Step("packets", step.size) in found[:place]


def test_no_searches_when_none_are_wanted():
    assert not [step for step in steps(Settings(PATHS, (2,), (64,), 5, 1, 0), Phase(2, "equal"), 1) if step.test == "rate"]


def test_xdp_has_no_part_in_two_vms():
    without = Settings(tuple(path for path in PATHS if path != XDP), (2, 3, 4, 5), (64, 512, 1518), 5, 1.0, 5)
    assert round_seconds(EVERYTHING, Phase(2, "equal"), 1) == round_seconds(without, Phase(2, "equal"), 1)
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
