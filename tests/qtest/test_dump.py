# SPDX-License-Identifier: GPL-2.0-or-later
"""dump=: the control channel as a capture, and the Wireshark dissector for it."""
import os
import re
import shutil
import stat
import struct
import subprocess

import pytest

from tests.lab import paths

from . import front_end as fe
from .front_end import FrontEnd
from .mirror import Mirror, wait_for
from .origin import Origin
from .test_command_line import qemu, server
from .test_static import start_named

DISSECTOR = paths.ROOT / "tools/wireshark/vhost_pci.lua"


def records(path):
    """(direction, descriptors, pid, connection, request, flags, payload) of each packet."""
    data = path.read_bytes()
    magic, major, minor, _zone, _digits, snap, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, major, minor, link) == (0xa1b2c3d4, 2, 4, 147)
    at, found = 24, []
    while at < len(data):
        _seconds, _micro, length, original = struct.unpack_from("<IIII", data, at)
        assert length == original <= snap
        version, direction, fds, pid, connection, request, flags, size = struct.unpack_from("<BBHIQIII", data, at + 16)
        payload = data[at + 16 + 28:at + 16 + length]
        assert version == 1 and size == len(payload)
        found.append((direction, fds, pid, connection, request, flags, payload))
        at += 16 + length
    assert at == len(data)
    return found


def capture(run):
    path = run / "control.pcap"
    with Mirror(run, options=f",dump={path}") as mirror, Origin(run, mirror.path) as origin:
        origin.start_driver()
        mirror.wait_link()
        with FrontEnd(mirror.path) as other:
            start_named(other, "other", mac=2)
            wait_for("two links", lambda: sum(p["link"] for p in mirror.peers()) == 2)

        def complete():
            messages = mirror.qmp.execute("qom-get", {"path": "/machine/peripheral/vps", "property": "messages"})
            found = records(path)
            return sum(direction == 0 for direction, *_rest in found) == messages and found

        # Later there is more: the origin stops its rings
        wait_for("the other's end", lambda: sum(p["link"] for p in mirror.peers()) == 1)
        return path, origin.qemu.pid, wait_for("a record of each message", complete)


def test_all_messages_of_both_directions(run):
    path, pid, found = capture(run)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    first = [r for r in found if r[3] == 1]
    second = [r for r in found if r[3] == 2]
    assert {r[2] for r in first} == {pid} and {r[2] for r in second} == {os.getpid()}
    assert second[0][4:] == (fe.GET_FEATURES, 1, b"")
    assert second[1][0] == 1 and second[1][5] & fe.REPLY and len(second[1][6]) == 8
    info, = [r for r in second if r[4] == fe.SET_DEVICE_INFO]
    assert info[6][40:45] == b"other"
    table, = [r for r in second if r[4] == fe.SET_MEM_TABLE]
    assert table[1] == 1 and table[6][8:] == fe.region()
    for request in (fe.SET_VRING_KICK, fe.SET_VRING_CALL):
        assert [r[1] for r in second if r[4] == request] == [1, 1]


def test_the_dissector_knows_every_request():
    page = (paths.ROOT / "docs/reference/protocol.md").read_text()
    rows = re.findall(r"^\| (\d+|0x[0-9a-f]+) \| ([A-Z_]+) \|", page, re.M)
    known = re.findall(r"\[(\d+|0x[0-9a-f]+)\] = \"([A-Z_]+)\"", DISSECTOR.read_text())
    assert len(rows) > 20
    assert [(int(n, 0), name) for n, name in rows] == [(int(n, 0), name) for n, name in known]


def test_the_dissector_reads_a_real_capture(run):
    tshark = os.environ.get("VHOST_PCI_TSHARK") or shutil.which("tshark")
    if not tshark:
        pytest.skip("tshark is not installed (VHOST_PCI_TSHARK= is another one to use)")
    path, *_rest = capture(run)
    # Wireshark runs no scripts as root
    copies = [shutil.copy(source, run / f"copy{source.suffix}") for source in (path, DISSECTOR)]
    os.chmod(run.path, 0o755)
    for copy in copies:
        os.chmod(copy, 0o644)
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}

    def read(*options):
        return subprocess.run([tshark, "-X", f"lua_script:{copies[1]}", "-r", str(copies[0]), *options], cwd="/",
                              capture_output=True, text=True, timeout=300, check=True, **user).stdout

    fields = [word for name in ("connection", "direction", "request", "size") for word in ("-e", f"vhost_pci.{name}")]
    lines = [tuple(int(word, 0) for word in line.split())
             for line in read("-T", "fields", "-E", "separator=/s", *fields).splitlines()]
    assert lines == [(r[3], r[0], r[4], len(r[6])) for r in records(path)]
    text = read("-V")
    for part in ("VHOST_PCI_SET_DEVICE_INFO", "Name: other", "52:54:00:00:00:02", "Region at 0x", "Used ring: 0x"):
        assert part in text, part
    assert "Lua Error" not in text


def test_a_file_that_cannot_be_made(run):
    target = run / "somebody-elses"
    target.write_text("keep me")
    (run / "link").symlink_to(target)
    for name in ("link", "nowhere/at-all"):
        text = qemu(*server(run / "s"), "-vhost-pci-server", f"socket,chardev=s,dump={run / name}")
        assert f"dump={run / name}: " in text
    assert target.read_text() == "keep me"
