# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors whose close() blocks until the test releases it."""
import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

LINGER_SECONDS = 100_000


class LingeringSockets:
    """TCP sockets with SO_LINGER and unsent data: the last close() blocks. After sending one, call forget()."""
    name = "linger"

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._far: list[socket.socket] = []
        self._near: list[socket.socket] = []

    def take(self) -> int:
        """A new one, owned by this object until forget()."""
        near = socket.create_connection(self._listener.getsockname())
        self._far.append(self._listener.accept()[0])
        near.setblocking(False)
        try:
            while True:
                near.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER_SECONDS))
        self._near.append(near)
        return near.fileno()

    def forget(self) -> None:
        """Closes our descriptors: the last ones are the receiver's now."""
        for near in self._near:
            near.close()
        self._near = []

    def release(self) -> None:
        """Ends all blocked close() calls."""
        for far in self._far:
            # A reset, which drops what was not taken
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            far.close()
        self._far = []
        self.forget()

    def close(self) -> None:
        self.release()
        self._listener.close()


class SilentFiles:
    """Files of a FUSE daemon that has stopped answering: every access and every close() blocks."""
    name = "fuse"

    def __init__(self, count: int = 16):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            script = pathlib.Path(__file__).with_name("silent_fuse.py")
            self._folder = tempfile.mkdtemp(prefix="vhost-pci-fuse-")
            self._daemon = subprocess.Popen([sys.executable, script, str(theirs.fileno()), str(count), self._folder], pass_fds=[theirs.fileno()],
                                            stderr=subprocess.PIPE)
            theirs.close()
            _, self._files, _, _ = socket.recv_fds(ours, 1, count)
            ours.recv(1)    # from here on it is silent
        if not self._files:
            self._daemon.kill()
            os.rmdir(self._folder)
            raise OSError(self._daemon.communicate()[1].decode().strip().rpartition("\n")[2])
        self._unused = list(self._files)

    def take(self) -> int:
        return self._unused.pop()

    def forget(self) -> None:
        """Nothing: closing them would block here, because each close() asks the daemon, not only the last."""

    def release(self) -> None:
        if self._daemon.poll() is None:
            self._daemon.kill()
            self._daemon.communicate()

    def close(self) -> None:
        self.release()
        for file in self._files:
            # Closed in any case, and told that the daemon is gone
            with contextlib.suppress(OSError):
                os.close(file)
        os.rmdir(self._folder)
