# SPDX-License-Identifier: GPL-2.0-or-later
"""What people add to a command line, with the binary that they get: the options of libvirt and of a server's VMs work in it, and the
link works beside them and inside libvirt's sandbox."""
import os
import re
import shutil
import socket
import struct
import subprocess
import threading

import pytest

from tests.lab import paths
from tests.lab.patience import TIMES
from tests.lab.qtest import QTest

from . import front_end as fe
from .front_end import FrontEnd
from .mirror import Mirror, wait_for
from .origin import RX, TX, Origin
from .test_command_line import qemu

# What libvirt gives to each QEMU
SANDBOX = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
VIRTIO = 0x1af4
VIRTIO_9P, VIRTIO_FS = 0x1009, 0x1040 + 26
QXL = (0x1b36, 0x0100)

VHOST_USER_HEADER = struct.Struct("=III")
GET_CONFIG = 24


class VhostUserFs:
    """Just enough of a virtiofs daemon for the device to exist: it answers whatever asks for an answer."""

    def __init__(self, path):
        self.asked: list[int] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while data := connection.recv(VHOST_USER_HEADER.size, socket.MSG_WAITALL):
                request, flags, size = VHOST_USER_HEADER.unpack(data)
                connection.recv(size, socket.MSG_WAITALL) if size else None
                self.asked.append(request)
                if request in (fe.GET_FEATURES, fe.GET_PROTOCOL_FEATURES, fe.GET_QUEUE_NUM):
                    value = {fe.GET_FEATURES: 1 << 32 | fe.F_PROTOCOL_FEATURES, fe.GET_QUEUE_NUM: 2}.get(request, 0)
                    connection.sendall(VHOST_USER_HEADER.pack(request, fe.VERSION | fe.REPLY, 8) + struct.pack("=Q", value))

    def close(self) -> None:
        self._listener.close()


