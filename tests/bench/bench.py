# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures vhost-pci beside what users have today: QEMU's -netdev stream, and vhost-user with testpmd or Open vSwitch in between.

Two VMs and chains of up to 5, all links in turn, round by round. Costs first: guest instructions, notifications and
interrupts, CPU seconds per packet; then rates. Writes a page (Markdown), charts (PNG) and the raw figures (JSON).
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import chain as chains  # noqa: E402
import load  # noqa: E402
import plan  # noqa: E402
import registers  # noqa: E402
import report  # noqa: E402
from figures import Record, Records  # noqa: E402
from lab import paths, process  # noqa: E402
from search import RateSearch, Trial  # noqa: E402
from switches import HugePages, Unavailable  # noqa: E402

SIZES = (64, 512, 1518)
ALLOWED_LOSS = {"loss 0.1 %": 0.001, "loss 0": 0.0}
FIRST_ATTEMPTS = {"loss 0.1 %": 5, "loss 0": 3}
CHAIN_ATTEMPTS = {"loss 0.1 %": 4, "loss 0": 2}
LATER_ATTEMPTS = {"loss 0.1 %": 3, "loss 0": 2}
PACE = 10_000
"""Packets per second that every path carries, whatever its length."""
MEMORY_MB = {2: 256}
CHAIN_MEMORY_MB = 192
FAILURES = (RuntimeError, OSError, EOFError, subprocess.SubprocessError)


