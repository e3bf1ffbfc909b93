#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a guest's instructions go: guest instructions per packet (or KB, or ping), by function of the guest's kernel.

Boots a chain as the benchmark does, with one load, and adds up a TCG plugin's counts per block of code by the guest's
/proc/kallsyms. Steady to a few percent whatever else the machine does. Needs ./vhost-pci build.
"""
import argparse
import base64
import bisect
import collections
import gzip
import mmap
import pathlib
import re
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import chain as chains  # noqa: E402
import load  # noqa: E402
from lab import guests, paths, process  # noqa: E402
from switches import HugePages  # noqa: E402

PLUGIN = paths.BUILD / "libinsnprofile.so"
SLOT = struct.Struct("=3Q")
USER = 1 << 63
LOADS = {
    "packets": lambda chain, seconds: load.measure_packets(chain, 64, seconds),
    "packets-back": lambda chain, seconds: load.measure_packets(chain, 64, seconds, False, True),
    "tcp-forth": lambda chain, seconds: load.measure_tcp(chain, seconds, True),
    "tcp-back": lambda chain, seconds: load.measure_tcp(chain, seconds, False),
    "ping": lambda chain, seconds: ping(chain, seconds),
}


class Symbols:
    """The functions of a guest's kernel and its modules."""

    def __init__(self, kallsyms: str):
        found = sorted((int(address, 16), name) for address, kind, name in re.findall(r"^([0-9a-f]+) (\w) (\S+)", kallsyms, re.M)
                       if kind in "tTwW")
        self.addresses = [address for address, _ in found]
        self.names = [name for _, name in found]

    def name(self, address: int) -> str:
        if address < USER:
            return "(user space)"
        place = bisect.bisect_right(self.addresses, address) - 1
        return self.names[place] if place >= 0 else "?"


class Profile:
    """A guest's counts between start and stop."""

    def __init__(self, guest: guests.Guest, file: pathlib.Path):
        self.guest, self.file = guest, file
        self.before: list[tuple[int, int, int]] = []

    def _read(self) -> list[tuple[int, int, int]]:
        slots = []
        with open(self.file, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            for offset in range(0, len(data), SLOT.size):
                slot = SLOT.unpack_from(data, offset)
                if not slot[1]:
                    break
                slots.append(slot)
        return slots

    def start(self) -> None:
        self.before = self._read()

    def stop(self) -> list[tuple[int, int, int]]:
        """Address, instructions, how often run; of each block."""
        after = self._read()
        old = [slot[2] for slot in self.before] + [0] * (len(after) - len(self.before))
        return [(address, executed - was, (executed - was) // size)
                for (address, size, executed), was in zip(after, old) if executed > was]


def ping(chain: chains.Chain, seconds: float) -> dict[str, float]:
    count = int(seconds / 0.01)
    before = load.Sample.take(chain)
    figures = load.measure_ping(chain, count)
    after = load.Sample.take(chain)
    return figures | load.costs(chain, before, after, count, "ping", "CPU s/Kping", count / 1e3)


def kallsyms(guest: guests.Guest) -> str:
    # 4 MB, over a slow console.
    text = guest.command("grep -i ' [tw] ' /proc/kallsyms | gzip -1 | base64", 120)
    return gzip.decompress(base64.b64decode(text)).decode()


def measure(args: argparse.Namespace, chain: chains.Chain) -> tuple[list[tuple[int, int, int]], dict[str, float]]:
    guest = chain.guests[args.vm]
    profile, taken, blocks = Profile(guest, chain.run / f"{guest.name}.profile"), load.Sample.take, []

    def take(of: chains.Chain) -> load.Sample:
        # The measurements take one sample before and one after.
        if profile.before:
            blocks.extend(profile.stop())
        sample = taken(of)
        if not profile.before:
            profile.start()
        return sample

    load.Sample.take = take
    try:
        figures = LOADS[args.load](chain, args.seconds)
    finally:
        load.Sample.take = taken
    return blocks, figures


def show(blocks: list[tuple[int, int, int]], figures: dict[str, float], symbols: Symbols, args: argparse.Namespace) -> None:
    for name, value in figures.items():
        print(f"{value:12.4g}  {name}")
    unit = next(name.split("/")[1] for name in figures if name.startswith(f"vm{args.vm} insn/"))
    total = sum(count for _, count, _ in blocks)
    scale = figures[f"vm{args.vm} insn/{unit}"] / total
    sums: collections.Counter[str] = collections.Counter()
    calls: collections.Counter[str] = collections.Counter()
    starts = set(symbols.addresses)
    for address, count, runs in blocks:
        name = symbols.name(address)
        sums[name] += count
        if address in starts:
            calls[name] += runs
    print(f"\nvm{args.vm}, instructions and calls per {unit}:")
    for name, count in sums.most_common(args.lines):
        print(f"{count * scale:10.1f} {100 * count / total:5.1f} %  {calls[name] * scale:8.3f} x  {name}")
    for wanted in args.blocks:
        print(f"\n{wanted}, block by block:")
        for address, count, runs in sorted(blocks):
            if symbols.name(address) == wanted:
                base = symbols.addresses[bisect.bisect_right(symbols.addresses, address) - 1]
                print(f"  +{address - base:#06x} {count * scale:8.2f} {runs * scale:8.3f} x")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("load", choices=LOADS)
    parser.add_argument("--path", choices=chains.PATHS, default=chains.VHOST_PCI)
    parser.add_argument("--vms", type=int, default=2)
    parser.add_argument("--vm", type=int, default=1, help="whose instructions (default 1, the second)")
    parser.add_argument("--offloads", action="store_true")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--lines", type=int, default=45)
    parser.add_argument("--blocks", action="append", default=[], metavar="FUNCTION", help="also the blocks of this function")
    parser.add_argument("--before", action="append", default=[], metavar="COMMAND", help="to run in that guest first; {if} is its interface")
    args = parser.parse_args()
    process.exit_on_signals()
    base, pages = guests.base_arguments, HugePages()

    def with_plugin(run: process.RunDir, name: str, *rest: object, **options: object) -> list[str]:
        return base(run, name, *rest, **options) + ["-plugin", f"{PLUGIN},out={run / f'{name}.profile'}"]

    guests.base_arguments = with_plugin
    with process.RunDir("profile") as run:
        chain = chains.Chain(run, args.path, args.vms, args.offloads, 256)
        try:
            chain.start(pages)
            chain.wait_ready(180)
            chain.set_up()
            symbols = Symbols(kallsyms(chain.guests[args.vm]))
            for command in args.before:
                print(chain.guests[args.vm].command(command.replace("{if}", list(chain.interfaces[args.vm].values())[0])))
            blocks, figures = measure(args, chain)
            show(blocks, figures, symbols, args)
        finally:
            chain.stop()
            pages.give_back()
    return 0


if __name__ == "__main__":
    sys.exit(main())
