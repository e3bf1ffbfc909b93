# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory files that lose pages while another process has them mapped."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import subprocess
import tempfile

import pytest

MIB = 1 << 20
HUGE_PAGE = 2 * MIB
F_SEAL_SHRINK = 2
PUNCH_HOLE, KEEP_SIZE = 2, 1        # of fallocate
NR_HUGE_PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")


SIZE = 16 * MIB
REASON = "has lost pages that this VM was using"    # what the origin's connection ends with


class CannotMake(Exception):
    """This machine cannot provide such a file; the text says why."""


class LosingFile:
    """After lose() there is no page at offset `at`."""

    def __init__(self, fd: int, size: int, lose, at: int):
        self.fd, self.size, self.lose, self.at = fd, size, lose, at


@contextlib.contextmanager
def truncated_memfd(size: int):
    fd = os.memfd_create("losing", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
        yield LosingFile(fd, size, lambda: os.ftruncate(fd, 0), at=size // 2)
    finally:
        os.close(fd)


@contextlib.contextmanager
def truncated_tmpfs(size: int):
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        os.ftruncate(file.fileno(), size)
        yield LosingFile(file.fileno(), size, lambda: os.ftruncate(file.fileno(), 0), at=size // 2)


def _set_huge_pages(number: int) -> int:
    try:
        NR_HUGE_PAGES.write_text(f"{number}\n")
    except OSError as error:
        raise CannotMake(f"huge pages cannot be reserved: {error}") from None
    return int(NR_HUGE_PAGES.read_text())


@contextlib.contextmanager
def punched_huge_pages(size: int):
    """Sealing against shrinking does not forbid holes, and no huge page is left to fill them."""
    before = int(NR_HUGE_PAGES.read_text())
    fd = -1
    try:
        wanted = before + size // HUGE_PAGE
        if _set_huge_pages(wanted) < wanted:
            raise CannotMake(f"no room for {size // HUGE_PAGE} huge pages")
        try:
            # 21: log2 of HUGE_PAGE, where memfd_create() wants it
            fd = os.memfd_create("losing", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | os.MFD_HUGETLB | 21 << 26)
        except OSError as error:
            raise CannotMake(f"no memfd with huge pages: {error}") from None
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEAL_SHRINK)
        _fallocate(fd, 0, 0, size)
        hole = size - HUGE_PAGE

        def lose() -> None:
            _fallocate(fd, PUNCH_HOLE | KEEP_SIZE, hole, HUGE_PAGE)
            _set_huge_pages(0)

        yield LosingFile(fd, size, lose, at=hole + 0x5000)
    finally:
        if fd >= 0:
            os.close(fd)
        if NR_HUGE_PAGES.exists():
            with contextlib.suppress(CannotMake):
                _set_huge_pages(before)


@contextlib.contextmanager
def full_tmpfs(size: int):
    """A sparse file on a tmpfs that is too small for it, and full after lose()."""
    with tempfile.TemporaryDirectory() as folder:
        # In a mount namespace of its own, which ends with it
        script = (f"mount -t tmpfs -o size={size // 2} none {folder} && truncate -s {size} {folder}/memory "
                  f"&& echo made && cat >/dev/null")
        child = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        fds = []
        try:
            if child.stdout.readline() != "made\n":
                raise CannotMake(f"no tmpfs of its own: {child.stderr.read().strip()}")
            inside = pathlib.Path(f"/proc/{child.pid}/root{folder}")
            fds.append(os.open(inside / "memory", os.O_RDWR | os.O_CLOEXEC))
            fds.append(os.open(inside / "filler", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC))

            def lose() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        os.write(fds[1], bytes(1 << 16))
                with contextlib.suppress(OSError):
                    while True:
                        os.write(fds[1], bytes(1 << 12))

            yield LosingFile(fds[0], size, lose, at=size - 0x3000)
        finally:
            for fd in fds:
                os.close(fd)
            child.stdin.close()
            child.wait()


def _fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate64(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


KINDS = {"truncated-memfd": truncated_memfd, "truncated-tmpfs": truncated_tmpfs, "punched-huge-pages": punched_huge_pages,
         "full-tmpfs": full_tmpfs}


@pytest.fixture(params=KINDS)
def losing_file(request):
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(KINDS[request.param](SIZE))
        except CannotMake as reason:
            pytest.skip(str(reason))
        yield file
