# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdicts and the page, from invented figures."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import report  # noqa: E402
import targets  # noqa: E402
from figures import Record, Records  # noqa: E402


def invented(factor: float) -> Records:
    """vhost-pci costs this much of what the others cost, and is faster by as much."""
    found = Records()
    for path, cost in (("vhost-pci", factor), ("stream", 1.0), ("OVS-DPDK", 1.0)):
        for n in (1, 2, 3):
            for vms in (2, 3, 4, 5):
                figures = {f"vm{vm} insn/packet": 4000 * cost for vm in range(vms)} | {f"vm{vm} CPU s/Mpkt": 8 * cost for vm in range(vms)}
                found.add(Record(vms, "equal", path, n, "packets 64",
                                 figures | {"all CPU s/Mpkt": 8 * cost * vms, "kpps": round(200 / vms / cost, 1), "lost %": 0}))
                found.add(Record(vms, "equal", path, n, "ping", {"average ms": cost * vms}))
            found.add(Record(2, "equal", path, n, "rate 64, loss 0.1 %", {"kpps": 100 / cost}))
            for way in ("forth", "back"):
                found.add(Record(2, "best", path, n, f"TCP {way}", {"Mbit/s": 500 / cost, "all insn/KB": 6000 * cost}))
    return found


def verdicts(records: Records) -> dict[str, bool | None]:
    return {row.figure: row.hit for row in targets.judge(records, cores=2)}


def test_what_is_far_better_hits_and_what_is_equal_misses():
    good, bad = verdicts(invented(0.1)), verdicts(invented(1.0))
    assert good.pop("the same with XDP") is None and bad.pop("the same with XDP") is None
    assert all(good.values()), good
    flat, copies = (next(name for name in bad if name.startswith(start)) for start in ("throughput from", "copies"))
    assert [name for name, hit in bad.items() if hit] == [flat, copies]


def test_one_missed_part_misses_the_target():
    # 0.4 is enough against stream (0.5), not against OVS-DPDK (0.35).
    rows = targets.judge(invented(0.4), cores=2)
    assert rows[0].hit is False
    assert rows[0].measured == "OVS-DPDK: 0.40 (0.40–0.40) x; stream: 0.40 (0.40–0.40) x"


FLAT = "throughput from N = 2 to 5, corrected for the number of cores"


def test_throughput_is_corrected_for_the_cores_that_there_are():
    found = invented(0.5)
    # 200 kpps with two VMs on two cores; five VMs on two cores carry two fifths of it, and are as good.
    assert [targets.corrected_rate(found, "vhost-pci", vms, 2) for vms in (2, 3, 4, 5)] == pytest.approx([200] * 4, rel=0.01)
    # With cores enough nothing is corrected.
    assert targets.corrected_rate(found, "vhost-pci", 5, 8) == pytest.approx(80)
    assert [row.hit for cores in (2, 8) for row in targets.judge(found, cores) if row.figure == FLAT] == [True, False]
    # A polling switch wants a core, too: three processes on two cores.
    assert targets.corrected_rate(found, "OVS-DPDK", 2, 2) == pytest.approx(150)
    assert targets.corrected_rate(found, "testpmd", 2, 2) is None


def test_throughput_may_fall_by_a_tenth_and_is_judged_with_the_longest_chain():
    for kpps, hit in ((73, True), (70, False), (120, True)):
        found = invented(0.5)
        for record in found.all:
            if record.vms == 5 and "kpps" in record.figures:
                record.figures["kpps"] = kpps
        assert verdicts(found)[FLAT] is hit
    assert verdicts(Records(r for r in invented(0.5).all if r.vms < 5))[FLAT] is None


def test_slopes_have_the_spread_of_the_rounds():
    found = invented(0.5)
    for record in found.all:
        if (record.round, record.path, record.test) == (3, "vhost-pci", "packets 64"):
            record.figures["all CPU s/Mpkt"] *= 2
    got = targets.slope_ratio(found, "stream")
    assert (got.median, got.low, got.high, got.count) == pytest.approx((0.5, 0.5, 1.0, 3))
    assert targets.slope_ratio(Records(r for r in found.all if r.vms == 2), "stream") is None


def test_xdp_is_judged_where_both_devices_are_ours():
    found = Records([Record(5, "equal", "vhost-pci-XDP", 1, "packets 64", {f"vm{n} insn/packet": value for n, value in
                                                                           enumerate((9000, 500, 2000, 560, 2700))})])
    assert targets.forwarders(found, "vhost-pci-XDP") == [500, 560]
    assert verdicts(found)["the same with XDP"] is True


def test_half_of_a_target_measured_is_not_a_hit():
    def without_ovs(factor: float) -> dict[str, bool | None]:
        return verdicts(Records(r for r in invented(factor).all if r.path != "OVS-DPDK"))

    two_parts = [name for name in without_ovs(0.1) if name.startswith(("CPU seconds", "TCP throughput", "cost of one more"))]
    assert len(two_parts) == 3
    assert {without_ovs(0.1)[name] for name in two_parts} == {None}
    assert {without_ovs(1.0)[name] for name in two_parts} == {False}


def test_nothing_measured_is_neither_hit_nor_missed():
    assert {hit for name, hit in verdicts(Records()).items() if not name.startswith("copies")} == {None}


def test_figures_survive_the_file(tmp_path: pathlib.Path, monkeypatch):
    # A dozen charts take seconds, and gnuplot need not be there.
    monkeypatch.setattr(report.charts, "available", lambda: False)
    meta = {"date": "then", "minutes": 1, "complete": False, "machine": {"CPU": "one"}, "versions": {}, "command": "./vhost-pci bench", "rounds": 3,
            "seconds": 2, "skipped": {"testpmd": "dpdk-testpmd is not installed"}, "troubles": [],
            "masks": {"N=2, equal features": {"vhost-pci": {"vm0, link 0": 0x100008000}, "stream": {"vm0, link 0": 0x100008001}}}}
    page = report.write(report.Run(invented(0.5), meta), tmp_path, "then")
    again = report.load(tmp_path / "then.json")
    assert again.records.all == invented(0.5).all and again.meta == meta
    text = page.read_text()
    for part in ("interrupted", "dpdk-testpmd is not installed", "NOT the same on all paths", "0x100008001", "| 3 | stream |"):
        assert part in text