class Bench:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.settings = plan.Settings(tuple(args.paths), tuple(args.vms), tuple(args.sizes), args.rounds, args.seconds, args.searches)
        self.schedule = plan.Schedule(self.settings, args.budget * 60 if args.budget else None, time.monotonic)
        self.records = Records()
        self.skipped: dict[str, str] = {}
        self.troubles: list[str] = []
        self.masks: dict[str, dict[str, dict[str, int]]] = {}
        self.rings: dict[str, dict[str, dict[str, list[int]]]] = {}
        self.pages = HugePages()
        self.load_at_start = os.getloadavg()
        # What searches of earlier rounds found, and what floods of this round brought through.
        self._found: dict[tuple, float] = {}
        self._floods: dict[tuple, list[Trial]] = {}
        self._flood_figures: dict[tuple, dict[str, float]] = {}
        # The trial of this round's search that lost at most 0.1 %.
        self._lossless: dict[tuple, Trial | None] = {}
        self.on_progress = lambda final: None

    def say(self, text: str) -> None:
        seconds = self.schedule.elapsed()
        print(f"[{seconds // 60:3.0f}:{seconds % 60:02.0f}] {text}", flush=True)

    def trouble(self, text: str) -> None:
        text = " ".join(text.split())
        self.troubles.append(text)
        self.say(f"TROUBLE: {text}")

    def run(self) -> None:
        for path in self.args.paths:
            if reason := chains.unavailable(path):
                self.skip(path, reason)
        try:
            all_phases = plan.phases(self.settings)
            self.say(f"about {self.schedule.left(all_phases[0], 1, self.args.rounds) / 60:.0f} minutes"
                     + (f", rounds are left out to end within {self.args.budget:g}" if self.args.budget else ""))
            for phase in all_phases:
                self._phase(phase)
                self.on_progress(True)
        finally:
            self.pages.give_back()

    def skip(self, path: str, reason: str) -> None:
        self.skipped[path] = reason
        self.say(f"{path} is left out: {reason}")

    def _phase(self, phase: plan.Phase) -> None:
        running: dict[str, chains.Chain] = {}
        folders: dict[str, process.RunDir] = {}
        good = False
        try:
            self._boot(phase, running, folders)
            for number in range(1, self.args.rounds + 1):
                if not self.schedule.another_round(phase, number):
                    self.skip(f"{phase}, rounds from {number} on", f"the run is to end in {self.args.budget:g} minutes")
                    break
                # Another one begins each round, so that no path has always the same one before it.
                order = list(running)
                start = (number - 1) % max(1, len(order))
                for path in order[start:] + order[:start]:
                    if plan.steps(self.settings, phase, number, path):
                        self._one_round(phase, path, running, number)
                        self.on_progress(False)
                self.schedule.done(plan.round_seconds(self.settings, phase, number))
                left = self.schedule.left(phase, number + 1, self.schedule.rounds(phase, min(number + 1, self.args.rounds)))
                self.say(f"{phase}: round {number} of {self.args.rounds} done; about {left / 60:.0f} minutes left")
            for path, chain in running.items():
                chain.resume()
                for line in chain.complaints():
                    self.trouble(f"{phase}, {path}: {line}")
                chain.pause()
            good = True
        finally:
            for chain in running.values():
                chain.stop()
            for path, folder in folders.items():
                if good and path in running:
                    folder.remove()
                else:
                    self.say(f"{path}: logs in {folder.path}")

    def _boot(self, phase: plan.Phase, running: dict[str, chains.Chain], folders: dict[str, process.RunDir]) -> None:
        began = self.schedule.elapsed()
        for path in self.args.paths:
            if path in self.skipped or not plan.runs_in(path, phase):
                continue
            folders[path] = process.RunDir("bench")
            chain = chains.Chain(folders[path], path, phase.vms, phase.features == "best",
                                 MEMORY_MB.get(phase.vms, CHAIN_MEMORY_MB))
            running[path] = chain
            # One path after the other: the VMs of one have work for all cores.
            try:
                chain.start(self.pages)
                chain.wait_ready(120 + 30 * phase.vms)
                chain.set_up()
                self.masks.setdefault(str(phase), {})[path] = chain.features()
                self.rings.setdefault(str(phase), {})[path] = chain.rings()
                # TCG translates code when it is first run: not while it is measured.
                load.trial(chain, self.args.sizes[0], None, 0.5)
                chain.pause()
            except Unavailable as error:
                chain.stop()
                folders.pop(path).remove()
                del running[path]
                self.skip(path, str(error))
            except FAILURES as error:
                self._give_up(phase, path, running, error)
        self.schedule.done(plan.boot_seconds(self.settings, phase))
        self.say(f"{phase}: {', '.join(running) or 'nothing'} booted in {self.schedule.elapsed() - began:.0f} s")

    def _give_up(self, phase: plan.Phase, path: str, running: dict[str, chains.Chain], error: Exception) -> None:
        self.trouble(f"{phase}, {path}: given up: {error}")
        running.pop(path).stop()

    def _one_round(self, phase: plan.Phase, path: str, running: dict[str, chains.Chain], number: int) -> None:
        chain, began, times = running[path], self.schedule.elapsed(), []
        try:
            chain.resume()
            clocks = chain.clocks()
            times.append(f"resume {self.schedule.elapsed() - began:.1f}")
            for step in plan.steps(self.settings, phase, number, path):
                step_began = self.schedule.elapsed()
                try:
                    self._measure(phase, chain, number, step)
                except FAILURES as error:
                    for each in chain.processes.values():
                        each.check()
                    self.trouble(f"{phase}, round {number}, {path}, {step.test}: {error}")
                times.append(f"{step.test}{' ' + str(step.size) if step.size else ''} {self.schedule.elapsed() - step_began:.1f}")
            if number == 1:
                self._check_clocks(phase, path, clocks, chain.clocks())
            chain.pause()
        except FAILURES as error:
            self._give_up(phase, path, running, error)
            return
        detail = f" ({', '.join(times)})" if self.args.verbose else ""
        self.say(f"{phase}: round {number}, {path}: {self.schedule.elapsed() - began:.0f} s{detail}")

    def _check_clocks(self, phase: plan.Phase, path: str, before: list, after: list) -> None:
        """Rates and round trips are told by guests."""
        for number, ((up, ours), (up_after, ours_after)) in enumerate(zip(before, after)):
            if ours_after - ours > 2 and abs((up_after - up) / (ours_after - ours) - 1) > 0.1:
                self.trouble(f"{phase}, {path}: the clock of vm{number} went {up_after - up:.1f} s in {ours_after - ours:.1f} s")

    def _measure(self, phase: plan.Phase, chain: chains.Chain, number: int, step: plan.Step) -> None:
        seconds, where = self.args.seconds, (phase, chain.path, step.size)

        def add(test: str, figures: dict[str, float]) -> None:
            self.records.add(Record(phase.vms, phase.features, chain.path, number, test, figures))

        if step.test == "ping":
            add("ping", load.measure_ping(chain))
        elif step.test == "packets":
            self._floods[where] = []
            self._flood_figures[where] = load.measure_packets(chain, step.size, seconds, keep=self._floods[where])
            add(f"packets {step.size}", self._flood_figures[where])
        elif step.test == "packets back":
            add(f"packets {step.size} back", load.measure_packets(chain, step.size, seconds, False, True))
        elif step.test == "packets both ways":
            add(f"packets {step.size} both ways", load.measure_packets(chain, step.size, seconds, True, True))
        elif step.test == "paced":
            add(f"packets {step.size} at {PACE // 1000} kpps", load.measure_packets(chain, step.size, seconds, rate=PACE))
        elif step.test == "rate":
            search = RateSearch(lambda rate: load.trial(chain, step.size, rate, seconds), trials=self._floods.pop(where, ()))
            for label, allowed in ALLOWED_LOSS.items():
                first = FIRST_ATTEMPTS if phase.vms == 2 else CHAIN_ATTEMPTS
                search.attempts = (first if where + (label,) not in self._found else LATER_ATTEMPTS)[label]
                search.find(allowed, self._found.get(where + (label,)))
            for label, allowed in ALLOWED_LOSS.items():
                found = search.best(allowed)
                # No rate without loss is a result, too.
                add(f"rate {step.size}, {label}", {"kpps": found.rate / 1e3, "lost %": 100 * found.loss} if found else {"kpps": 0.0})
                if found:
                    self._found[where + (label,)] = found.rate
            self._lossless[where] = search.best(ALLOWED_LOSS["loss 0.1 %"])
        elif step.test == "costs at the rate":
            # What a flood costs contains what is thrown away on the way.
            if found := self._lossless.pop(where, None):
                add(f"packets {step.size} at the rate with loss 0.1 %",
                    self._flood_figures[where] if found.offered is None else load.measure_packets(chain, step.size, seconds, rate=found.offered))
        else:
            add(step.test, load.measure_tcp(chain, seconds, step.test.endswith("forth"), "sendfile" in step.test))


