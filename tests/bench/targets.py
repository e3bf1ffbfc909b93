# SPDX-License-Identifier: GPL-2.0-or-later
"""What the project set itself, and whether a run reached it."""
import dataclasses

from chain import OVS, STREAM, TESTPMD, VHOST_PCI, XDP
from figures import Records, number, slope, spread

SMALL, CPU = "packets 64", "all CPU s/Mpkt"
STOCK = (STREAM, TESTPMD, OVS)


@dataclasses.dataclass
class Row:
    figure: str
    target: str
    measured: str
    hit: bool | None
    """None when it was not measured."""


def _join(parts: list[tuple[str, bool | None]], figure: str, target: str) -> Row:
    judged = [hit for _, hit in parts if hit is not None]
    return Row(figure, target, "; ".join(text for text, _ in parts if text) or "not measured", all(judged) if judged else None)


def _limit(value: float | None, limit: float, label: str, at_least: bool = False, unit: str = "") -> tuple[str, bool | None]:
    if value is None:
        return "", None
    return f"{label} {number(value)}{unit}".strip(), value >= limit if at_least else value <= limit


def _versus(records: Records, features: str, test: str, figure: str, other: str, limit: float, at_least: bool = False,
            label: str = "") -> tuple[str, bool | None]:
    got = records.ratio(2, features, VHOST_PCI, other, test, figure)
    return _limit(got.median if got else None, limit, f"{label}{other}:", at_least, " x")


def chain_points(records: Records, path: str, figure: str) -> list[tuple[int, float]]:
    found = [(vms, records.median(vms, features, path, SMALL, figure))
             for vms, features in records.phases() if features == "equal"]
    return [(vms, value) for vms, value in found if value is not None]


def forwarders(records: Records, path: str) -> list[float]:
    """Instructions per packet of every VM in the middle of every chain."""
    return [value for vms, features in records.phases() for n in range(1, vms - 1)
            if (value := records.median(vms, features, path, SMALL, f"vm{n} insn/packet")) is not None]


def per_core_rate(records: Records, path: str, vms: int) -> float | None:
    """kpps of the slowest process if each had a core. The generator, always busy, does not count; nor does it mean much for pollers."""
    per_packet = [records.median(vms, "equal", path, SMALL, f"vm{n} CPU s/Mpkt") for n in range(1, vms)]
    return 1000 / max(per_packet) if per_packet and None not in per_packet and max(per_packet) > 0 else None


def judge(records: Records) -> list[Row]:
    rows = [_join([_versus(records, "equal", SMALL, CPU, OVS, 0.35), _versus(records, "equal", SMALL, CPU, STREAM, 0.5)],
                  "CPU seconds per million 64-byte packets, N = 2, all processes", "at most 0.35 x OVS-DPDK, 0.5 x stream")]
    parts = [_versus(records, "best", f"TCP {way}", "Mbit/s", other, limit, True, f"{way}, ")
             for way in ("forth", "back") for other, limit in ((OVS, 6), (STREAM, 4))]
    # OVS's best is an experimental option; what users get without it belongs beside it, but is not the target.
    for way in ("forth", "back"):
        ours, theirs = records.median(2, "best", VHOST_PCI, f"TCP {way}", "Mbit/s"), records.median(2, "equal", OVS, f"TCP {way}", "Mbit/s")
        if ours and theirs:
            parts.append((f"({way}, OVS-DPDK without userspace TSO: {number(ours / theirs)} x)", None))
    rows.append(_join(parts,
                      "TCP throughput N = 2, each direction, best features of each path", "at least 6 x OVS-DPDK, 4 x stream"))
    test, figure = "rate 64, loss 0.1 %", "kpps"
    ours = records.median(2, "equal", VHOST_PCI, test, figure)
    stock = {path: value for path in STOCK if (value := records.median(2, "equal", path, test, figure))}
    best = max(stock, key=stock.get, default=None)
    rows.append(_join([_limit(ours / stock[best] if ours and best else None, 2, f"{best}:", True, " x")],
                      "64-byte packets per second N = 2, loss at most 0.1 %", "at least 2 x the best stock path"))
    slopes = {path: slope(chain_points(records, path, CPU)) for path in (VHOST_PCI, STREAM, OVS)}
    rows.append(_join([_limit(slopes[VHOST_PCI] / slopes[other] if slopes[VHOST_PCI] and slopes[other] and slopes[other] > 0 else None, limit,
                              f"{other}:", unit=" x") for other, limit in ((STREAM, 0.5), (OVS, 0.4))],
                      "cost of one more VM in the chain (slope of CPU per 64-byte packet over N)", "at most 0.5 x stream, 0.4 x OVS-DPDK"))
    rates = [(vms, per_core_rate(records, VHOST_PCI, vms)) for vms, _ in chain_points(records, VHOST_PCI, CPU)]
    rates = [(vms, rate) for vms, rate in rates if rate]
    if len(rates) > 1:
        # Falling is what a longer chain must not do.
        flat = min(rate for _, rate in rates) / rates[0][1]
        text = "kpps of the slowest VM, each with a core: " + ", ".join(f"N = {vms} {number(rate)}" for vms, rate in rates)
        parts = [(text, flat >= 0.9)]
    else:
        parts = []
    rows.append(_join(parts, "throughput from N = 2 to 5, corrected for the number of cores", "flat within 10 %"))
    rows.append(_join([_limit(records.median(2, "equal", VHOST_PCI, SMALL, "vm1 insn/packet"), 1600, "")],
                      "guest instructions per received 64-byte packet in the mirror", "at most 1600"))
    rows.append(_join([_limit(records.median(2, "best", VHOST_PCI, f"TCP {way}", "all insn/KB"), 900, f"{way}:") for way in ("forth", "back")],
                      "guest instructions per TCP KB with offloads, sender + receiver", "at most 900"))
    for path, label, limit in ((VHOST_PCI, "guest instructions per forwarded packet in a middle VM, tc mirred", 2600), (XDP, "the same with XDP", 600)):
        middle = spread(forwarders(records, path))
        rows.append(_join([_limit(middle.median if middle else None, limit, "")], label, f"under {limit}"))
    rows.append(_join([_versus(records, "equal", "ping", "average ms", STREAM, 0.6)], "ping RTT", "at most 0.6 x stream"))
    rows.append(Row("copies per packet and hop", "exactly 1", "1, by construction (see below)", True))
    return rows
