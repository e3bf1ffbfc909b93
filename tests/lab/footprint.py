# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts the descriptors, threads and shared memory of a process, to find leaks."""
import collections
import pathlib
import re
import time

from .patience import Deadline
from .process import Qemu

# Threads of QEMU's pool for blocking calls: they come and go by themselves
POOL = {"worker"}


def _kind(target: str) -> str:
    return re.sub(r"\[\d+\]", "", target)


class Footprint:
    def __init__(self, qemu: Qemu):
        self.descriptors = collections.Counter(_kind(target) for target in qemu.open_fds())
        self.threads = collections.Counter(name for name in qemu.threads() if name not in POOL)
        # Only sizes count: a peer that returns has the same memory in another file
        sizes: collections.Counter[str] = collections.Counter()
        for line in pathlib.Path(f"/proc/{qemu.pid}/maps").read_text().splitlines():
            fields = line.split(None, 5)
            if "s" in fields[1] and "memfd:" in fields[-1]:
                begin, end = (int(word, 16) for word in fields[0].split("-"))
                sizes[fields[4]] += end - begin
        self.shared = collections.Counter(f"{size >> 10} KiB" for size in sizes.values())

    def more(self, before: "Footprint") -> str:
        """What is held now and was not before. Less is fine: QEMU may have freed something late."""
        return "; ".join(f"{what}: {dict(more)}" for what, now in vars(self).items() if (more := now - getattr(before, what)))


def wait_back(qemu: Qemu, before: Footprint, timeout: float = 20) -> None:
    """Waits until the process holds no more than before; fails with the difference."""
    end = Deadline(timeout)
    while True:
        more = Footprint(qemu).more(before)
        if not more:
            return
        if end.over:
            raise AssertionError(f"{qemu.name} does not get back to its footprint, it has more {more}")
        time.sleep(0.1)
