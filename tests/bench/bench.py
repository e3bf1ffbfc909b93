#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures vhost-pci beside QEMU's own -netdev stream: guest instructions per packet and per KB of TCP, interleaved."""
import argparse
import dataclasses
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import guests, paths, process, traffic  # noqa: E402

NO_OFFLOADS = "".join(f",{name}=off" for name in (
    "csum", "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo", "host_tso4", "host_tso6", "host_ecn", "host_ufo"))


def boot_plain(run: process.RunDir, machine: str, **base: object) -> guests.Pair:
    """vhost-pci with the feature set that stream has: the difference between the links alone."""
    return guests.boot_vhost_pci(run, machine, device_options=NO_OFFLOADS, **base)


BOOT = {"stream": guests.boot_stream, "vhost-pci plain": boot_plain, "vhost-pci": guests.boot_vhost_pci}
CAVEAT = """\
Read with care: this is TCG, where a guest instruction costs about ten native ones. Work that vhost-pci moves from a host
process into the mirror's guest is overcharged by that much, and times say little about KVM. Guest instructions repeat to
a few percent; Mbit/s and kpps depend on what else the machine does, so only their ratio within one run means something."""


@dataclasses.dataclass
class Snapshot:
    instructions: tuple[int, int]
    cpu: tuple[float, float]

    @classmethod
    def take(cls, pair: guests.Pair) -> "Snapshot":
        both = (pair.origin, pair.mirror)
        return cls(tuple(vm.instructions() for vm in both), tuple(vm.qemu.cpu_seconds() for vm in both))


def spent(before: Snapshot, after: Snapshot, units: float) -> dict[str, float]:
    return {
        "origin insn": (after.instructions[0] - before.instructions[0]) / units,
        "mirror insn": (after.instructions[1] - before.instructions[1]) / units,
        "host cpu": (sum(after.cpu) - sum(before.cpu)) / units,
    }


def measure_flood(pair: guests.Pair, size: int, seconds: int) -> dict[str, float]:
    flood = traffic.PacketFlood(pair, size)
    flood.start()
    # Both counters inside the flood: its start and end belong to nobody's packet.
    time.sleep(0.5)
    count, begin = traffic.rx_packets(pair.mirror, flood.receiver), time.monotonic()
    before = Snapshot.take(pair)
    time.sleep(seconds)
    after = Snapshot.take(pair)
    packets = traffic.rx_packets(pair.mirror, flood.receiver) - count
    elapsed = time.monotonic() - begin
    result = flood.stop()
    if not packets:
        raise RuntimeError("no packet arrived")
    cost = spent(before, after, packets)
    return {"origin insn/packet": cost["origin insn"], "mirror insn/packet": cost["mirror insn"],
            "host us/packet": 1e6 * cost["host cpu"], "kpps": packets / elapsed / 1e3,
            "lost %": max(0.0, 100 * (1 - result.received / result.sent))}


def measure_tcp(pair: guests.Pair, to_mirror: bool, seconds: int) -> dict[str, float]:
    sender, receiver, target = ((pair.origin, pair.mirror, guests.MIRROR_IP) if to_mirror
                                else (pair.mirror, pair.origin, guests.ORIGIN_IP))
    before = Snapshot.take(pair)
    stream = traffic.tcp_stream(sender, receiver, target, seconds)
    cost = spent(before, Snapshot.take(pair), stream.bytes_received / 1024)
    return {"origin insn/KB": cost["origin insn"], "mirror insn/KB": cost["mirror insn"],
            "host CPU s/GB": cost["host cpu"] * 1e9 / 1024, "Mbit/s": stream.mbit_per_second}


def offloads(pair: guests.Pair) -> str:
    """What the origin's driver negotiated, as bit numbers: the two links do not offer the same."""
    bits = pair.origin.command("cat /sys/bus/virtio/drivers/virtio_net/virtio*/features")
    names = {0: "csum", 1: "guest_csum", 7: "guest_tso4", 11: "host_tso4", 15: "mrg_rxbuf", 28: "indirect", 29: "event_idx"}
    return " ".join(name for bit, name in names.items() if len(bits) > bit and bits[bit] == "1")


def one_round(kind: str, args: argparse.Namespace) -> dict:
    with process.RunDir("bench") as run:
        pair = BOOT[kind](run, args.machine, count=True)
        try:
            for vm in (pair.origin, pair.mirror):
                vm.command("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
            ping = pair.origin.ping(guests.MIRROR_IP, 50, 0.02)
            if not ping.lossless:
                raise RuntimeError(f"{kind}: {ping}")
            results = {"ping": {"average ms": ping.average_ms}}
            for size in args.sizes:
                results[f"{size}-byte packets"] = measure_flood(pair, size, args.seconds)
            results["TCP origin to mirror"] = measure_tcp(pair, True, args.seconds)
            results["TCP mirror to origin"] = measure_tcp(pair, False, args.seconds)
            return {"offloads": offloads(pair), "results": results}
        finally:
            pair.stop()


def show(rounds: dict[str, list[dict]]) -> None:
    for kind, list_of in rounds.items():
        print(f"  {kind} negotiated: {list_of[0]['offloads']}")
    heads = "".join(f"{kind:>24}" for kind in rounds)
    print(f"\n  {'median (lowest-highest)':<40}{heads}   vhost-pci : stream")
    for test, metrics in rounds["stream"][0]["results"].items():
        for metric in metrics:
            cells, medians = "", []
            for entries in rounds.values():
                values = [entry["results"][test][metric] for entry in entries]
                medians.append(statistics.median(values))
                digits = 0 if medians[-1] >= 100 else 2
                spread = f" ({min(values):.{digits}f}-{max(values):.{digits}f})" if len(values) > 1 else ""
                cells += f"{f'{medians[-1]:.{digits}f}{spread}':>24}"
            ratio = f"{medians[1] / medians[0]:6.2f} plain, {medians[-1] / medians[0]:.2f}" if medians[0] else ""
            print(f"  {test + ', ' + metric:<40}{cells}   {ratio}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./vhost-pci bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, 64-byte packets, short runs")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each link is measured (default 3)")
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="length of each measurement (default 5)")
    parser.add_argument("--machine", choices=("q35", "pc"), default="q35")
    parser.add_argument("--check-options", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rounds < 1 or args.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    args.sizes = [64] if args.quick else [64, 1514]
    if args.quick:
        args.rounds, args.seconds = 1, 3
    return args


def main() -> int:
    args = parse()
    if args.check_options:
        return 0
    process.exit_on_signals()
    rounds: dict[str, list[dict]] = {kind: [] for kind in BOOT}
    for number in range(args.rounds):
        for kind in rounds:
            began = time.monotonic()
            rounds[kind].append(one_round(kind, args))
            print(f"  round {number + 1} of {args.rounds}, {kind}: {time.monotonic() - began:.0f} s", flush=True)
    folder = paths.BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / time.strftime("bench-%Y%m%d-%H%M%S.json")
    out.write_text(json.dumps({"machine": args.machine, "seconds": args.seconds, "rounds": rounds}, indent=1) + "\n")
    print()
    show(rounds)
    print(f"\n{CAVEAT}\n\nFigures: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
