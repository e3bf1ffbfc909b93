# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the project's tests: C# units with coverage, the units of driver and benchmark, fuzz targets, qtest with two QEMUs,
a guest of ours under TCG and KVM, two booted VMs, DPDK and Debian's QEMU as origins. tests/README.md has the map."""
import argparse
import collections
import os
import shlex
import shutil
import subprocess
import time
import xml.etree.ElementTree as xml

from . import machine
from .build import build
from .steps import BUILD, ROOT, stream

# The labels of cmake/Tests.cmake, and the packages without which some of a suite is skipped: libFuzzer; UEFI firmware and the
# team driver's tool; other people's front-ends, and a TPM for tests/qtest/test_binary.py.
SUITES = {
    "unit": [], "driver": [], "fuzz": ["clang-14", "libclang-rt-14-dev"], "bench": [], "qtest": [], "machine": [],
    "e2e": ["ovmf", "libteam-utils"],
    "frontends": ["qemu-system-x86", "dpdk-dev", "librte-net-virtio23", "librte-mempool-ring23", "swtpm"],
}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=SUITES, help="run only this suite (may be repeated)")
    parser.add_argument("-k", metavar="EXPRESSION", help="run only the matching tests of fuzz, qtest, machine, e2e and frontends (pytest's -k)")


REPORTS = BUILD / "test/reports"


def count(suite: str) -> collections.Counter:
    """What the suite's reports say of its tests."""
    counts = collections.Counter()
    for report in [path for kind in ("xml", "trx") for path in (REPORTS / suite).glob(f"*.{kind}")]:
        try:
            elements = list(xml.parse(report).iter())
        except xml.ParseError:      # whoever wrote it has died
            continue
        for element in elements:
            if element.tag == "testcase":                       # JUnit
                kinds = {child.tag for child in element}
                counts["failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"] += 1
            elif element.tag.endswith("}UnitTestResult"):       # trx
                counts[{"Passed": "passed", "NotExecuted": "skipped"}.get(element.get("outcome"), "failed")] += 1
    return counts


def run_suite(name: str, env: dict[str, str]) -> tuple[collections.Counter, str]:
    shutil.rmtree(REPORTS / name, ignore_errors=True)
    (REPORTS / name).mkdir(parents=True)
    status = stream(f"test-{name}", ["ctest", "--test-dir", BUILD / "cmake", "--label-regex", f"^{name}$", "--verbose"], env=env)
    counts, trouble = count(name), ""
    if status and not counts["failed"]:
        trouble = f"ended with status {status}"
    elif not counts["passed"] + counts["failed"]:
        trouble = "no test ran"
    counts["failed"] += bool(trouble)
    return counts, trouble


def text(counts: collections.Counter) -> str:
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed", "skipped"))


def run(args: argparse.Namespace) -> int:
    chosen = [name for name in SUITES if not args.only or name in args.only]
    for name in chosen:
        machine.install_optional(SUITES[name])
    build()
    env = {**os.environ, "CLICOLOR": "0"}      # ctest's log is for reading later
    if args.k:
        env["PYTEST_ADDOPTS"] = f"{env.get('PYTEST_ADDOPTS', '')} -k {shlex.quote(args.k)}"
    total, lines = collections.Counter(), []
    for name in chosen:
        print(f"\n== {name}", flush=True)
        began = time.monotonic()
        counts, trouble = run_suite(name, env)
        lines.append(f"  {name:<9} {time.monotonic() - began:5.0f} s  {text(counts)}   {trouble}".rstrip())
        total += counts
    print("\n== lines of C", flush=True)
    subprocess.run([ROOT / "tools/count-lines"], check=False)
    print("\n== summary", *lines, text(total), sep="\n")
    return 1 if total["failed"] else 0
