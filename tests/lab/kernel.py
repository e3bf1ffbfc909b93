# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the guests' kernel boot with a sixth of the instructions: it is unpacked on the host, and told the TSC frequency."""
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
    """The kernel as ELF, which QEMU boots through PVH; the packed kernel if it is not compressed with XZ."""
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
    """The host's TSC frequency, which TCG passes to the guest. On a busy host, guests that calibrate it themselves have been
    off by a factor of eight."""
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
