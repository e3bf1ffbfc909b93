# SPDX-License-Identifier: GPL-2.0-or-later
"""-device vhost-pci-net,chardev=: a static device with a socket of its own and no vhost-pci-server."""
import itertools
import os
import resource
import socket
import stat
import subprocess

import pytest

from tests.lab import footprint, paths
from tests.lab.qmp import QmpError
from tests.lab.qtest import QTest

from . import front_end as fe
from .front_end import FrontEnd
from .mirror import DEVICE_IDS, GIB, WINDOWS, MirrorDevice, MirrorMachine, wait_for
from .origin import Origin
from .test_static import check_link


class OwnMirror(MirrorMachine, QTest):
    """A static device on the root bus; nothing else of vhost-pci."""

    def __init__(self, run, name="mirror", options="", args=(), **more):
        self.path = run / f"{name}.vhost-pci"
        super().__init__(run, name, [
            "-chardev", f"socket,id=own,server=on,wait=off,path={self.path}",
            "-device", f"vhost-pci-net,chardev=own,id=vpn0,mac=52:54:00:00:00:77,bus=pci.0,addr=9{options}", *args], **more)

    def start_device(self) -> MirrorDevice:
        device = MirrorDevice(self, self.pci(0, 9))
        device.start()
        return device


def test_origins_come_and_go_and_the_device_stays(run):
    with OwnMirror(run) as mirror:
        device = mirror.start_device()
        peer, = mirror.peers()
        assert peer["state"] == "waiting" and peer["static"] and not device.config().up
        assert stat.S_IMODE(os.stat(mirror.path).st_mode) == 0o600
        baseline = footprint.Footprint(mirror.qemu)
        for number in range(20):
            with Origin(run, mirror.path) as origin:
                check_link(mirror, device, origin, number)
                if number % 2:
                    origin.qemu.kill()
                    mirror.wait_peer("waiting", lambda p: p["state"] == "waiting")
            mirror.wait_peer("waiting", lambda p: p["state"] == "waiting")
            assert mirror.readq(WINDOWS + 0x2000000) == 0
            assert mirror.pci(0, 9).ids == DEVICE_IDS and not device.config().up
            device.ack(device.config().epoch)
            footprint.wait_back(mirror.qemu, baseline)


def test_one_at_a_time(run):
    with OwnMirror(run) as mirror, FrontEnd(mirror.path) as first:
        device = mirror.start_device()
        first.start()
        wait_for("the link", lambda: device.config().up)
        with FrontEnd(mirror.path) as second:
            assert second.closed_by_server()
        assert device.config().up
        server, = mirror.info()["servers"]
        assert server["id"] == "vpn0" and server["connections-max"] == 1 and server["refused"] == 1


def test_an_origin_that_does_not_fit_is_refused_with_the_remedy(run):
    with OwnMirror(run, options=",queues=1,window-size=4G") as mirror:
        with FrontEnd(mirror.path) as large:
            large.greet(fe.F_VHOST_PCI)
            large.send_info(memory_end=5 * GIB)
            assert large.closed_by_server()
        assert "window-size=" in mirror.info()["servers"][0]["last-refusal"]
        with FrontEnd(mirror.path) as right:
            right.start()
            mirror.wait_peer("a mapped window", lambda p: p["mapped"])


def test_options_of_its_own_server(run):
    with OwnMirror(run, options=",allow-uid=4711") as mirror, FrontEnd(mirror.path) as nobody:
        assert nobody.closed_by_server()
        assert mirror.info()["servers"][0]["allow-uid"] == [4711]
    with OwnMirror(run, name="unsealed", options=",allow-unsealed=on") as mirror, FrontEnd(mirror.path) as origin:
        origin.greet()
        origin.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        origin.set_memory([fe.region()], [origin.own(fe.memory(seal=False))])
        origin.set_ring(0)
        origin.set_ring(1)
        mirror.wait_link()


def test_the_chardev_cannot_be_removed_under_it(run):
    with OwnMirror(run) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        with pytest.raises(QmpError, match="busy"):
            mirror.qmp.execute("chardev-remove", {"id": "own"})
        assert mirror.peers()[0]["link"]


def add_chardev(mirror, name, path) -> None:
    mirror.qmp.execute("chardev-add", {"id": name, "backend": {"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": str(path)}}, "server": True, "wait": False}}})


