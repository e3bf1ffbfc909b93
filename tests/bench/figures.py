# SPDX-License-Identifier: GPL-2.0-or-later
"""Arithmetic on measurements: medians with their spread, ratios, slopes, and the records they come from."""
import collections.abc
import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        text = number(self.median)
        return f"{text} ({number(self.low)}–{number(self.high)})" if self.count > 1 else text


def number(value: float) -> str:
    """Three significant digits are more than the noise allows; whole numbers stay whole."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def spread(values: collections.abc.Iterable[float]) -> Spread | None:
    values = sorted(values)
    return Spread(statistics.median(values), values[0], values[-1], len(values)) if values else None


def slope(points: collections.abc.Iterable[tuple[float, float]]) -> float | None:
    """Least squares; what one more x costs. Needs two different x."""
    points = list(points)
    if len({x for x, _ in points}) < 2:
        return None
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


@dataclasses.dataclass(frozen=True)
class Record:
    """One measurement: several figures of one test on one path in one round."""
    vms: int
    features: str
    path: str
    round: int
    test: str
    figures: dict[str, float]


class Records:
    def __init__(self, records: collections.abc.Iterable[Record] = ()):
        self.all = list(records)

    def add(self, record: Record) -> None:
        self.all.append(record)

    def _matching(self, vms: int, features: str, path: str, test: str) -> list[Record]:
        return [record for record in self.all
                if (record.vms, record.features, record.path, record.test) == (vms, features, path, test)]

    def values(self, vms: int, features: str, path: str, test: str, figure: str) -> dict[int, float]:
        """By round."""
        return {record.round: record.figures[figure] for record in self._matching(vms, features, path, test)
                if figure in record.figures}

    def spread(self, vms: int, features: str, path: str, test: str, figure: str) -> Spread | None:
        return spread(self.values(vms, features, path, test, figure).values())

    def median(self, *where: object) -> float | None:
        found = self.spread(*where)
        return found.median if found else None

    def ratio(self, vms: int, features: str, path: str, other: str, test: str, figure: str) -> Spread | None:
        """path : other, round by round: what disturbs a round disturbs both."""
        ours, theirs = (self.values(vms, features, name, test, figure) for name in (path, other))
        return spread(ours[n] / theirs[n] for n in ours.keys() & theirs.keys() if theirs[n])

    def tests(self, vms: int, features: str) -> list[str]:
        return list(dict.fromkeys(r.test for r in self.all if (r.vms, r.features) == (vms, features)))

    def figures(self, vms: int, features: str, test: str) -> list[str]:
        return list(dict.fromkeys(figure for r in self.all if (r.vms, r.features, r.test) == (vms, features, test)
                                  for figure in r.figures))

    def phases(self) -> list[tuple[int, str]]:
        return list(dict.fromkeys((r.vms, r.features) for r in self.all))

    def paths(self) -> list[str]:
        return list(dict.fromkeys(r.path for r in self.all))

    def rounds(self) -> int:
        return max((r.round for r in self.all), default=0)