def connect(path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(5 * TIMES)
    peer.connect(str(path))
    return peer


def test_vnc(run):
    path = run / "vnc"
    with QTest(run, "vm", ["-device", "VGA", "-vnc", f"unix:{path}"]) as vm, connect(path) as viewer:
        assert viewer.recv(12, socket.MSG_WAITALL) == b"RFB 003.008\n"
        viewer.sendall(b"RFB 003.008\n")
        assert viewer.recv(2, socket.MSG_WAITALL) == b"\1\1"      # one way to log in: none
        assert vm.qmp.execute("query-vnc")["enabled"]


@pytest.mark.parametrize("option, way", [("password=on", "vnc"), ("sasl=on", "sasl")])
def test_vnc_asks_who_it_is(run, option, way):
    with QTest(run, "vm", ["-vnc", f"unix:{run / 'vnc'},{option}"]) as vm:
        assert vm.qmp.execute("query-vnc")["auth"] == way


def test_user_network(run):
    with QTest(run, "vm", ["-netdev", "user,id=u,hostname=h,ipv6=off", "-device", "virtio-net-pci,netdev=u,romfile="]) as vm:
        assert "Hub -1 (u)" in vm.hmp("info usernet")


def test_spice_and_qxl(run):
    path = run / "spice"
    with QTest(run, "vm", ["-spice", f"unix=on,addr={path},disable-ticketing=on", "-vga", "qxl", "-device", "virtio-serial",
                           "-chardev", "spicevmc,id=c,name=vdagent", "-device", "virtserialport,chardev=c,name=com.redhat.spice.0"]) as vm:
        assert vm.find_pci(*QXL)
        assert vm.qmp.execute("query-spice")["enabled"]
        with connect(path) as viewer:
            # The link message of a main channel, with no capabilities: the server answers with its own, which begins with "REDQ".
            body = struct.pack("<IBBIII", 0, 1, 0, 0, 0, 18)
            viewer.sendall(b"REDQ" + struct.pack("<III", 2, 2, len(body)) + body)
            assert viewer.recv(4, socket.MSG_WAITALL) == b"REDQ"


def test_9p(run):
    with QTest(run, "vm", ["-fsdev", f"local,id=f,path={run.path},security_model=mapped-xattr",
                           "-device", "virtio-9p-pci,fsdev=f,mount_tag=share"]) as vm:
        assert vm.find_pci(VIRTIO, VIRTIO_9P)


def test_virtiofs(run):
    daemon = VhostUserFs(run / "fs")
    with QTest(run, "vm", ["-chardev", f"socket,id=fs,path={run / 'fs'}", "-device", "vhost-user-fs-pci,chardev=fs,tag=share"]) as vm:
        assert vm.find_pci(VIRTIO, VIRTIO_FS)
        assert fe.GET_FEATURES in daemon.asked
    daemon.close()


def test_tpm(run):
    if not shutil.which("swtpm"):
        pytest.skip("needs Debian's swtpm")
    state, path = run / "tpm", run / "tpm.socket"
    state.mkdir()
    with subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={path}", "--terminate"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            wait_for("swtpm", path.exists)
            with QTest(run, "vm", ["-chardev", f"socket,id=t,path={path}", "-tpmdev", "emulator,id=tpm0,chardev=t",
                                   "-device", "tpm-crb,tpmdev=tpm0"]) as vm:
                assert vm.qmp.execute("query-tpm")[0]["model"] == "tpm-crb"
        finally:
            daemon.terminate()


@pytest.mark.parametrize("aio", ["io_uring", "native", "threads"])
def test_disk(run, aio):
    disk = run / "disk"
    disk.write_bytes(b"\xa5" * 65536)
    cache = "cache.direct=on" if aio == "native" else "cache.direct=off"
    try:
        with QTest(run, "vm", ["-blockdev", f"file,node-name=d,filename={disk},aio={aio},{cache}", "-device", "virtio-blk-pci,drive=d"]) as vm:
            vm.hmp('qemu-io d "read -P 0xa5 0 64k"')
            assert "read 65536/65536 bytes at offset 0" in vm.qemu.output()
            assert "Pattern verification failed" not in vm.qemu.output()
    except (OSError, RuntimeError):
        said = (run / "vm.qemu.log").read_text()
        if re.search("Operation not permitted|does not support O_DIRECT", said):
            pytest.skip(f"not on this host: {said.splitlines()[-1]}")
        raise


@pytest.mark.parametrize("options", [
    ["-object", "memory-backend-ram,id=m,size=64M,host-nodes=0,policy=bind"],
    ["-device", "qemu-xhci", "-chardev", "null,id=u", "-device", "usb-redir,chardev=u"],
    ["-object", "secret,id=s,data=x", "-object", "cryptodev-backend-builtin,id=c"],
    ["-netdev", "l2tpv3,id=l,src=127.0.0.1,dst=127.0.0.1,udp=on,srcport=0,dstport=9,txsession=1"],
], ids=["numa", "usb-redir", "crypto", "l2tpv3"])
def test_other_options_of_a_server(run, options):
    with QTest(run, "vm", options) as vm:
        assert vm.qmp.execute("query-status")["status"]


# What needs a device, a terminal or a certificate gets as far as to miss it.
@pytest.mark.parametrize("options, answer", [
    (["-device", "usb-ehci,id=e", "-device", "usb-host,hostbus=99,hostaddr=99"], "failed to find host usb device 99:99"),
    (["-display", "curses"], "We need a terminal output"),
    (["-vnc", "127.0.0.1:9,tls-creds=none"], "No TLS credentials with id 'none'"),
], ids=["usb-host", "curses", "tls"])
def test_options_that_need_something(options, answer):
    assert answer in qemu(*options)


def assert_sandboxed(vm) -> None:
    """All of its threads: QEMU's, the library's, and those made later."""
    threads = [f"/proc/{vm.qemu.pid}/task/{thread}/status" for thread in os.listdir(f"/proc/{vm.qemu.pid}/task")]
    modes = [re.search(r"^Seccomp:\s+(\d)", open(status, encoding="ascii").read(), re.M).group(1) for status in threads]
    assert len(modes) > 2 and set(modes) == {"2"}, modes


def assert_alive(*vms) -> None:
    for vm in vms:
        vm.qemu.check()
        assert vm.qmp.execute("query-status")["running"]
        assert_sandboxed(vm)


def use_link(mirror, origin, device) -> None:
    origin.start_driver()
    mirror.wait_link()
    device.start()
    device.ack(device.config().epoch)
    origin.take_interrupt()
    device.ring_doorbell(RX)
    wait_for("the origin's interrupt", origin.take_interrupt)
    device.take_kick(TX)
    origin.kick(TX)
    wait_for("the kick", lambda: device.take_kick(TX))


def test_a_whole_life_in_libvirts_sandbox(run):
    """Loading, hot-plug, interrupts, resets, refusals, deaths and reports: a call that seccomp forbids would kill the process."""
    dump = run / "dump"
    with Mirror(run, args=SANDBOX, options=f",dump={dump},log-level=debug", connections=8) as mirror:
        with Origin(run, mirror.path, args=SANDBOX) as origin:
            device = mirror.device()
            use_link(mirror, origin, device)
            origin.reset_driver()
            mirror.wait_link(False)
            device.ack(device.config().epoch)
            use_link(mirror, origin, device)
            assert "link up" in mirror.hmp("info vhost-pci -v")
            assert_alive(mirror, origin)
            origin.kill()
        peer = mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
        mirror.eject(peer["slot"])
        wait_for("no peer", lambda: not mirror.peers())

        for number in range(50):
            with FrontEnd(mirror.path) as origin:
                origin.greet(fe.F_VHOST_PCI)
                if number % 2:
                    origin.send(12345)
                    assert origin.closed_by_server()
                else:
                    # Not sealed, and refused
                    origin.send(fe.SET_MEM_TABLE, struct.pack("=II", 1, 0) + fe.region(), [origin.own(fe.memory(seal=False))])
                    assert origin.closed_by_server()
        assert_alive(mirror)

        # The other end hot-plugs its device into a running VM, and takes it out again.
        with QTest(run, "late", ["-chardev", f"socket,id=c,path={mirror.path}", *SANDBOX]) as late:
            late.qmp.execute("device_add", {"driver": "virtio-net-pci", "id": "n1", "romfile": "", "vhost-pci-client": "c"})
            mirror.wait_peer("a device", lambda p: p.get("name") == "n1")
            assert_alive(mirror, late)
            slot = late.find_pci(VIRTIO, 0x1000)[0].slot
            late.qmp.execute("device_del", {"id": "n1"})
            late.outl(0xae10, 0)
            late.outl(0xae08, 1 << slot)
            late.qmp.wait_event("DEVICE_DELETED", match=lambda data: data.get("device") == "n1")
            mirror.wait_peer("leaving", lambda p: p["state"] == "leaving")
            assert_alive(mirror, late)
    assert dump.stat().st_size > 1000


def test_own_socket_and_static_device_in_the_sandbox(run):
    path = run / "own"
    with QTest(run, "mirror", [*SANDBOX, "-chardev", f"socket,id=c,server=on,wait=off,path={path}",
                               "-device", "vhost-pci-net,chardev=c,id=v0"]) as mirror:
        with Origin(run, path, args=SANDBOX) as origin:
            wait_for("the connection", lambda: mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"][0].get("pid") == origin.qemu.pid)
            assert_alive(mirror, origin)


def test_spawning_is_forbidden_in_the_sandbox(run):
    """Proof that the sandbox works: without it the same command line runs a program."""
    script = "exec:echo ran > " + str(run / "ran")
    for sandbox in ((), SANDBOX):
        (run / "ran").unlink(missing_ok=True)
        with QTest(run, "vm", list(sandbox)) as vm:
            try:
                vm.qmp.execute("migrate", {"uri": script})
                wait_for("the program or the end of QEMU", lambda: (run / "ran").exists() or not vm.qemu.running)
            except (OSError, EOFError, RuntimeError):
                wait_for("the end of QEMU", lambda: not vm.qemu.running)
            assert (run / "ran").exists() == (not sandbox)


def test_what_is_left_out_is_told():
    """The build prints the list in docs/guide/development.md; it must be true of the binary."""
    page = (paths.ROOT / "docs/guide/development.md").read_text()
    told = re.search(r"^## What Debian's QEMU has and this one has not\n(.*?)^## ", page, re.M | re.S).group(1)
    devices = subprocess.run([str(paths.QEMU), "-device", "help"], capture_output=True, text=True, check=True).stdout
    formats = subprocess.run([str(paths.QEMU), "-drive", "format=help"], capture_output=True, text=True, check=False).stdout.split()
    displays = subprocess.run([str(paths.QEMU), "-display", "help"], capture_output=True, text=True, check=True).stdout.split()
    named = {name for name in re.findall(r"`([^`]+)`", told)}
    assert {"virtio-gpu-gl-pci", "ccid-card-passthru", "rbd", "gtk"} <= named
    for name in named:
        assert f'"{name}"' not in devices and name not in formats and name not in displays, f"{name} is there"
