# SPDX-License-Identifier: GPL-2.0-or-later
"""What the project set itself, and whether a run reached it."""
import dataclasses
import os

from chain import OVS, OVS_XDP, STREAM, STREAM_XDP, SWITCHES, TESTPMD, VHOST_PCI, XDP, XDP_BOTH, plain
from figures import Records, Spread, number, slope, spread

SMALL, CPU, CPU_WITHOUT_VM0 = "packets 64", "all CPU s/Mpkt", "all but vm0 CPU s/Mpkt"
LOSSLESS = "packets 64 at the rate with loss 0.1 %"
STOCK = (STREAM, TESTPMD, OVS)
FORWARDERS = {"tc": (VHOST_PCI, {STREAM: 0.5, OVS: 0.4}), "XDP": (XDP, {STREAM_XDP: 0.5, OVS_XDP: 0.4})}
"""Like with like: by what the VMs in the middle forward, our path and what its slope may be of the others'."""
BEST_FORWARDER = "XDP"


@dataclasses.dataclass
class Row:
    figure: str
    target: str
    measured: str
    hit: bool | None
    """None when it was not measured."""
    remark: str = ""
    """What the verdict does not say."""


def _join(parts: list[tuple[str, bool | None]], figure: str, target: str) -> Row:
    """A part that was missed misses the whole; a part that was not measured, which has no text, leaves it open."""
    judged = [hit for _, hit in parts if hit is not None]
    hit = all(judged) if judged else None
    if hit and not all(text for text, _ in parts):
        hit = None
    return Row(figure, target, "; ".join(text for text, _ in parts if text) or "not measured", hit)


def _limit(value: Spread | float | None, limit: float, label: str, at_least: bool = False, unit: str = "") -> tuple[str, bool | None]:
    if value is None:
        return "", None
    median = value.median if isinstance(value, Spread) else value
    text = str(value) if isinstance(value, Spread) else number(value)
    return f"{label} {text}{unit}".strip(), median >= limit if at_least else median <= limit


def _versus(records: Records, features: str, test: str, figure: str, other: str, limit: float, at_least: bool = False,
            label: str = "") -> tuple[str, bool | None]:
    return _limit(records.ratio(2, features, VHOST_PCI, other, test, figure), limit, f"{label}{other}:", at_least, " x")


def at(vms: int, path: str) -> str:
    """Two VMs have nothing in the middle: there, a path with XDP is the one without."""
    return plain(path) if vms == 2 else path


def chain_points(records: Records, path: str, figure: str, test: str = SMALL) -> list[tuple[int, float]]:
    found = [(vms, records.median(vms, features, at(vms, path), test, figure))
             for vms, features in records.phases() if features == "equal"]
    return [(vms, value) for vms, value in found if value is not None]


def forwarders(records: Records, path: str, figure: str = "insn/packet", test: str = SMALL) -> list[float]:
    """Instructions per packet of every VM in the middle of every chain, or of those with two of our devices."""
    return [value for vms, features in records.phases() for n in range(1, vms - 1, 2 if path == XDP_BOTH else 1)
            if features == "equal" and (value := records.median(vms, features, path, test, f"vm{n} {figure}")) is not None]


def _round_slopes(records: Records, path: str, figure: str, test: str) -> dict[int, float]:
    """For each round that every length of the chain has."""
    lengths = [vms for vms, features in records.phases() if features == "equal"]
    values = {vms: found for vms in lengths if (found := records.values(vms, "equal", at(vms, path), test, figure))}
    if len(values) < 2:
        return {}
    rounds = set.intersection(*(set(found) for found in values.values()))
    return {n: slope([(vms, found[n]) for vms, found in values.items()]) for n in rounds}


def _around(middle: float, others: list[float]) -> Spread:
    return Spread(middle, min([middle, *others]), max([middle, *others]), len(others))


def slopes(records: Records, path: str, figure: str = CPU, test: str = SMALL) -> Spread | None:
    """What one more VM costs: the slope of the medians, and the lowest and highest of the rounds."""
    middle = slope(chain_points(records, path, figure, test))
    return _around(middle, list(_round_slopes(records, path, figure, test).values())) if middle is not None else None


def slope_ratio(records: Records, path: str, other: str, figure: str = CPU, test: str = SMALL) -> Spread | None:
    ours, theirs = slopes(records, path, figure, test), slopes(records, other, figure, test)
    if not ours or not theirs or theirs.median <= 0:
        return None
    ours_then, theirs_then = (_round_slopes(records, each, figure, test) for each in (path, other))
    return _around(ours.median / theirs.median, [ours_then[n] / theirs_then[n] for n in ours_then if theirs_then.get(n, 0) > 0])


def corrected_rate(records: Records, path: str, vms: int, cores: int) -> float | None:
    """kpps of the flood times the processes that want a core for each core there is: VMs and a polling switch."""
    rate = records.median(vms, "equal", at(vms, path), SMALL, "kpps")
    wanting = vms + (path in SWITCHES)
    return rate * wanting / min(wanting, cores) if rate else None


def slowest_rate(records: Records, path: str, vms: int) -> float | None:
    """kpps of the slowest VM if each had a core. The generator, always busy, does not count; nor does it mean much for pollers."""
    per_packet = [records.median(vms, "equal", path, SMALL, f"vm{n} CPU s/Mpkt") for n in range(1, vms)]
    return 1000 / max(per_packet) if per_packet and None not in per_packet and max(per_packet) > 0 else None


