#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures vhost-pci beside what users have today: QEMU's -netdev stream, and vhost-user with testpmd or Open vSwitch in between.

Two VMs and chains of up to 5, all links in turn, round by round. Costs first: guest instructions, notifications and
interrupts, CPU seconds per packet; then rates. Writes a page (Markdown), charts (PNG) and the raw figures (JSON).
"""
import argparse
import dataclasses
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import chain as chains  # noqa: E402
import load  # noqa: E402
import report  # noqa: E402
from figures import Record, Records  # noqa: E402
from lab import paths, process  # noqa: E402
from search import RateSearch  # noqa: E402
from switches import HugePages, Unavailable  # noqa: E402

SIZES = (64, 512, 1518)
ALLOWED_LOSS = {"loss 0.1 %": 0.001, "loss 0": 0.0}
MEMORY_MB = {2: 256}
CHAIN_MEMORY_MB = 192
FAILURES = (RuntimeError, OSError, EOFError, subprocess.SubprocessError)


@dataclasses.dataclass(frozen=True)
class Phase:
    """All paths side by side, booted once; the rounds go over them in turn."""
    vms: int
    features: str

    def __str__(self) -> str:
        return f"N={self.vms}, {'best features of each path' if self.features == 'best' else 'equal features'}"


def phases(args: argparse.Namespace) -> list[Phase]:
    found = [Phase(vms, "equal") for vms in args.vms]
    if 2 in args.vms:
        found.insert(1 + args.vms.index(2), Phase(2, "best"))
    return found


class Bench:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.records = Records()
        self.skipped: dict[str, str] = {}
        self.troubles: list[str] = []
        self.masks: dict[str, dict[str, dict[str, int]]] = {}
        self.pages = HugePages()
        self.began = time.monotonic()
        self.load_at_start = os.getloadavg()

    def say(self, text: str) -> None:
        seconds = time.monotonic() - self.began
        print(f"[{seconds // 60:3.0f}:{seconds % 60:02.0f}] {text}", flush=True)

    def trouble(self, text: str) -> None:
        self.troubles.append(text)
        self.say(f"TROUBLE: {text}")

    def run(self) -> None:
        for path in self.args.paths:
            if reason := chains.unavailable(path):
                self.skip(path, reason)
        try:
            for phase in phases(self.args):
                self._phase(phase)
        finally:
            self.pages.give_back()

    def skip(self, path: str, reason: str) -> None:
        self.skipped[path] = reason
        self.say(f"{path} is left out: {reason}")

    def _phase(self, phase: Phase) -> None:
        running: dict[str, chains.Chain] = {}
        folders: dict[str, process.RunDir] = {}
        good = False
        try:
            self._boot(phase, running, folders)
            for number in range(1, self.args.rounds + 1):
                # Another one begins each round, so that no path has always the same one before it.
                order = list(running)
                start = (number - 1) % max(1, len(order))
                for path in order[start:] + order[:start]:
                    self._one_round(phase, path, running, number)
            for path, chain in running.items():
                for line in chain.complaints():
                    self.trouble(f"{phase}, {path}: {line}")
            good = True
        finally:
            for chain in running.values():
                chain.stop()
            for path, folder in folders.items():
                if good and path in running:
                    folder.remove()
                else:
                    self.say(f"{path}: logs in {folder.path}")

    def _boot(self, phase: Phase, running: dict[str, chains.Chain], folders: dict[str, process.RunDir]) -> None:
        began = time.monotonic()
        for path in self.args.paths:
            # XDP is for the one in the middle; longer chains of it would take long to boot and say no more.
            if path in self.skipped or path == chains.XDP and phase.vms != 3:
                continue
            folders[path] = process.RunDir("bench")
            chain = chains.Chain(folders[path], path, phase.vms, phase.features == "best",
                                 MEMORY_MB.get(phase.vms, CHAIN_MEMORY_MB))
            running[path] = chain
            # One path after the other: a polling switch takes a core from all that boot beside it.
            try:
                chain.start(self.pages)
                chain.wait_ready(120 + 30 * phase.vms)
                chain.set_up()
                self.masks.setdefault(str(phase), {})[path] = chain.features()
                chain.pause()
            except Unavailable as error:
                chain.stop()
                folders.pop(path).remove()
                del running[path]
                self.skip(path, str(error))
            except FAILURES as error:
                self._give_up(phase, path, running, error)
        self.say(f"{phase}: {', '.join(running) or 'nothing'} booted in {time.monotonic() - began:.0f} s")

    def _give_up(self, phase: Phase, path: str, running: dict[str, chains.Chain], error: Exception) -> None:
        self.trouble(f"{phase}, {path}: given up: {error}")
        running.pop(path).stop()

    def _one_round(self, phase: Phase, path: str, running: dict[str, chains.Chain], number: int) -> None:
        chain, began = running[path], time.monotonic()
        chain.resume()
        try:
            for test, measure in self._tests(phase, chain, number):
                try:
                    figures = measure()
                except FAILURES as error:
                    for each in chain.processes.values():
                        each.check()
                    self.trouble(f"{phase}, round {number}, {path}, {test}: {error}")
                    continue
                if figures:
                    self.records.add(Record(phase.vms, phase.features, path, number, test, figures))
        except FAILURES as error:
            self._give_up(phase, path, running, error)
            return
        chain.pause()
        self.say(f"{phase}: round {number} of {self.args.rounds}, {path}: {time.monotonic() - began:.0f} s")

    def _tests(self, phase: Phase, chain: chains.Chain, number: int):
        seconds, sizes = self.args.seconds, self.args.sizes
        if phase.features == "equal":
            yield "ping", lambda: load.measure_ping(chain)
            for size in sizes if phase.vms == 2 else sizes[:1]:
                yield f"packets {size}", lambda: load.measure_packets(chain, size, seconds)
                if phase.vms == 2 and size == sizes[0]:
                    yield f"packets {size} back", lambda: load.measure_packets(chain, size, seconds, False, True)
                    yield f"packets {size} both ways", lambda: load.measure_packets(chain, size, seconds, True, True)
                # The search is long and its result coarse: not in every round.
                if number <= (self.args.searches if size == sizes[0] and phase.vms == 2 else min(1, self.args.searches)):
                    search = RateSearch(lambda rate: load.trial(chain, size, rate, 1.5), attempts=5)
                    for label, allowed in ALLOWED_LOSS.items():
                        yield f"rate {size}, {label}", lambda: found_rate(search, allowed)
        if phase.vms == 2:
            yield "TCP forth", lambda: load.measure_tcp(chain, seconds, True)
            yield "TCP back", lambda: load.measure_tcp(chain, seconds, False)


def found_rate(search: RateSearch, allowed: float) -> dict[str, float]:
    found = search.find(allowed)
    # No rate without loss is a result, too.
    return {"kpps": found.rate / 1e3, "lost %": 100 * found.loss} if found else {"kpps": 0.0}


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


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./vhost-pci bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="about 3 minutes: two VMs, vhost-pci and stream, 64-byte packets and TCP, 2 rounds, to build/bench")
    parser.add_argument("--paths", type=list_of(str, chains.PATHS), metavar="LIST", help=f"of {','.join(chains.PATHS)} (default all)")
    parser.add_argument("--vms", type=list_of(int, (2, 3, 4, 5)), metavar="LIST", help="lengths of the chain (default 2,3,4,5)")
    parser.add_argument("--sizes", type=list_of(int, SIZES), metavar="LIST", help="frame sizes (default 64,512,1518; chains use the first)")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each path is measured (default 5)")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of each measurement (default 2)")
    parser.add_argument("--searches", type=int, metavar="N", help="rounds with a rate search for two VMs (default 2; 0 for none)")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR", help="where the page goes (default docs/benchmarks)")
    parser.add_argument("--report", type=pathlib.Path, metavar="JSON", help="measure nothing: make page and charts of these figures again")
    parser.add_argument("--check-options", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--list-packages", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    quick = args.quick
    args.paths = args.paths or (["vhost-pci", "stream"] if quick else list(chains.PATHS))
    args.vms = args.vms or ([2] if quick else [2, 3, 4, 5])
    args.sizes = args.sizes or ([64] if quick else list(SIZES))
    args.rounds = (2 if quick else 5) if args.rounds is None else args.rounds
    args.seconds = 2.0 if args.seconds is None else args.seconds
    args.searches = (1 if quick else 2) if args.searches is None else args.searches
    args.out = args.out or (paths.BUILD / "bench" if quick else paths.ROOT / "docs/benchmarks")
    if args.rounds < 1 or args.seconds < 0.5 or args.searches < 0:
        parser.error("--rounds must be at least 1, --seconds at least 0.5, --searches at least 0")
    if args.report and not args.report.is_file():
        parser.error(f"--report: no file {args.report}")
    return args


def main() -> int:
    args = parse()
    if args.check_options:
        return 0
    if args.list_packages:
        # For the launcher: what this run can use; the rest of the project does without.
        print("\n".join(["gnuplot-nox", *(chains.SWITCHES[path].package for path in args.paths if path in chains.SWITCHES)]))
        return 0
    if args.report:
        print(report.write(report.load(args.report), args.report.parent, args.report.stem))
        return 0
    process.exit_on_signals()
    bench = Bench(args)
    complete = False
    try:
        bench.run()
        complete = True
    finally:
        # What was measured is kept, also when somebody lost patience.
        if bench.records.all:
            run = report.Run.of(bench, complete, time.monotonic() - bench.began)
            page = report.write(run, args.out, time.strftime("%Y-%m-%d") + ("-quick" if args.quick else ""))
            report.show(run)
            print(f"\nPage, charts and figures: {page}")
    return 0 if bench.records.all and not bench.troubles else 1


if __name__ == "__main__":
    sys.exit(main())
