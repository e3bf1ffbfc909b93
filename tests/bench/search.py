# SPDX-License-Identifier: GPL-2.0-or-later
"""The search of RFC 2544 for the highest rate at which not more than so much is lost; with trials of seconds, not of a minute."""
import collections.abc
import dataclasses


@dataclasses.dataclass(frozen=True)
class Trial:
    offered: float | None
    """packets per second asked for; None for as fast as it goes"""
    sent: int
    received: int
    seconds: float

    @property
    def loss(self) -> float:
        return max(0.0, 1 - self.received / self.sent) if self.sent else 1.0

    @property
    def rate(self) -> float:
        return self.received / self.seconds


class RateSearch:
    """Trials are kept: a second search, with another loss allowed, starts from what the first has learned."""

    def __init__(self, run: collections.abc.Callable[[float | None], Trial], attempts: int = 6, precision: float = 0.05,
                 trials: collections.abc.Iterable[Trial] = ()):
        """trials: what is known already; the first of them at full speed."""
        self._run = run
        self.attempts, self.precision = attempts, precision
        self.trials = list(trials)

    def _try(self, offered: float | None) -> Trial:
        trial = self._run(offered)
        self.trials.append(trial)
        return trial

    def find(self, allowed: float, expected: float | None = None) -> Trial | None:
        """The best trial that lost no more than the allowed fraction; None when none did.

        expected: what an earlier search found; this one begins there, and needs fewer trials."""
        if not self.trials:
            self._try(None)
        fastest = self.trials[0]
        if fastest.loss <= allowed:
            return fastest
        step = 0.1
        for number in range(self.attempts):
            low, high = self._bounds(allowed)
            if low and (high - low) / high <= self.precision:
                break
            if expected and number == 0 and low < expected < high:
                self._try(expected)
            elif expected and low and low * (1 + step) < high * 0.95:
                self._try(low * (1 + step))
                step *= 2
            elif expected and not low:
                self._try(min(high, expected) * (1 - step))
                step = min(0.5, step * 2)
            else:
                self._try((low + high) / 2 if low else self._first_guess(high))
        return self.best(allowed)

    def best(self, allowed: float) -> Trial | None:
        """Of all trials so far, those of searches with another loss allowed included."""
        passed = [trial for trial in self.trials if trial.loss <= allowed and trial.received]
        return max(passed, key=lambda trial: trial.rate) if passed else None

    def _first_guess(self, high: float) -> float:
        # What came through at full speed is often near what goes through without loss; after that, halve.
        guess = self.trials[0].rate * 0.9
        return guess if guess < high * 0.98 else high / 2

    def _bounds(self, allowed: float) -> tuple[float, float]:
        """Highest rate that passed and lowest that failed above it. A failure below a success is noise, and not believed."""
        rates = [(trial.sent / trial.seconds if trial.offered is None else trial.offered, trial.loss <= allowed)
                 for trial in self.trials]
        low = max((rate for rate, passed in rates if passed), default=0.0)
        return low, min((rate for rate, passed in rates if not passed and rate > low), default=low)
