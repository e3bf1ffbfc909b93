# SPDX-License-Identifier: GPL-2.0-or-later
"""What received frames take of the mirror's memory: as much as sockets are charged, given back, and no harm when there is none."""
import base64
import gzip
import pathlib
import shutil
import subprocess

import pytest

from lab import guests, paths, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Pair
from lab.patience import wait_for

SOURCES = pathlib.Path(__file__).resolve().parents[1] / "driver"
FLAGS = ("-Os", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib", "-no-pie", "-fno-pie", "-fno-builtin", "-s",
         "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none")
PORT, MANY = 9000, 73
KIB, MIB = 1 << 10, 1 << 20
STOCK = 2 * MIB
NOISE = 6 * MIB
"""What the kernel takes for itself meanwhile, and two stocks of pages."""


def install(pair: Pair, program: pathlib.Path) -> None:
    text = base64.b64encode(gzip.compress(program.read_bytes())).decode()
    pair.mirror.command("rm -f /tmp/packed")
    for start in range(0, len(text), 2000):
        pair.mirror.command(f"echo {text[start:start + 2000]} >>/tmp/packed")
    pair.mirror.command(f"base64 -d </tmp/packed | gunzip >/tmp/{program.name}; chmod +x /tmp/{program.name}")


@pytest.fixture(scope="module")
def holder(run: process.RunDir, pair: Pair):
    program = run / "udphold"
    subprocess.run(["gcc", *FLAGS, "-o", str(program), str(SOURCES / "udp/udphold.c")], check=True)
    install(pair, program)

FREE = "awk '/^(MemFree|Slab):/ { kb += $2 } / count: / { kb += $2 * 4 } END { print kb }' /proc/meminfo /proc/zoneinfo"
"""In KiB, with the per-CPU lists of free pages, and without the kernel's small objects, which come and go."""


class Socket:
    """One of the mirror's that nobody reads. What is in it is charged, and the kernel drops what would be too much."""

    def __init__(self, pair: Pair, limit: int):
        self.mirror = pair.mirror
        self.mirror.command(f"echo {limit} >/proc/sys/net/core/rmem_default; "
                            f"(exec /tmp/udphold & echo $! >/tmp/udphold.pid)")
        self.mirror.wait_until(f"grep -q ':{PORT:04X} ' /proc/net/udp", 10)

    def charged(self) -> int:
        fields = self.mirror.command(f"grep ':{PORT:04X} ' /proc/net/udp").split()
        return int(fields[4].split(":")[1], 16)

    def close(self) -> None:
        self.mirror.command("kill $(cat /tmp/udphold.pid)")
        self.mirror.wait_until(f"! grep -q ':{PORT:04X} ' /proc/net/udp", 10)


def free(pair: Pair) -> int:
    pair.mirror.command("sync; echo 3 >/proc/sys/vm/drop_caches")
    return int(pair.mirror.command(FREE)) * KIB


def wait_free(pair: Pair, least: int) -> None:
    pair.mirror.wait_until(f"[ $({FREE}) -ge {least // KIB} ]", 60, 1)


def dropped(pair: Pair) -> int:
    interface = pair.mirror.wait_interface(MIRROR_IP)
    return int(pair.mirror.command(f"cat /sys/class/net/{interface}/statistics/rx_dropped"))


def send(pair: Pair, frames: int, ports: int, smallest: int, largest: int) -> None:
    """To so many ports in turn, of which the first may be a socket's."""
    sender = pair.origin.wait_interface(ORIGIN_IP)
    receiver = pair.mirror.wait_interface(MIRROR_IP)
    mac = pair.mirror.command(f"cat /sys/class/net/{receiver}/address")
    traffic.set_up_pktgen(pair.origin, sender, f"count {frames}", "clone_skb 0", "burst 1", "delay 0", f"min_pkt_size {smallest}",
                          f"max_pkt_size {largest}", "flag TXSIZE_RND", f"dst_mac {mac}", f"dst {MIRROR_IP}",
                          f"src_min {ORIGIN_IP}", f"src_max {ORIGIN_IP}", f"udp_dst_min {PORT}", f"udp_dst_max {PORT + ports - 1}")
    pair.origin.command("echo start >/proc/net/pktgen/pgctrl & true")
    # In turn with the mirror, which says how it died
    wait_for("pktgen to end", lambda: pair.mirror.command("echo alive") and
             "Result: OK" in pair.origin.command(f"cat /proc/net/pktgen/{sender}"), 120, 0.2)
    pair.origin.command("wait")
    assert traffic.pktgen_sent(pair.origin, sender) >= frames


