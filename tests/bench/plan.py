# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured in which round, how long that should take, and how many rounds the time allows."""
import collections.abc
import dataclasses

import chain as chains

# Seconds on two idle cores.
BOOT, BOOT_EACH_VM, SWITCH_START = 1.5, 2.0, 4
LINK_RESUMES, PING, PACKETS_OVERHEAD, TRIAL_OVERHEAD, TCP = 0.4, 1.3, 1.0, 0.5, 1.5
REPORT = 20
FIRST_TRIALS, CHAIN_TRIALS, LATER_TRIALS = 8, 6, 5
# The first rounds have what is not in every round. What takes long and is not judged comes once, and not in the first: it may be the only one that
# there is time for.
SOME_ROUNDS = 2
EXTRA_ROUND = 2
CHAIN_SEARCH_ROUND = 3
FEWER_ROUNDS = (chains.TESTPMD, chains.XDP_BOTH)
"""In chains; nothing is judged by them, but for instructions, which are steady."""


@dataclasses.dataclass(frozen=True)
class Phase:
    """All paths side by side, booted once; the rounds go over them in turn."""
    vms: int
    features: str

    def __str__(self) -> str:
        return f"N={self.vms}, {'best features of each path' if self.features == 'best' else 'equal features'}"


@dataclasses.dataclass(frozen=True)
class Settings:
    paths: tuple[str, ...]
    vms: tuple[int, ...]
    sizes: tuple[int, ...]
    rounds: int
    seconds: float
    searches: int
    """rounds with a rate search of the smallest size"""


@dataclasses.dataclass(frozen=True)
class Step:
    test: str
    size: int = 0


def phases(settings: Settings) -> list[Phase]:
    found = [Phase(vms, "equal") for vms in settings.vms]
    if 2 in settings.vms:
        found.insert(1 + settings.vms.index(2), Phase(2, "best"))
    return found


def runs_in(path: str, phase: Phase) -> bool:
    # XDP is for those in the middle; with two VMs there are none. A chain of four has no more forwarders with two devices of ours than one of three.
    return path not in chains.PLAIN or phase.vms > 2 and (path != chains.XDP_BOTH or phase.vms % 2 == 1)


def steps(settings: Settings, phase: Phase, number: int, path: str) -> list[Step]:
    """One turn of one path in this round. What is cheap and judged comes in every round; the rest in the first ones."""
    if not runs_in(path, phase) or phase.vms > 2 and path in FEWER_ROUNDS and number > CHAIN_SEARCH_ROUND:
        return []
    if path == chains.XDP_BOTH:
        # Here only for the instructions of its forwarders.
        return [Step("ping"), Step("packets", settings.sizes[0])]
    two, tcp = phase.vms == 2, []
    if two and (phase.features == "best" or number <= settings.rounds // 2 + 1):
        tcp += [Step("TCP forth"), Step("TCP back")]
    if two and number <= (max(1, settings.rounds // 2) if phase.features == "best" else 1):
        tcp += [Step("TCP sendfile forth"), Step("TCP sendfile back")]
    if phase.features == "best":
        return tcp
    extra = number == min(EXTRA_ROUND, settings.rounds)
    some = number <= SOME_ROUNDS if two else extra
    search_round = min(EXTRA_ROUND if two else CHAIN_SEARCH_ROUND, settings.rounds, settings.searches)
    found = [Step("ping")]
    for size in settings.sizes:
        smallest = size == settings.sizes[0]
        if smallest or some:
            found.append(Step("packets", size))
        if smallest and two:
            found.append(Step("packets back", size))
            if some:
                found.append(Step("packets both ways", size))
        if smallest and some:
            found.append(Step("paced", size))
        if number <= settings.searches if smallest and two else number == search_round and (smallest or two):
            found.append(Step("rate", size))
            if smallest:
                found.append(Step("costs at the rate", size))
    return found + tcp


def step_seconds(settings: Settings, phase: Phase, path: str, step: Step, number: int) -> float:
    if step.test == "ping":
        return PING
    lossy = path in chains.SWITCHES or phase.vms > 2
    if step.test == "costs at the rate" and not lossy:
        return 0
    if step.test == "rate":
        # Where a flood loses nothing, it is the answer.
        first = number == 1 or step.size != settings.sizes[0]
        trials = CHAIN_TRIALS if phase.vms > 2 else FIRST_TRIALS if first else LATER_TRIALS
        return trials * (settings.seconds + TRIAL_OVERHEAD) if lossy else 0
    return settings.seconds + (TCP if step.test.startswith("TCP") else PACKETS_OVERHEAD)


def round_seconds(settings: Settings, phase: Phase, number: int) -> float:
    turns = {path: steps(settings, phase, number, path) for path in settings.paths}
    return sum(LINK_RESUMES + sum(step_seconds(settings, phase, path, step, number) for step in found) for path, found in turns.items() if found)


def boot_seconds(settings: Settings, phase: Phase) -> float:
    return sum(BOOT + BOOT_EACH_VM * phase.vms + (SWITCH_START if path in chains.SWITCHES else 0)
               for path in settings.paths if runs_in(path, phase))


class Schedule:
    """Compares what should have passed with what has, and shortens what is left when it must end in time."""

    def __init__(self, settings: Settings, limit: float | None, clock: collections.abc.Callable[[], float]):
        self.settings, self.limit, self._clock = settings, limit, clock
        self._phases = phases(settings)
        self._began = clock()
        self._planned = 0.0

    def elapsed(self) -> float:
        return self._clock() - self._began

    def done(self, planned: float) -> None:
        """So much of the plan is behind us."""
        self._planned += planned

    def factor(self) -> float:
        """How much longer than planned things take on this machine; believed once a minute of the plan is done."""
        return self.elapsed() / self._planned if self._planned > 60 else 1.0

    def left(self, phase: Phase, next_round: int, rounds: int) -> float:
        """Seconds from before this round of this phase to the end, with so many rounds in every phase."""
        place = self._phases.index(phase)
        planned = sum(round_seconds(self.settings, phase, number) for number in range(next_round, rounds + 1))
        for later in self._phases[place + 1:]:
            planned += boot_seconds(self.settings, later)
            planned += sum(round_seconds(self.settings, later, number) for number in range(1, rounds + 1))
        return planned * self.factor() + REPORT

    def _fits(self, phase: Phase, next_round: int, rounds: int) -> bool:
        return self.limit is None or self.elapsed() + self.left(phase, next_round, rounds) <= self.limit

    def another_round(self, phase: Phase, number: int) -> bool:
        """Whether this round fits, when all later phases get as many."""
        return number == 1 or self._fits(phase, number, number)

    def rounds(self, phase: Phase, next_round: int) -> int:
        """How many rounds this and the later phases will get, as it looks now."""
        return max(number for number in range(next_round, self.settings.rounds + 1)
                   if number == next_round or self._fits(phase, next_round, number))
