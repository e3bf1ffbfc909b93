#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""light_origin.py SOCKET NUMBER INTERVAL STATE

An origin without a machine: a process of its own with memory, two rings and a driver for them. It sends numbered frames,
expects each of them back in order, and counts in the file STATE, where its starter looks.
"""
import mmap
import pathlib
import random
import select
import struct
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.qtest import front_end as fe  # noqa: E402

RX, TX = 0, 1
ENTRIES = 256
# Under way at a time: far fewer than the mirror may have to hold for us
UNDER_WAY = 32
MEMORY = 4 << 20
BUFFER = 2048
BUFFERS_AT = {RX: 0x40000, TX: 0x100000}
HEADER = 12
# For local experiments, so no protocol of the mirror's stack takes part
ETHERTYPE = b"\x88\xb5"
NOBODY = bytes.fromhex("020000009999")
F_NEXT_WRITE = 2


class State:
    """What the starter and the process tell each other: eight numbers in a file."""

    NAMES = ("go", "sent", "received", "wrong", "foreign", "answered_at", "longest_gap", "spare")

    def __init__(self, path: pathlib.Path, create: bool = False):
        if create:
            path.write_bytes(bytes(8 * len(self.NAMES)))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._numbers = memoryview(self._map).cast("Q")

    def __getitem__(self, name: str) -> int:
        return self._numbers[self.NAMES.index(name)]

    def __setitem__(self, name: str, value: int) -> None:
        self._numbers[self.NAMES.index(name)] = value


class SplitRing:
    """The driver's side. Each index is written with one store, so the other side never sees half of it."""

    def __init__(self, memory: memoryview, ring: int):
        at = 0x10000 * (ring + 1)
        self.desc = memory[at:at + 16 * ENTRIES]
        self.avail = memory[at + 0x2000:at + 0x2000 + 4 + 2 * ENTRIES].cast("H")
        self.used_index = memory[at + 0x3000:at + 0x3004].cast("H")
        self.used = memory[at + 0x3004:at + 0x3004 + 8 * ENTRIES].cast("I")
        self.memory, self.base, self.flags = memory, BUFFERS_AT[ring], 0 if ring == TX else F_NEXT_WRITE
        self.seen = 0

    def buffer(self, head: int) -> memoryview:
        at = self.base + head * BUFFER
        return self.memory[at:at + BUFFER]

    def offer(self, head: int, length: int) -> None:
        struct.pack_into("<QIHH", self.desc, 16 * head, self.base + head * BUFFER, length, self.flags, 0)
        position = self.avail[1]
        self.avail[2 + position % ENTRIES] = head
        self.avail[1] = (position + 1) & 0xffff

    def take(self) -> tuple[int, int] | None:
        """Head and length of a returned chain."""
        if self.used_index[1] == self.seen:
            return None
        at = 2 * (self.seen % ENTRIES)
        self.seen = (self.seen + 1) & 0xffff
        return self.used[at], self.used[at + 1]


class LightOrigin:
    def __init__(self, path: str, number: int, interval: float, state: State):
        self.number, self.interval, self.state = number, interval, state
        self.mac = bytes.fromhex("525400001000")[:5] + bytes([number])
        descriptor = fe.memory(MEMORY)
        memory = memoryview(mmap.mmap(descriptor, MEMORY))
        self.rx, self.tx = SplitRing(memory, RX), SplitRing(memory, TX)
        for head in range(ENTRIES):
            self.rx.offer(head, BUFFER)
        self.free = list(range(ENTRIES))
        # Of the frame that comes back next
        self.expected = 0

        front_end = fe.FrontEnd(path)
        front_end.greet(fe.F_VHOST_PCI)
        front_end.send_info(f"light{number}", self.mac, MEMORY)
        front_end.send(fe.SET_FEATURES, 1 << 32 | fe.F_PROTOCOL_FEATURES)
        front_end.set_memory([fe.region(0, MEMORY)], [descriptor])
        self.rx_kick, self.call = front_end.set_ring(RX)
        self.tx_kick, _ = front_end.set_ring(TX)
        self.poll = select.poll()
        self.poll.register(self.call, select.POLLIN)
        self.poll.register(front_end.socket, select.POLLIN | select.POLLHUP)
        self.front_end = front_end

    def frame(self, sequence: int) -> bytes:
        # The same on the way out and back, from the two numbers alone
        size = random.Random(self.number << 32 | sequence).randrange(28, 1486)
        text = struct.pack("<IQ", self.number, sequence) + bytes(sequence & 0xff for _ in range(size))
        return NOBODY + self.mac + ETHERTYPE + text + struct.pack("<I", zlib.crc32(text))

    def send(self) -> None:
        while (back := self.tx.take()) is not None:
            self.free.append(back[0])
        head = self.free.pop()
        data = bytes(HEADER) + self.frame(self.state["sent"])
        self.tx.buffer(head)[:len(data)] = data
        self.tx.offer(head, len(data))
        self.state["sent"] += 1
        fe.signal(self.tx_kick)

    def receive(self) -> None:
        state = self.state
        while (back := self.rx.take()) is not None:
            head, length = back
            frame = bytes(self.rx.buffer(head)[HEADER:length])
            self.rx.offer(head, BUFFER)
            if frame[12:14] != ETHERTYPE:
                state["foreign"] += 1
            elif frame == self.frame(self.expected):
                self.expected += 1
                state["received"] += 1
                now = time.monotonic_ns()
                if state["answered_at"]:
                    state["longest_gap"] = max(state["longest_gap"], now - state["answered_at"])
                state["answered_at"] = now
            else:
                state["wrong"] += 1
            fe.signal(self.rx_kick)

    def run(self) -> None:
        due = time.monotonic()
        while True:
            wait = max(0.0, due - time.monotonic())
            for descriptor, _ in self.poll.poll(wait * 1000):
                if descriptor == self.call:
                    fe.drain(self.call)
                elif not self.front_end.socket.recv(4096):
                    raise SystemExit("the server closed the connection")
            self.receive()
            if time.monotonic() >= due:
                due = time.monotonic() + self.interval
                if self.state["go"] and self.state["sent"] - self.state["received"] < UNDER_WAY:
                    self.send()


def main() -> None:
    path, number, interval, state = sys.argv[1:]
    LightOrigin(path, int(number), float(interval), State(pathlib.Path(state))).run()


if __name__ == "__main__":
    main()