@pytest.fixture(autouse=True)
def clean(holder, clean_kernels):
    yield


@pytest.mark.parametrize("smallest, largest", ((60, 60), (60, 1514)), ids=("small", "mixed"))
def test_one_frame_of_many_pins_no_more_than_twice_its_charge(pair: Pair, smallest: int, largest: int):
    before = free(pair)
    socket = Socket(pair, 4 * MIB)
    try:
        send(pair, 200_000, MANY, smallest, largest)
        charged, taken = socket.charged(), before - free(pair)
        print(f"charged {charged >> 10} KiB, taken {taken >> 10} KiB")
        assert charged > MIB, "the socket did not get what was for it"
        assert taken <= 2 * charged + NOISE
    finally:
        socket.close()


def test_pages_are_given_back(pair: Pair):
    receiver = pair.mirror.wait_interface(MIRROR_IP)
    pair.mirror.command(f"/usr/sbin/ip link set {receiver} down; /usr/sbin/ip link set {receiver} up")
    pair.mirror.wait_until(f'[ "$(cat /sys/class/net/{receiver}/carrier)" = 1 ]')
    pair.origin.wait_answer(MIRROR_IP)
    before = free(pair)
    # The second time it cannot be the time that does it
    for give_back in ("wait", "down"):
        socket = Socket(pair, 16 * MIB)
        try:
            # Frames that stay make a stock as large as it may become.
            send(pair, 8_000, 1, 1000, 1514)
            assert socket.charged() > 8 * MIB
        finally:
            socket.close()
        if give_back == "wait":
            wait_free(pair, before - STOCK // 2)
            continue
        pair.mirror.command(f"/usr/sbin/ip link set {receiver} down")
        held = before - free(pair)
        print(f"held {held >> 10} KiB")
        pair.mirror.command(f"/usr/sbin/ip link set {receiver} up")
        pair.mirror.wait_until(f'[ "$(cat /sys/class/net/{receiver}/carrier)" = 1 ]')
        assert held < STOCK // 2


def install_faults(run: process.RunDir, pair: Pair) -> None:
    release = next((paths.BUILD / "guest-kernel/lib/modules").iterdir()).name
    folder = run / "fault"
    shutil.copytree(SOURCES / "fault", folder)
    subprocess.run(["make", "-s", "-C", f"/usr/src/linux-headers-{release}", f"M={folder}", "modules"], check=True)
    subprocess.run(["strip", "--strip-debug", str(folder / "vpfault.ko")], check=True)
    install(pair, folder / "vpfault.ko")
    pair.mirror.command("insmod /tmp/vpfault.ko")


def fail(pair: Pair, pages: int = 0, slabs: int = 0) -> None:
    pair.mirror.command(f"cd /sys/module/vpfault/parameters; echo {pages} >pages; echo {slabs} >slabs; cd /")


def failures(pair: Pair) -> int:
    return sum(int(pair.mirror.command(f"cat /sys/module/vpfault/parameters/failed_{kind}")) for kind in ("pages", "slabs"))


def test_allocations_that_fail_under_traffic(run: process.RunDir, pair: Pair):
    install_faults(run, pair)
    # All, or one now and then; of pages, of what the kernel cuts from them, or of both
    for faults in ({"pages": 1}, {"slabs": 1}, {"pages": 3}, {"pages": 2, "slabs": 5}):
        socket = Socket(pair, 32 * MIB)
        try:
            # Frames of all sizes that stay, so that each needs memory that nobody had
            send(pair, 500, 1, 60, 1514)
            drops, failed = dropped(pair), failures(pair)
            fail(pair, **faults)
            send(pair, 3_000, 1, 60, 1514)
            fail(pair)
            assert failures(pair) > failed and dropped(pair) > drops, f"{faults}: nothing failed"
        finally:
            fail(pair)
            socket.close()
        pair.origin.wait_answer(MIRROR_IP)
        assert pair.origin.ping(MIRROR_IP).lossless
    # Large frames: TCP gets through whatever fails
    failed = failures(pair)
    fail(pair, pages=3, slabs=20)
    sent, received = traffic.transfer_file(pair.origin, pair.mirror, MIRROR_IP, 4)
    fail(pair)
    assert sent == received
    assert failures(pair) > failed
    pair.mirror.command("rmmod vpfault")
