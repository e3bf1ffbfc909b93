# SPDX-License-Identifier: GPL-2.0-or-later
"""A vhost-pci server in Python that sends valid or invalid messages to an origin's client."""
import array
import os
import socket
import struct
import threading

from tests.lab.patience import TIMES

from . import front_end as fe


class FakeServer:
    def __init__(self, path):
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._listener.settimeout(10 * TIMES)
        self.socket: socket.socket | None = None
        self._sending = threading.Lock()        # messages are not mixed

    def __enter__(self):
        return self

    def __exit__(self, *_rest):
        self.close()

    def close(self) -> None:
        self._listener.close()
        if self.socket:
            self.socket.close()

    def accept(self) -> None:
        if self.socket:
            self.socket.close()
        self.socket = self._listener.accept()[0]
        self.socket.settimeout(10 * TIMES)

    def send_raw(self, data: bytes, fds=()) -> None:
        with self._sending:
            self._send(data, fds)

    def _send(self, data: bytes, fds) -> None:
        sent = self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
        self.socket.sendall(data[sent:])

    def reply(self, request: int, value: int | bytes, fds=()) -> None:
        payload = value if isinstance(value, bytes) else struct.pack("=Q", value)
        self.send_raw(struct.pack("=III", request, fe.VERSION | fe.REPLY, len(payload)) + payload, fds)

    def request(self, request: int, value: int, fds=()) -> None:
        self.send_raw(struct.pack("=IIIQ", request, fe.VERSION, 8, value), fds)

    def receive(self) -> tuple[int, bytes]:
        """The next message; closes the descriptors that come with it."""
        request, payload, fds = self.receive_all()
        for fd in fds:
            os.close(fd)
        return request, payload

    def receive_all(self) -> tuple[int, bytes, list[int]]:
        """The next message and its descriptors, which the caller has to close."""
        header, fds = self._exactly(12)
        request, _, size = struct.unpack("=III", header)
        payload, more = self._exactly(size)
        return request, payload, fds + more

    def _exactly(self, size: int) -> tuple[bytes, list[int]]:
        data, fds = b"", []
        while len(data) < size:
            more, new, *_ = socket.recv_fds(self.socket, size - len(data), 8)
            fds += new
            if not more:
                raise EOFError("the client closed the connection")
            data += more
        return data, fds

    def shake_hands(self, features: int = (1 << 64) - 1, pairs: int = 32) -> None:
        """Answers until the client has sent its device info, which brings its link up."""
        answers = {fe.GET_FEATURES: features, fe.GET_PROTOCOL_FEATURES: fe.F_VHOST_PCI | 1 << 0, fe.GET_QUEUE_NUM: pairs}
        while True:
            request, _ = self.receive()
            if request in answers:
                self.reply(request, answers[request])
            if request == fe.SET_DEVICE_INFO:
                return

    def closed_by_client(self, timeout=5.0) -> bool:
        return fe.closed(self.socket, timeout)
