# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may connect, what is logged and what can be asked for."""
import os
import stat
import subprocess
import sys

from .front_end import GET_FEATURES, FrontEnd
from .mirror import Mirror, wait_for

NOBODY = 65534
SERVER = "/machine/peripheral/vps"


def mode(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def log_level(mirror, *level):
    return mirror.qmp.execute("qom-set" if level else "qom-get",
                              {"path": SERVER, "property": "log-level"} | ({"value": level[0]} if level else {}))


def connect_as(uid, path) -> str:
    """What a process of another user gets: an answer, a closed connection, or no connection at all."""
    program = ("import socket, struct, sys\n"
               "s = socket.socket(socket.AF_UNIX); s.settimeout(60)\n"
               "try:\n"
               "    s.connect(sys.argv[1]); s.send(struct.pack('=III', 1, 1, 0)); print(len(s.recv(20)))\n"
               "except OSError as e: print(type(e).__name__)\n")
    done = subprocess.run([sys.executable, "-c", program, str(path)], user=uid, group=uid, extra_groups=[],
                          capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip()


def test_the_socket_is_its_owners(run):
    os.chmod(run.path, 0o755)
    with Mirror(run) as mirror:
        assert mode(mirror.path) == 0o600
        assert connect_as(NOBODY, mirror.path) == "PermissionError"
        assert connect_as(0, mirror.path) == "20"
        # The user's own change stays
        os.chmod(mirror.path, 0o666)
        assert connect_as(NOBODY, mirror.path) == "20"
        assert mode(mirror.path) == 0o666


def test_allow_uid(run):
    os.chmod(run.path, 0o755)
    with Mirror(run, options=f",allow-uid={NOBODY}:{NOBODY - 1}") as mirror:
        assert mode(mirror.path) == 0o666
        assert connect_as(NOBODY, mirror.path) == "20"
        assert connect_as(0, mirror.path) in ("0", "ConnectionResetError", "BrokenPipeError")
        server, = mirror.info()["servers"]
        assert server["allow-uid"] == [NOBODY, NOBODY - 1] and server["refused"] == 1 and server["accepted"] == 2
        assert "allow-uid" in server["last-refusal"] and "uid 0" in server["last-refusal"]
        line, = mirror.qemu.output().strip().splitlines()
        assert "uid 0" in line and "allow-uid" in line
        assert "refused last: pid" in mirror.hmp("info vhost-pci")


def test_log_level_at_run_time(run):
    with Mirror(run) as mirror:
        assert log_level(mirror) == "info"
        with FrontEnd(mirror.path) as origin:
            origin.start()
            mirror.wait_link()
            assert mirror.qemu.output() == ""
            log_level(mirror, "debug")
            assert mirror.info()["servers"][0]["log-level"] == "debug"
        wait_for("a line", lambda: "link down" in mirror.qemu.output())
        log_level(mirror, "error")
        before = mirror.qemu.output()
        with FrontEnd(mirror.path) as origin:
            origin.send(63)
            assert origin.closed_by_server()
        assert mirror.info()["servers"][0]["refused"] == 1
        assert mirror.qemu.output() == before


def test_log_level_from_the_start(run):
    with Mirror(run, options=",log-level=error") as mirror, FrontEnd(mirror.path) as origin:
        origin.send(63)
        assert origin.closed_by_server()
        assert log_level(mirror) == "error" and mirror.qemu.output() == ""


def test_counters_are_properties(mirror):
    def counter(name):
        return mirror.qmp.execute("qom-get", {"path": SERVER, "property": name})

    with FrontEnd(mirror.path) as origin:
        origin.ask(GET_FEATURES)
        assert [counter(n) for n in ("accepted", "refused", "messages", "connections", "devices")] == [1, 0, 1, 1, 0]
        origin.start()
        mirror.wait_link()
        assert counter("devices") == 1
    wait_for("the end", lambda: counter("connections") == 0)
    assert counter("devices") == 1      # the guest has not let it go


def test_query_has_the_details(linked):
    mirror, origin, _device = linked
    peer = mirror.peers()[0]
    assert peer["gid"] == os.getgid() and peer["messages"] > 10
    assert peer["origin-mac"] == "52:54:00:00:00:01"
    assert sum(region["size"] for region in peer["memory"]) == peer["mapped"]
