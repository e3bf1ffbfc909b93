# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's own vhost-user front-end as origin: Debian's program as it is, and ours."""
import pathlib
import re
import subprocess

import pytest

from frontends.mirror import SEALED, Mirror, wait_for
from lab import guests, paths, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, ORIGIN_MAC, Guest
from lab.process import RunDir

STOCK = pathlib.Path("/usr/bin/qemu-system-x86_64")
stock = pytest.mark.skipif(not STOCK.exists(), reason=f"{STOCK} is not installed (Debian: qemu-system-x86)")
# Without vectors=0 Debian's 7.2 crashes on its own under TCG, with any vhost-user back-end; our build has the fix.
FRONT_ENDS = [
    pytest.param(STOCK, "q35", ",vectors=0", id="debian-q35", marks=stock),
    pytest.param(STOCK, "pc", ",vectors=0,mrg_rxbuf=off,event_idx=off,indirect_desc=off", id="debian-pc-bare", marks=stock),
    pytest.param(paths.QEMU, "q35", "", id="ours-msix"),
    pytest.param(paths.QEMU, "q35", ",packed=on,mq=on", id="ours-packed"),
    pytest.param(STOCK, "q35", ",vectors=0,packed=on", id="debian-packed", marks=stock),
    pytest.param(STOCK, "pc", ",vectors=0,packed=on,mrg_rxbuf=off,event_idx=off,indirect_desc=off", id="debian-packed-bare", marks=stock),
]


def start(run: RunDir, socket: pathlib.Path, qemu: pathlib.Path, machine: str, options: str) -> Guest:
    argv = guests.base_arguments(run, "origin", "origin", ORIGIN_IP, machine, qemu=qemu)
    return Guest("origin", argv + [
        "-chardev", f"socket,id=c0,path={socket}", "-netdev", "vhost-user,id=n0,chardev=c0",
        "-device", f"virtio-net-pci,netdev=n0,romfile=,mac={ORIGIN_MAC}{options}"], run)


def assert_traffic(mirror: Mirror, origin: Guest) -> None:
    for sender, receiver, target in ((origin, mirror.vm, MIRROR_IP), (mirror.vm, origin, ORIGIN_IP)):
        sender.wait_answer(target)
        for size in (56, 1472):
            ping = sender.ping(target, 20, 0.02, size)
            assert ping.lossless, f"{sender.name}, {size} bytes: {ping}"
        # Data flows; how fast is the benchmarks' affair
        stream = traffic.tcp_stream(sender, receiver, target, 1)
        assert stream.mbit_per_second > 1, (sender.name, stream)


@pytest.mark.parametrize("qemu,machine,options", FRONT_ENDS)
def test_link(run: RunDir, mirror: Mirror, qemu: pathlib.Path, machine: str, options: str):
    refused = mirror.refused()
    origin = start(run, mirror.sockets[SEALED], qemu, machine, options)
    try:
        origin.wait_ready()
        peer = mirror.wait_link(origin.qemu.pid)
        origin.wait_interface(ORIGIN_IP)
        assert_traffic(mirror, origin)

        name = origin.interfaces()[0]
        interrupts = origin.command("cat /proc/interrupts")
        assert ("MSI" in next(line for line in interrupts.splitlines() if "virtio" in line)) == ("vectors=0" not in options)
        if "bare" not in options and "event_idx=off" in options:
            assert not peer["features"] & (1 << 15 | 1 << 28 | 1 << 29)
        assert bool(peer["features"] & 1 << 34) == ("packed=on" in options)
        # The driver goes and comes: rings stop and start again in one session
        device = origin.command(f"basename $(readlink -f /sys/class/net/{name}/device)")
        origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/unbind")
        wait_for("the link to go down", lambda: not mirror.peers()[0]["link"])
        origin.command(f"echo {device} > /sys/bus/virtio/drivers/virtio_net/bind")
        mirror.wait_link(origin.qemu.pid)
        origin.wait_interface(ORIGIN_IP)
        mirror.vm.wait_answer(ORIGIN_IP)
        assert mirror.vm.ping(ORIGIN_IP).lossless
        assert origin.complaints() == []
        assert mirror.refused() == refused
    finally:
        origin.stop()


@stock
def test_debians_program_reboots_stops_and_dies(run: RunDir, mirror: Mirror):
    origin = start(run, mirror.sockets[SEALED], STOCK, "q35", ",vectors=0")
    try:
        origin.wait_ready()
        mirror.wait_link(origin.qemu.pid)
        origin.wait_interface(ORIGIN_IP)
        for _ in range(3):
            origin.qmp.execute("stop")
            origin.qmp.execute("cont")
            mirror.wait_link(origin.qemu.pid)
            mirror.vm.wait_answer(ORIGIN_IP)
            assert mirror.vm.ping(ORIGIN_IP, 5).lossless
        mirror.vm.command(f"/usr/bin/ping -f -q {ORIGIN_IP} >/dev/null 2>&1 & true")
        origin.kill()
        mirror.wait_alone()
        mirror.vm.command("killall ping; wait; :")
    finally:
        origin.qemu.stop()


@stock
def test_the_version_is_what_the_matrix_says():
    text = subprocess.run([STOCK, "--version"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"QEMU emulator version 7\.2\.\d+ \(Debian ", text), text
