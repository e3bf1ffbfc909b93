# SPDX-License-Identifier: GPL-2.0-or-later
"""What a register costs whose device is in C#: QEMU's edu device and that of managed/Examples.Edu in one machine.

A guest of ours, under TCG, reads the same register of both by turns, a million times each, then writes one. Counted is the time that the
vCPU's thread was on a processor, so that a busy machine does not count; a turn is some 100 ms. Under KVM the exit to QEMU comes on top,
which is the same for both and far more than the difference."""
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from tests.lab import paths, process  # noqa: E402
from tests.machine.guest import Guest, assemble  # noqa: E402

DEVICES = {"C": "edu", "C#": f"dotnet-pci,library={paths.BUILD / 'libedu.so'}"}
SLOT = 4
BAR, BAR_SIZE = 0xe0000000, 1 << 20
OPERATIONS = {"read": ("repeat_read32", 0x00), "write": ("repeat32", 0x04)}
ACCESSES = 1_000_000


def measure(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Nanoseconds of an access: by operation, by language, one of each round."""
    figures = {operation: {language: [] for language in DEVICES} for operation in OPERATIONS}
    with process.RunDir("registers") as run:
        args = [word for number, device in enumerate(DEVICES.values()) for word in ("-device", f"{device},addr={SLOT + number}")]
        with Guest(run, "registers", "tcg", assemble(run.path), args) as guest:
            for number in range(len(DEVICES)):
                function = guest.pci(0, SLOT + number)
                function.set_bar(0, BAR + number * BAR_SIZE)
                function.enable()
            vcpu = pathlib.Path(f"/proc/{guest.qemu.pid}/task/{guest.qmp.execute('query-cpus-fast')[0]['thread-id']}/schedstat")
            for turn in range(rounds + 1):
                for operation, (name, register) in OPERATIONS.items():
                    for number, language in enumerate(DEVICES):
                        before = int(vcpu.read_text().split()[0])
                        guest.post(name, BAR + number * BAR_SIZE + register, 1, ACCESSES)
                        guest.wait_done(120)
                        if turn:            # the first is for what is done once
                            figures[operation][language].append((int(vcpu.read_text().split()[0]) - before) / ACCESSES)
    return figures


def text(figures: dict[str, dict[str, list[float]]]) -> str:
    lines = [f"{'ns of an access':<16}{'C':>8}{'C#':>8}{'C# - C':>8}{'C# / C':>8}   ({len(figures['read']['C'])} rounds: median; least and most of the difference)"]
    for operation, languages in figures.items():
        c, managed = languages["C"], languages["C#"]
        more = [b - a for a, b in zip(c, managed)]
        lines.append(f"{operation:<16}{statistics.median(c):8.1f}{statistics.median(managed):8.1f}{statistics.median(more):8.1f}"
                     f"{statistics.median(managed) / statistics.median(c):8.2f}   {min(more):.1f} to {max(more):.1f}")
    return "\n".join(lines)


def run(rounds: int) -> int:
    print(text(measure(rounds)))
    return 0
