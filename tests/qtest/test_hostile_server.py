# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that is slow or floods its client does not hold up the client's VM."""
import contextlib
import os
import struct
import threading
import time

from tests.lab.patience import TIMES

from . import front_end as fe
from .fake_server import FakeServer
from .mirror import wait_for
from .modern_origin import CONFIG_LINK, F_CSUM, F_HOST_TSO4, F_VERSION_1, MSIX, ModernOrigin

PAIRS = 32
DELAY = 1.0                     # unlike 1.9 never too long for one ring, however busy the machine is


def serve(server: FakeServer, slowly: threading.Event) -> None:
    """Answers each GET_VRING_BASE; if slow, just below the timeout."""
    try:
        while True:
            request, payload = server.receive()
            if request == fe.GET_VRING_BASE:
                if slowly.is_set():
                    time.sleep(DELAY)
                server.reply(request, payload)
    except (EOFError, OSError):
        pass


def test_a_stop_of_all_pairs_takes_two_seconds(run):
    with FakeServer(run / "server") as server, ModernOrigin(run, server.path, PAIRS) as origin:
        server.accept()
        server.shake_hands()
        wait_for("the link", lambda: origin.readw(origin.config + CONFIG_LINK) & 1)
        slowly = threading.Event()
        thread = threading.Thread(target=serve, args=[server, slowly])
        thread.start()
        origin.start_driver()
        origin.use_pairs(PAIRS)
        assert origin.client()["state"] == "connected"
        slowly.set()
        begin = time.monotonic()
        origin.reset_driver()       # returns when all rings are stopped
        took = time.monotonic() - begin
        thread.join(10 * TIMES)
        # 64 rings one after the other would be a minute
        assert took < 2 * PAIRS * DELAY / 4
        assert origin.client()["state"] != "connected"
        assert "did not stop ring" in origin.qemu.output()


def test_a_flood_of_requests(run):
    """Each request would toggle the link and ask the driver for a reset."""
    with FakeServer(run / "server") as server, ModernOrigin(run, server.path, 1) as origin:
        server.accept()
        server.shake_hands()
        wait_for("the link", lambda: origin.client()["link"])
        origin.start_driver(1 << F_VERSION_1 | F_CSUM | F_HOST_TSO4)
        end = threading.Event()

        def flood() -> None:
            burst = b"".join(
                struct.pack("=IIIQ", fe.ACCEPT_FEATURES, fe.VERSION, 8, features)
                + struct.pack("=IIIQ", fe.LINK, fe.VERSION, 8, link)
                for features in (1 << 32, (1 << 64) - 1) for link in (0, 1))
            # A turn takes 32 messages and does the last of what they ask for: not the same each time
            burst += struct.pack("=IIIQ", fe.LINK, fe.VERSION, 8, 1)
            # On a slow machine the stops take too much in all, and the client gives the server up
            with contextlib.suppress(OSError):
                while not end.is_set():
                    server.send_raw(burst * 50)

        threads = [threading.Thread(target=flood), threading.Thread(target=serve, args=[server, threading.Event()])]
        for thread in threads:
            thread.start()
        try:
            for _ in range(50):
                assert origin.qmp.execute("query-status")["running"]
                time.sleep(0.02)
        finally:
            end.set()
            threads[0].join(10 * TIMES)
            with contextlib.suppress(OSError):
                server.socket.shutdown(2)
            threads[1].join(10 * TIMES)
        wait_for("the end", lambda: origin.client()["state"] != "connected")
        assert "does not accept csum host_tso4" in origin.qemu.output() and "unexpected" not in origin.qemu.output()
        lines = [line for line in origin.qemu.output().splitlines() if "vhost-pci-client" in line]
        assert len(lines) <= 10 * 2, lines      # of two periods at most


def test_eventfds_that_the_server_makes_blocking(run):
    """The server shares the open files of the eventfds: it clears O_NONBLOCK, empties and fills the counters."""
    with FakeServer(run / "server") as server, ModernOrigin(run, server.path, 1) as origin:
        server.accept()
        server.shake_hands()
        wait_for("the link", lambda: origin.client()["link"])
        eventfds = {fe.SET_VRING_KICK: [], fe.SET_VRING_CALL: []}

        def take() -> None:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    request, payload, fds = server.receive_all()
                    for fd in fds:
                        os.set_blocking(fd, True)
                        eventfds.get(request, []).append(fd)
                    if request == fe.GET_VRING_BASE:
                        server.reply(request, payload)

        thread = threading.Thread(target=take)
        thread.start()
        for _ in range(2):
            # The second start clears what is left in the eventfds of masked vectors
            origin.start_driver()
            wait_for("both kicks", lambda: len(eventfds[fe.SET_VRING_KICK]) >= 2)
            for vector in range(2):
                for masked in (1, 0):
                    origin.writel(MSIX + 16 * vector + 12, masked)
            for fd in eventfds[fe.SET_VRING_KICK]:
                os.set_blocking(fd, False)
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_write(fd, 0xfffffffffffffffe)
                os.set_blocking(fd, True)
            for ring in range(2):
                origin.kick(ring)
            assert origin.qmp.execute("query-status")["running"]
            origin.reset_driver()
        assert origin.client()["state"] == "connected"
        server.socket.shutdown(2)
        thread.join(10 * TIMES)
        for fd in sum(eventfds.values(), []):
            os.close(fd)
