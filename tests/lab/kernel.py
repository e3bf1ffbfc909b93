# SPDX-License-Identifier: GPL-2.0-or-later
"""What makes the guests' kernel boot in a sixth of the instructions: no unpacking under TCG, and no measuring of a clock that is known."""
import ctypes
import functools
import lzma
import mmap
import os
import pathlib
import struct
import time

from . import paths

# rdtsc; shl rdx, 32; or rax, rdx; ret
READ_TSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
# Boot protocol: where the compressed kernel is, seen from the end of the setup sectors.
SETUP_SECTORS, PAYLOAD = 0x1f1, 0x248


def unpacked() -> pathlib.Path:
    """The kernel as an ELF file, which QEMU starts by its PVH entry; the packed one where it is not in XZ."""
    target = paths.BUILD / "vmlinux"
    if target.exists() and target.stat().st_mtime_ns >= paths.KERNEL.stat().st_mtime_ns:
        return target
    image = paths.KERNEL.read_bytes()
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = ((image[SETUP_SECTORS] or 4) + 1) * 512 + offset
    try:
        # What follows the stream is its length, as the kernel's own unpacking wants it.
        elf = lzma.LZMADecompressor().decompress(image[start:start + length])
    except lzma.LZMAError:
        return paths.KERNEL
    if not elf.startswith(b"\x7fELF"):
        return paths.KERNEL
    # Several programs may do this at once; each of them makes the same file.
    temporary = target.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(elf)
    temporary.rename(target)
    return target


@functools.cache
def tsc_khz() -> int | None:
    """The rate of this machine's counter, which TCG hands to the guest. On a busy machine guests that measure it themselves
    have come out wrong by a factor of eight, and with it all their times."""
    if os.uname().machine != "x86_64":
        return None
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(READ_TSC)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

    def sample() -> tuple[float, int]:
        # The reading that was least disturbed.
        tries = []
        for _ in range(50):
            before = time.monotonic_ns()
            count = read()
            after = time.monotonic_ns()
            tries.append((after - before, (before + after) / 2, count))
        return min(tries)[1:]

    (first_time, first), (second_time, second) = sample(), (time.sleep(0.05), sample())[1]
    return round((second - first) * 1e6 / (second_time - first_time))


def arguments() -> str:
    # The self-tests of the kernel's ciphers are a seventh of a boot.
    known = f" tsc_early_khz={khz}" if (khz := tsc_khz()) else ""
    return f"tsc=reliable no_timer_check cryptomgr.notests{known}"
