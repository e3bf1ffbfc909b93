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
    for path, cost in (("vhost-pci", factor), ("stream", 1.0), ("OVS-DPDK", 1.0), ("vhost-pci-XDP", factor),
                       ("vhost-pci-XDP-both", factor), ("stream-XDP", 1.0), ("OVS-DPDK-XDP", 1.0)):
        for n in (1, 2, 3):
            for vms in (3, 4, 5) if "XDP" in path else (2, 3, 4, 5):
                figures = {f"vm{vm} insn/packet": 4000 * cost for vm in range(vms)} | {f"vm{vm} CPU s/Mpkt": 8 * cost for vm in range(vms)}
                found.add(Record(vms, "equal", path, n, "packets 64",
                                 figures | {"all CPU s/Mpkt": 8 * cost * vms, "kpps": round(200 / vms / cost, 1), "lost %": 0}))
                found.add(Record(vms, "equal", path, n, "ping", {"average ms": cost * vms}))
            if "XDP" in path:
                continue
            found.add(Record(2, "equal", path, n, "rate 64, loss 0.1 %", {"kpps": 100 / cost}))
            for way in ("forth", "back"):
                found.add(Record(2, "best", path, n, f"TCP {way}", {"Mbit/s": 500 / cost, "all insn/KB": 6000 * cost}))
    return found


def verdicts(records: Records) -> dict[str, bool | None]:
    return {row.figure: row.hit for row in targets.judge(records, cores=2)}


def test_what_is_far_better_hits_and_what_is_equal_misses():
    good, bad = verdicts(invented(0.1)), verdicts(invented(1.0))
    assert all(good.values()), good
    hits = [name.split()[0] for name, hit in bad.items() if hit]
    assert hits == ["throughput", "copies"]


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
    flat = [row for cores in (2, 8) for row in targets.judge(found, cores) if row.figure == FLAT]
    assert [(row.hit, row.remark) for row in flat] == [(True, "with XDP; tc: hit"), (False, "with XDP; tc: missed")]
    # A polling switch wants a core, too: three processes on two cores.
    assert targets.corrected_rate(found, "OVS-DPDK", 2, 2) == pytest.approx(150)
    assert targets.corrected_rate(found, "testpmd", 2, 2) is None


def test_throughput_may_fall_by_a_tenth_and_is_judged_with_the_longest_chain():
    for kpps, hit in ((73, True), (70, False), (120, True)):
        found = invented(0.5)
        for record in found.all:
            if (record.vms, record.path) == (5, "vhost-pci-XDP") and "kpps" in record.figures:
                record.figures["kpps"] = kpps
        assert verdicts(found)[FLAT] is hit
    assert verdicts(Records(r for r in invented(0.5).all if r.vms < 5))[FLAT] is None


def test_slopes_have_the_spread_of_the_rounds():
    found = invented(0.5)
    for record in found.all:
        if (record.round, record.path, record.test) == (3, "vhost-pci", "packets 64"):
            record.figures["all CPU s/Mpkt"] *= 2
    got = targets.slope_ratio(found, "vhost-pci", "stream")
    assert (got.median, got.low, got.high, got.count) == pytest.approx((0.5, 0.5, 1.0, 3))
    assert targets.slope_ratio(Records(r for r in found.all if r.vms == 2), "vhost-pci", "stream") is None


SLOPE = "cost of one more VM in the chain (slope of CPU per 64-byte packet over N)"


def costlier(found: Records, path: str, factor: float) -> Records:
    """This path costs so much more for each VM after the second."""
    for record in found.all:
        if record.path == path and record.vms > 2 and targets.CPU in record.figures:
            two = next(r for r in found.all if (r.vms, r.round, r.test) == (2, record.round, record.test) and r.path == targets.plain(path))
            record.figures[targets.CPU] = two.figures[targets.CPU] + factor * (record.figures[targets.CPU] - two.figures[targets.CPU])
    return found


def slope_row(found: Records) -> targets.Row:
    return next(row for row in targets.judge(found, cores=2) if row.figure == SLOPE)


def test_chains_are_judged_like_with_like_and_no_verdict_is_hidden():
    # With tc ours costs nine tenths of theirs for each more VM, with XDP three tenths.
    row = slope_row(costlier(invented(0.3), "vhost-pci", 3))
    assert (row.hit, row.remark) == (True, "with XDP; tc: missed")
    assert "tc, missed: stream: 0.90 (0.90–0.90) x; OVS-DPDK: 0.90 (0.90–0.90) x" in row.measured
    assert "XDP, hit: stream-XDP: 0.30 (0.30–0.30) x; OVS-DPDK-XDP: 0.30 (0.30–0.30) x" in row.measured
    assert report.qualified(row) == "**hit** with XDP; tc: missed"
    # The other way round: what tc reaches does not make up for XDP.
    row = slope_row(costlier(invented(0.3), "vhost-pci-XDP", 3))
    assert (row.hit, row.remark) == (False, "with XDP; tc: hit")


def test_without_xdp_there_is_no_verdict_on_chains():
    row = slope_row(Records(r for r in invented(0.1).all if not r.path.endswith("XDP")))
    assert (row.hit, row.remark) == (None, "with XDP; tc: hit")


def test_two_vms_with_xdp_are_two_vms_without():
    found = invented(0.5)
    assert targets.chain_points(found, "stream-XDP", targets.CPU)[0] == (2, 16)
    lowest, rates = targets.flatness(found, "vhost-pci-XDP", 2)
    assert [vms for vms, _ in rates] == [2, 3, 4, 5] and lowest == pytest.approx(1, rel=0.01)


def test_sendfile_is_told_and_not_judged():
    found = invented(0.1)
    found.add(Record(2, "best", "vhost-pci", 1, "TCP sendfile forth", {"all insn/KB": 5000}))
    row = next(row for row in targets.judge(found, cores=2) if "TCP KB" in row.figure)
    assert row.hit is True and row.measured.endswith("(sendfile forth: 5000)")


def test_xdp_is_judged_where_both_devices_are_ours():
    found = Records([Record(5, "equal", "vhost-pci-XDP-both", 1, "packets 64", {f"vm{n} insn/packet": value for n, value in
                                                                                enumerate((9000, 500, 2000, 560, 2700))})])
    assert targets.forwarders(found, "vhost-pci-XDP-both") == [500, 560]
    assert verdicts(found)["the same with XDP between two vhost-pci-net"] is True


def test_half_of_a_target_measured_is_not_a_hit():
    def without_ovs(factor: float) -> dict[str, bool | None]:
        return verdicts(Records(r for r in invented(factor).all if not r.path.startswith("OVS-DPDK")))

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
            "rings": {"N=2, equal features": {"vhost-pci": {"vm0, link 0": [1024, 1024], "vm1, link 0": [1024, 1024]}, "stream": {"vm0, link 0": [1024, 256]}}},
            "masks": {"N=2, equal features": {"vhost-pci": {"vm0, link 0": 0x100008000}, "stream": {"vm0, link 0": 0x100008001}}}}
    page = report.write(report.Run(invented(0.5), meta), tmp_path, "then")
    again = report.load(tmp_path / "then.json")
    assert again.records.all == invented(0.5).all and again.meta == meta
    text = page.read_text()
    for part in ("interrupted", "dpdk-testpmd is not installed", "NOT the same on all paths", "0x100008001", "| 3 | stream |", "| vhost-pci | vm0, link 0, vm1, link 0 | N=2, equal features | 1024 | 1024 |"):
        assert part in text