def flatness(records: Records, path: str, cores: int) -> tuple[float, list[tuple[int, float]]] | None:
    """The lowest corrected rate of N = 2's, and the corrected rates. Falling is what a longer chain must not do."""
    lengths = [vms for vms, _ in chain_points(records, path, "kpps")]
    rates = [(vms, rate) for vms in lengths if (rate := corrected_rate(records, path, vms, cores))]
    if len(rates) < 2 or rates[0][0] != 2:
        return None
    return min(rate for _, rate in rates) / rates[0][1], rates


WORDS = {True: "hit", False: "missed", None: "no verdict"}


def _by_forwarder(found: dict[str, tuple[str, bool | None]], others: str, figure: str, target: str) -> Row:
    """Judged with the best forwarder; what the other one does is beside it, and its verdict, too."""
    hit = found[BEST_FORWARDER][1]
    texts = [f"{forwarder}, {WORDS[verdict]}: {text}" for forwarder, (text, verdict) in found.items() if text]
    remark = ", ".join(f"{forwarder}: {WORDS[verdict]}" for forwarder, (text, verdict) in found.items()
                       if text and forwarder != BEST_FORWARDER)
    return Row(figure, target, "; ".join(texts + ([others] if texts and others else [])) or "not measured", hit,
               f"with {BEST_FORWARDER}; {remark}" if remark else "")


def _slope_row(records: Records) -> Row:
    found: dict[str, tuple[str, bool | None]] = {}
    beside: dict[str, list[str]] = {}
    for forwarder, (ours, limits) in FORWARDERS.items():
        parts = [_limit(slope_ratio(records, ours, other), limit, f"{other}:", unit=" x") for other, limit in limits.items()]
        row = _join(parts, "", "")
        found[forwarder] = (row.measured if any(text for text, _ in parts) else "", row.hit)
        for label, figure, test in (("without vm0", CPU_WITHOUT_VM0, SMALL), ("at the rate with a loss of at most 0.1 %", CPU, LOSSLESS)):
            beside.setdefault(label, []).extend(f"{other} {ratio} x" for other in limits if (ratio := slope_ratio(records, ours, other, figure, test)))
    information = "; ".join(f"{label}: {', '.join(ratios)}" for label, ratios in beside.items() if ratios)
    return _by_forwarder(found, f"(not judged, {information})" if information else "",
                         "cost of one more VM in the chain (slope of CPU per 64-byte packet over N)",
                         "at most 0.5 x stream, 0.4 x OVS-DPDK, each with the same forwarder")


def _flat_row(records: Records, cores: int) -> Row:
    found, others = {}, []
    for forwarder, (ours, limits) in FORWARDERS.items():
        text, hit = "", None
        if flat := flatness(records, ours, cores):
            lowest, rates = flat
            raw = ", ".join(number(records.median(vms, "equal", at(vms, ours), SMALL, "kpps")) for vms, _ in rates)
            text = (f"kpps for N = {', '.join(str(vms) for vms, _ in rates)}: raw {raw}; corrected {', '.join(number(rate) for _, rate in rates)}; "
                    f"the lowest is {number(lowest)} x of N = 2")
            # Without the longest chain there is no verdict.
            hit = lowest >= 0.9 if rates[-1][0] >= 5 else None
        found[forwarder] = (text, hit)
        others += [f"{other} {number(flat[0])} x" for other in limits if (flat := flatness(records, other, cores))]
    return _by_forwarder(found, f"(the others by the same formula: {', '.join(others)})" if others else "",
                         "throughput from N = 2 to 5, corrected for the number of cores", "flat within 10 %")


def judge(records: Records, cores: int = os.cpu_count() or 1) -> list[Row]:
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
    stock = {path: value for path in STOCK if (value := records.median(2, "equal", path, test, figure))}
    best = max(stock, key=stock.get, default=None)
    rows.append(_join([_versus(records, "equal", test, figure, best, 2, True) if best else ("", None)],
                      "64-byte packets per second N = 2, loss at most 0.1 %", "at least 2 x the best stock path"))
    rows += [_slope_row(records), _flat_row(records, cores)]
    rows.append(_join([_limit(records.spread(2, "equal", VHOST_PCI, SMALL, "vm1 insn/packet"), 1600, "")],
                      "guest instructions per received 64-byte packet in the mirror", "at most 1600"))
    parts = [_limit(records.spread(2, "best", VHOST_PCI, f"TCP {way}", "all insn/KB"), 900, f"{way}:") for way in ("forth", "back")]
    # What a file server does: less work for the sender. Not what the target was set for.
    parts += [(f"(sendfile {way}: {found})", None) for way in ("forth", "back")
              if (found := records.spread(2, "best", VHOST_PCI, f"TCP sendfile {way}", "all insn/KB"))]
    rows.append(_join(parts,
                      "guest instructions per TCP KB with offloads, sender + receiver", "at most 900"))
    for path, label, limit in ((VHOST_PCI, "guest instructions per forwarded packet in a middle VM, tc mirred (offloaded to the driver)", 2600),
                               (XDP_BOTH, "the same with XDP between two vhost-pci-net", 600)):
        parts = [_limit(spread(forwarders(records, path)), limit, "")]
        # A flood brings more than some can pass on, and what they drop has cost them something.
        beside = [f"{label}: {found}" for label, found in (("for each that came, dropped ones too", spread(forwarders(records, path, "insn/packet got"))),
                                                           ("at the rate with a loss of at most 0.1 %", spread(forwarders(records, path, test=LOSSLESS)))) if found]
        if beside:
            parts.append((f"(not judged, {'; '.join(beside)})", None))
        rows.append(_join(parts, label, f"under {limit}"))
    rows.append(_join([_versus(records, "equal", "ping", "average ms", STREAM, 0.6)], "ping RTT", "at most 0.6 x stream"))
    rows.append(Row("copies per packet and hop", "exactly 1", "1, by construction (see below)", True))
    return rows
