# SPDX-License-Identifier: GPL-2.0-or-later
"""The rate search against links whose answer is known."""
import random

import pytest
from search import RateSearch, Trial


class Link:
    """Takes at most 'fastest' packets per second, lets 'capacity' through."""

    def __init__(self, capacity: float, fastest: float = 200_000, background_loss: float = 0, jitter: float = 0):
        self.capacity, self.fastest, self.background_loss, self.jitter = capacity, fastest, background_loss, jitter
        self.random = random.Random(1)
        self.offers: list[float | None] = []

    def __call__(self, offered: float | None) -> Trial:
        self.offers.append(offered)
        rate = min(self.fastest, offered or self.fastest)
        capacity = self.capacity * (1 + self.jitter * self.random.uniform(-1, 1))
        sent = int(2 * rate)
        return Trial(offered, sent, int(min(sent, 2 * capacity) * (1 - self.background_loss)), 2)


def test_a_link_that_holds_its_sender_back_needs_one_trial():
    link = Link(capacity=1e6)
    search = RateSearch(link)
    assert search.find(0.001).rate == 200_000
    assert search.find(0).rate == 200_000
    assert link.offers == [None]


@pytest.mark.parametrize("capacity", [1_000, 30_000, 90_000, 150_000, 199_000])
def test_finds_the_capacity_from_below(capacity):
    search = RateSearch(Link(capacity), attempts=12)
    found = search.find(0)
    assert found.loss == 0
    assert 0.94 * capacity <= found.rate <= capacity


def test_a_stricter_search_uses_the_trials_of_the_first():
    link = Link(90_000)
    search = RateSearch(link, attempts=12)
    loose = search.find(0.001)
    tried = len(link.offers)
    strict = search.find(0)
    assert loose.rate >= strict.rate > 0
    assert len(link.offers) - tried <= 2


def test_constant_loss_is_not_called_lossless():
    search = RateSearch(Link(1e6, background_loss=0.01), attempts=5)
    assert search.find(0.001) is None
    assert search.find(0.02).loss <= 0.02


def test_nothing_received_is_no_rate():
    assert RateSearch(lambda offered: Trial(offered, 1000, 0, 1)).find(0.001) is None
    assert Trial(None, 0, 0, 1).loss == 1


def test_attempts_are_bounded():
    link = Link(10, jitter=0.5)
    RateSearch(link, attempts=6).find(0)
    assert len(link.offers) <= 7


def test_noise_does_not_send_it_far_off():
    found = RateSearch(Link(90_000, jitter=0.03), attempts=12).find(0)
    assert 0.85 * 90_000 <= found.rate <= 1.03 * 90_000


@pytest.mark.parametrize("capacity", [60_000, 85_000, 90_000, 97_000, 150_000])
def test_begins_where_an_earlier_one_ended(capacity):
    link = Link(capacity)
    search = RateSearch(link, attempts=6, trials=[link(None)])
    found = search.find(0, expected=90_000)
    assert 0.85 * capacity <= found.rate <= capacity
    assert link.offers[1] == 90_000


def test_a_right_expectation_needs_few_trials():
    link = Link(91_000)
    assert RateSearch(link, attempts=12, trials=[link(None)]).find(0, expected=90_000).rate >= 90_000
    assert len(link.offers) <= 5


def test_what_is_known_is_not_tried_again():
    link = Link(capacity=1e6)
    assert RateSearch(link, trials=[Trial(None, 1000, 1000, 1)]).find(0).rate == 1000
    assert link.offers == []


def test_what_the_stricter_search_found_counts_for_the_other_too():
    search = RateSearch(Link(90_000, jitter=0.2), attempts=4)
    search.find(0.001)
    search.find(0)
    assert search.best(0.001).rate >= search.best(0).rate
