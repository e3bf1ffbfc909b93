# SPDX-License-Identifier: GPL-2.0-or-later
"""Stops the main thread of a QEMU and nothing else: what still works then does not need QEMU's main loop."""
import contextlib
import ctypes
import os
import pathlib
import time

from tests.lab.patience import Deadline

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
SYS_PPOLL = 271
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request: int, pid: int) -> None:
    if _libc.ptrace(request, pid, None, None):
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {pid}: {os.strerror(ctypes.get_errno())}")


def _stop_in_poll(pid: int) -> bool:
    """Elsewhere than in ppoll() the thread could hold the lock that the CPUs need as well."""
    _ptrace(PTRACE_SEIZE, pid)
    _ptrace(PTRACE_INTERRUPT, pid)
    os.waitpid(pid, WALL)
    if pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0] == str(SYS_PPOLL):
        return True
    _ptrace(PTRACE_DETACH, pid)
    return False


@contextlib.contextmanager
def frozen(*guests):
    pids = [guest.qemu.pid for guest in guests]
    stopped = []
    try:
        for pid in pids:
            end = Deadline(5)
            while not _stop_in_poll(pid):
                if end.over:
                    raise TimeoutError(f"the main thread of {pid} is never idle")
                time.sleep(0.005)
            stopped.append(pid)
        yield
    finally:
        for pid in stopped:
            _ptrace(PTRACE_DETACH, pid)
