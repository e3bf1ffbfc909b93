# SPDX-License-Identifier: GPL-2.0-or-later
"""Budgets of an origin, a user and the mirror's guest: whoever exceeds one is refused with a reason, all others are served."""
import contextlib
import os

import pytest

from tests.lab import paths

from . import front_end as fe
from .front_end import FrontEnd
from .mirror import GIB, Mirror

NOBODY = 65534
NO_ROOT = os.geteuid() != 0


def last_refusal(mirror) -> str:
    return mirror.info()["servers"][0]["last-refusal"]


def limited(run, files: int):
    """A QEMU with this limit of open files."""
    script = run / "limited-qemu"
    script.write_text(f"#!/bin/sh\nulimit -n {files}\nexec {paths.QEMU} \"$@\"\n")
    script.chmod(0o755)
    return script


def as_user(uid: int, action) -> None:
    """Runs the action in a child process of that user."""
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            action()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_many_rings_leave_descriptors_for_the_others(run):
    with Mirror(run, connections=32, qemu=limited(run, 2112)) as mirror, contextlib.ExitStack() as stack:
        reasons = []
        for _ in range(8):
            origin = stack.enter_context(FrontEnd(mirror.path))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                origin.start(pairs=32)
            if origin.closed_by_server(0.5):
                reasons.append(last_refusal(mirror))
        assert 0 < len(reasons) < 8
        assert all("file descriptors, which are needed for others: raise the limit (ulimit -Hn, LimitNOFILE=)" in reason for reason in reasons)

        # The ninth, with one queue pair
        before = mirror.info()["servers"][0]["refused"]
        small = stack.enter_context(FrontEnd(mirror.path))
        small.greet(fe.F_VHOST_PCI)
        small.send_info(name="small", mac=bytes.fromhex("525400000009"))
        small.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        small.set_memory()
        small.set_ring(0)
        small.set_ring(1)
        mirror.wait_peer("the small one's link", lambda peer: peer.get("name") == "small" and peer["link"])
        assert mirror.info()["servers"][0]["refused"] == before
        assert len(mirror.qemu.open_fds()) < 2112
        assert "no descriptor is free" not in mirror.qemu.output() and "descriptors were lost" not in mirror.qemu.output()


def test_queues_max(run):
    with Mirror(run, options=",queues-max=2") as mirror, FrontEnd(mirror.path) as fits, FrontEnd(mirror.path) as greedy:
        fits.start(pairs=2)
        mirror.wait_link()
        greedy.greet()
        assert greedy.ask(fe.GET_QUEUE_NUM) == 2
        greedy.send(fe.SET_VRING_CALL, 4, [greedy.own(os.eventfd(0))])
        assert greedy.closed_by_server()
        assert "3 queue pairs are more than the 2 of queues-max=" in last_refusal(mirror)
        assert "3 queue pairs are more than the 2 of queues-max=" in mirror.qemu.output()
        mirror.wait_link()


@pytest.mark.skipif(NO_ROOT, reason="needs processes of two users")
def test_slots_that_one_user_uses_up_are_not_the_last_ones(run):
    os.chmod(run.path, 0o755)
    # Four windows beside each other: what is left is for alignment while devices leave
    with Mirror(run, options=f",allow-uid=0:{NOBODY}", room=20 * GIB) as mirror:
        def churn():
            """Another device each time, which the guest never lets go."""
            for number in range(6):
                with FrontEnd(mirror.path) as origin:
                    origin.greet(fe.F_VHOST_PCI)
                    origin.send_info(mac=bytes((0x52, 0x54, 0, 0, 1, number)))
                    origin.ask(fe.GET_FEATURES)

        as_user(NOBODY, churn)
        assert [peer["state"] for peer in mirror.peers()] == ["leaving"] * 3
        with FrontEnd(mirror.path) as origin:
            origin.start()
            mirror.wait_peer("the other user's link", lambda peer: peer["state"] == "running")


def test_new_devices_have_a_rate_and_returns_cost_nothing(run):
    with Mirror(run, connections=1, unplug_delay=600, plug_rate=1) as mirror:
        for number in range(100):
            with FrontEnd(mirror.path) as origin:
                origin.greet(fe.F_VHOST_PCI)
                origin.send_info()
                origin.ask(fe.GET_FEATURES)
            mirror.wait_peer(f"it to be away ({number})", lambda peer: peer["state"] == "away")
        assert mirror.info()["servers"][0]["refused"] == 0
        mirror.qmp.execute("device_del", {"id": mirror.peers()[0]["device"]})
        mirror.eject(mirror.peers()[0]["slot"])
        for number in range(33):
            with FrontEnd(mirror.path) as origin:
                origin.greet(fe.F_VHOST_PCI)
                origin.send_info(mac=bytes((0x52, 0x54, 0, 0, 2, number)))
                origin.ask(fe.GET_FEATURES)
                device = mirror.wait_peer("a device", lambda peer: "slot" in peer and peer["state"] == "plugged")
                mirror.eject(device["slot"])
                assert origin.closed_by_server()
        with FrontEnd(mirror.path) as origin:
            origin.greet(fe.F_VHOST_PCI)
            origin.send_info(mac=bytes.fromhex("525400000999"))
            origin.ask(fe.GET_FEATURES)
            mirror.wait_peer("it to wait", lambda peer: peer["state"] == "waiting-for-slot")
        assert "too many new devices (raise plug-rate=, which is 1 a minute)" in mirror.qemu.output()
        assert mirror.info()["servers"][0]["refused"] == 0


def test_a_guest_that_fails_and_resets_without_end_writes_one_line(run):
    with Mirror(run) as mirror, FrontEnd(mirror.path) as origin:
        origin.start()
        mirror.wait_link()
        device = mirror.device()
        device.pci.set_bar(2, 0)
        for _ in range(1000):
            device.status = 0x83
            device.status = 0
        line, = mirror.qemu.output().strip().splitlines()
        assert "has no room for the memory window" in line