def test_a_chardev_that_could_not_be_taken_goes_on_accepting(run):
    with OwnMirror(run) as mirror:
        add_chardev(mirror, "other", run / "other")
        used = {int(fd) for fd in os.listdir(f"/proc/{mirror.qemu.pid}/fd")}
        lowest_free = next(number for number in itertools.count() if number not in used)
        before = resource.prlimit(mirror.qemu.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(mirror.qemu.pid, resource.RLIMIT_NOFILE, (lowest_free, before[1]))
        with pytest.raises(QmpError, match="chardev 'other': Too many open files"):
            mirror.qmp.execute("device_add", {"driver": "vhost-pci-net", "chardev": "other", "bus": "pci.0", "addr": "a"})
        resource.prlimit(mirror.qemu.pid, resource.RLIMIT_NOFILE, before)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(run / "other"))
            wait_for("its client", lambda: any(chardev["label"] == "other" and not chardev["filename"].startswith("disconnected:")
                                               for chardev in mirror.qmp.execute("query-chardev")))


def test_unplugged_and_plugged_by_the_user(run):
    """On a bridge of the user's; when the device is gone, the chardev can be used again and removed."""
    path = run / "hot"
    with QTest(run, "hot", ["-device", "pci-bridge,id=br,chassis_nr=1,shpc=off"]) as mirror:
        add_chardev(mirror, "own", path)
        for _ in range(3):
            mirror.qmp.execute("device_add", {"driver": "vhost-pci-net", "chardev": "own", "id": "hot", "bus": "pci.0",
                                              "addr": "a"})
            with FrontEnd(path) as origin:
                origin.start()
                wait_for("a mapped window", lambda: mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"][0]["mapped"])
                mirror.qmp.execute("device_del", {"id": "hot"})
                mirror.outl(0xae10, 0)
                mirror.outl(0xae08, 1 << 10)
                mirror.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "hot")
                assert origin.closed_by_server()
            assert mirror.qmp.execute("query-vhost-pci")["servers"] == []
        mirror.qmp.execute("chardev-remove", {"id": "own"})


def test_system_reset_keeps_it(run):
    with OwnMirror(run) as mirror, Origin(run, mirror.path) as origin:
        origin.start_driver()
        mirror.wait_link()
        for _ in range(3):
            mirror.qmp.execute("system_reset")
            mirror.qmp.wait_event("RESET")
            device = mirror.start_device()
            assert device.config().up
            origin.writeq(0x2000000, 0x77)
            assert mirror.readq(WINDOWS + 0x2000000) == 0x77


def test_two_of_them_beside_a_server(run):
    path = run / "second"
    with OwnMirror(run, args=(
            "-chardev", f"socket,id=own2,server=on,wait=off,path={path}", "-device", "vhost-pci-net,chardev=own2,id=vpn1,addr=a",
            "-chardev", f"socket,id=srv,server=on,wait=off,connections=2,path={run / 'third'}",
            "-vhost-pci-server", "socket,chardev=srv,id=vps")) as mirror, \
            FrontEnd(mirror.path) as first, FrontEnd(path) as second:
        first.start()
        second.start()
        for name in ("vpn0", "vpn1"):
            wait_for(name, lambda: any(p.get("device") == name and p["link"] for s in mirror.info()["servers"]
                                       for p in s["peers"]))
        assert [s["id"] for s in mirror.info()["servers"]] == ["vpn0", "vpn1", "vps"]


def test_it_blocks_migration(run):
    with OwnMirror(run) as mirror:
        with pytest.raises(QmpError, match="vhost-pci-net 'vpn0' shares memory"):
            mirror.qmp.execute("migrate", {"uri": "exec:cat >/dev/null"})


@pytest.mark.parametrize("chardev,device,expected", [
    ("null,id=own", "chardev=own", ["is not a socket"]),
    ("socket,id=own,path=/nowhere,reconnect=9", "chardev=own", ["'own' is not a server", "server=on,wait=off"]),
    ("socket,id=own,server=on,wait=off,path=PATH", "chardev=own,server=vps", ["exclude each other"]),
    ("socket,id=own,server=on,wait=off,path=PATH", "chardev=own,window-size=1G", ["at least 4 GiB"]),
    ("socket,id=own,server=on,wait=off,path=PATH", "chardev=own,allow-uid=x", ["allow-uid"]),
])
def test_wrong_options(run, chardev, device, expected):
    done = subprocess.run(
        [str(paths.QEMU), "-nodefaults", "-display", "none", "-accel", "qtest", "-M", "pc", "-m", "64",
         "-chardev", chardev.replace("PATH", str(run / "s")), "-device", f"vhost-pci-net,{device}"],
        capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    for part in expected:
        assert part in done.stderr, done.stderr


def test_the_help_says_what_each_option_is_for():
    text = subprocess.run([str(paths.QEMU), "-device", "vhost-pci-net,help"], capture_output=True, text=True, timeout=100).stdout
    ours = ("server", "chardev", "peer-name", "window-size", "queues", "mac", "link", "allow-uid", "allow-unsealed")
    for option in ours:
        line = next(line for line in text.splitlines() if line.strip().startswith(f"{option}="))
        assert " - " in line and len(line.split(" - ", 1)[1]) > 15, line