def list_of(kind: type, choices: tuple):
    def parse(text: str) -> list:
        try:
            values = [kind(word) for word in text.split(",") if word]
        except ValueError:
            values = []
        if not values or any(value not in choices for value in values):
            raise argparse.ArgumentTypeError(f"'{text}': a list, separated by commas, of {', '.join(map(str, choices))}")
        return sorted(set(values), key=choices.index)
    return parse


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true",
                        help="about 3 minutes: two and three VMs, vhost-pci and stream, 64-byte packets and TCP, 3 rounds, to build/bench")
    parser.add_argument("--paths", type=list_of(str, chains.ALL_PATHS), metavar="LIST",
                        help=f"of {','.join(chains.ALL_PATHS)} (default the first {len(chains.PATHS)})")
    parser.add_argument("--vms", type=list_of(int, (2, 3, 4, 5)), metavar="LIST", help="lengths of the chain (default 2,3,4,5)")
    parser.add_argument("--sizes", type=list_of(int, SIZES), metavar="LIST", help="frame sizes (default 64,512,1518; the first in all rounds, the others in some)")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each path is measured (default 5)")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of each measurement (default 1)")
    parser.add_argument("--searches", type=int, metavar="N", help="rounds with a rate search of the smallest frames (default all, for chains one; 0 for none)")
    parser.add_argument("--budget", type=float, metavar="MINUTES", help="leave out rounds, where need be, to end in this time")
    parser.add_argument("--verbose", action="store_true", help="say how long each measurement took")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR", help="where the page goes (default docs/benchmarks)")
    parser.add_argument("--registers", action="store_true", help="measure only what a register of a device in C# costs beside one in C")
    parser.add_argument("--report", type=pathlib.Path, metavar="JSON", help="measure nothing: make page and charts of these figures again")


def settle(args: argparse.Namespace) -> None:
    """Defaults that depend on other options, and what the parser cannot see."""
    quick = args.quick
    args.paths = args.paths or (["vhost-pci", "stream"] if quick else list(chains.PATHS))
    args.vms = args.vms or ([2, 3] if quick else [2, 3, 4, 5])
    args.sizes = args.sizes or ([64] if quick else list(SIZES))
    args.rounds = (3 if quick else 5) if args.rounds is None else args.rounds
    args.seconds = 1.0 if args.seconds is None else args.seconds
    args.searches = (1 if quick else args.rounds) if args.searches is None else args.searches
    args.out = args.out or (paths.BUILD / "bench" if quick else paths.ROOT / "docs/benchmarks")
    if args.rounds < 1 or args.seconds < 0.2 or args.searches < 0 or args.budget is not None and args.budget <= 0:
        args.fail("--rounds must be at least 1, --seconds at least 0.2, --searches at least 0, --budget more than 0")
    if args.report and not args.report.is_file():
        args.fail(f"--report: no file {args.report}")


def packages(args: argparse.Namespace) -> list[str]:
    """What this run can use; the rest of the project does without."""
    return ["gnuplot-nox", *(chains.SWITCHES[path].package for path in args.paths if path in chains.SWITCHES)]


def run(args: argparse.Namespace) -> int:
    if args.registers:
        return registers.run(args.rounds)
    if args.report:
        print(report.write(report.load(args.report), args.report.parent, args.report.stem))
        return 0
    bench = Bench(args)
    name = time.strftime("%Y-%m-%d") + ("-quick" if args.quick else "")

    def run_so_far(complete: bool) -> report.Run:
        return report.Run.of(bench, complete, bench.schedule.elapsed())

    def keep(whole_phase: bool) -> None:
        # Whatever happens to this program, what was measured is there, and --report makes the page of it.
        if bench.records.all:
            report.write(run_so_far(False), args.out, name, page=whole_phase, pictures=False)

    bench.on_progress = keep
    complete = False
    try:
        bench.run()
        complete = True
    finally:
        # What was measured is kept, also when somebody lost patience.
        if bench.records.all:
            whole = run_so_far(complete)
            page = report.write(whole, args.out, name)
            report.show(whole)
            print(f"\nPage, charts and figures: {page}")
    return 0 if bench.records.all and not bench.troubles else 1
