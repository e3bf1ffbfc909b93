# SPDX-License-Identifier: GPL-2.0-or-later
"""A vhost-user front-end in Python that can violate the protocol in every way."""
import array
import fcntl
import os
import select
import socket
import struct

from tests.lab.patience import TIMES

F_SEAL_SHRINK = 2
REPLY, NEED_REPLY, VERSION = 4, 8, 1
GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL = 8, 9, 10, 11, 12, 13
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE = 15, 16, 17, 18
SEND_RARP, ADD_MEM_REG, REM_MEM_REG = 19, 37, 38
SET_DEVICE_INFO, SET_DRIVER_STATE = 0x56500001, 0x56500004
LINK, ACCEPT_FEATURES = 0x56500002, 0x56500003      # of the server
F_PROTOCOL_FEATURES = 1 << 30
F_RARP = 1 << 2
F_VHOST_PCI = 1 << 56
F_DRIVER_STATE = 1 << 57
MIB = 1 << 20
USER = 0x7f00_0000_0000         # where this front-end claims to have its memory


def memory(size=16 * MIB, seal=True) -> int:
    fd = os.memfd_create("origin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    if seal:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEAL_SHRINK)
    return fd


def region(guest=0, size=16 * MIB, user=USER, offset=0) -> bytes:
    return struct.pack("=QQQQ", guest, size, user, offset)


def signal(eventfd: int) -> None:
    os.eventfd_write(eventfd, 1)


def readable(eventfd: int) -> bool:
    return bool(select.select([eventfd], [], [], 0)[0])


def drain(eventfd: int) -> int:
    """Signals since the last call."""
    try:
        return os.eventfd_read(eventfd)
    except BlockingIOError:
        return 0


def closed(connection: socket.socket, timeout: float) -> bool:
    """Whether the other end closes the connection; discards what it sends before."""
    end = select.poll()
    end.register(connection, select.POLLIN | select.POLLHUP)
    while end.poll(timeout * TIMES * 1000):
        try:
            if not connection.recv(65536):
                return True
        except ConnectionResetError:
            return True
    return False


class FrontEnd:
    def __init__(self, path, connect: bool = True):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5 * TIMES)
        self.fds: list[int] = []
        if connect:
            self.connect()

    def connect(self) -> None:
        self.socket.connect(str(self.path))

    def __enter__(self):
        return self

    def __exit__(self, *_rest):
        self.close()

    def close(self) -> None:
        self.socket.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def own(self, fd: int) -> int:
        self.fds.append(fd)
        return fd

    def send(self, request: int, payload=b"", fds=(), flags=VERSION, size=None) -> None:
        if isinstance(payload, int):
            payload = struct.pack("=Q", payload)
        data = struct.pack("=III", request, flags, len(payload) if size is None else size) + payload
        self.send_raw(data, fds)

    def send_raw(self, data: bytes, fds=()) -> None:
        self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])

    def receive(self) -> tuple[int, bytes]:
        request, flags, size = struct.unpack("=III", self._exactly(12))
        assert flags & REPLY
        return request, self._exactly(size)

    def receive_request(self) -> tuple[int, int]:
        """Receives a request of the server."""
        request, flags, size = struct.unpack("=III", self._exactly(12))
        assert flags == VERSION and size == 8
        return request, int.from_bytes(self._exactly(size), "little")

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError("the server closed the connection")
            data += more
        return data

    def ask(self, request: int, payload=b"") -> int:
        self.send(request, payload)
        answer, data = self.receive()
        assert answer == request
        return int.from_bytes(data[:8], "little")

    def closed_by_server(self, timeout=5.0) -> bool:
        return closed(self.socket, timeout)

    # -- the ordinary way ---------------------------------------------------------------------------------------------
    def greet(self, protocol_features=0) -> None:
        features = self.ask(GET_FEATURES)
        assert features & F_PROTOCOL_FEATURES
        offered = self.ask(GET_PROTOCOL_FEATURES)
        self.send(SET_PROTOCOL_FEATURES, offered & protocol_features)
        self.send(SET_OWNER)

    def send_info(self, name="python", mac=bytes.fromhex("525400000001"), memory_end=16 * MIB) -> None:
        """Sends the device info; requires greet(F_VHOST_PCI)."""
        self.send(SET_DEVICE_INFO, struct.pack("=IHH16s6sHQ64s", 1, 1, 1, bytes(16), mac, 1500, memory_end, name.encode()))

    def set_memory(self, regions=None, fds=None) -> None:
        if regions is None:
            regions = [region()]
            self.memory_fd = self.own(memory())
            fds = [self.memory_fd]
        self.send(SET_MEM_TABLE, struct.pack("=II", len(regions), 0) + b"".join(regions), fds)

    def set_ring(self, index: int, size=256, desc=0x10000, kick=None, call=None, enable=True, base=0) -> tuple[int, int]:
        """Sets up a ring at guest address desc + index * 0x10000; returns its kick and call eventfds."""
        kick = self.own(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)) if kick is None else kick
        call = self.own(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)) if call is None else call
        at = USER + desc + index * 0x10000
        self.send(SET_VRING_NUM, struct.pack("=II", index, size))
        self.send(SET_VRING_BASE, struct.pack("=II", index, base))
        self.send(SET_VRING_ADDR, struct.pack("=IIQQQQ", index, 0, at, at + 0x3000, at + 0x2000, 0))
        self.send(SET_VRING_KICK, index, [kick])
        self.send(SET_VRING_CALL, index, [call])
        if enable:
            self.send(SET_VRING_ENABLE, struct.pack("=II", index, 1))
        return kick, call

    def start(self, features=1 << 32 | F_PROTOCOL_FEATURES, pairs=1, files=None) -> list[tuple[int, int]]:
        """Negotiates and starts all rings; returns their eventfds. Like other front-ends, mentions all rings before the memory.

        files: (descriptor, size) of the memory's regions, which are contiguous."""
        self.greet()
        self.send(SET_FEATURES, features)
        for ring in range(2 * pairs):
            self.send(SET_VRING_CALL, ring, [self.own(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))])
        if files is None:
            self.set_memory()
        else:
            starts = [sum(size for _, size in files[:i]) for i in range(len(files))]
            self.set_memory([region(at, size, USER + at) for at, (_, size) in zip(starts, files)], [fd for fd, _ in files])
        return [self.set_ring(ring) for ring in range(2 * pairs)]

    def get_base(self, ring: int) -> int:
        """Stops the ring and returns its base."""
        self.send(GET_VRING_BASE, struct.pack("=II", ring, 0))
        answer, data = self.receive()
        assert answer == GET_VRING_BASE
        index, base = struct.unpack("=II", data)
        assert index == ring
        return base
