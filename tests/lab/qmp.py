# SPDX-License-Identifier: GPL-2.0-or-later
"""A QMP client: one command at a time; events are queued."""
import collections
import json
import pathlib
import socket
import time

from .patience import TIMES, Deadline


class QmpError(RuntimeError):
    """QEMU answered with an error; .kind is its class."""

    def __init__(self, error: dict):
        super().__init__(error.get("desc", str(error)))
        self.kind = error.get("class", "")


class Qmp:
    def __init__(self, connection: socket.socket, timeout: float = 30):
        self._socket = connection
        self.timeout = timeout * TIMES
        self._socket.settimeout(self.timeout)
        self._buffer = b""
        self.events: collections.deque[dict] = collections.deque()
        self._read_message()
        self.execute("qmp_capabilities")

    @classmethod
    def connect(cls, path: pathlib.Path, check, timeout: float = 30) -> "Qmp":
        """check() is called while waiting; it raises if QEMU has exited."""
        end = Deadline(timeout)
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(path))
                return cls(connection, timeout)
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                check()
                if end.over:
                    raise TimeoutError(f"nobody listens at {path}") from None
                time.sleep(0.05)

    def _read_message(self) -> dict:
        while b"\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                raise EOFError("QMP connection closed")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def execute(self, command: str, arguments: dict | None = None):
        self._socket.settimeout(self.timeout)
        request: dict = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._read_message()
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise QmpError(message["error"])
            else:
                return message["return"]

    def hmp(self, line: str) -> str:
        return self.execute("human-monitor-command", {"command-line": line}).replace("\r\n", "\n")

    def wait_event(self, name: str, timeout: float = 30, match=lambda data: True) -> dict:
        """The first matching event, queued or still to come; others stay queued."""
        end = Deadline(timeout)
        while True:
            for event in list(self.events):
                if event["event"] == name and match(event.get("data", {})):
                    self.events.remove(event)
                    return event
            if end.over:
                raise TimeoutError(f"no {name} event; seen: {[event['event'] for event in self.events]}")
            self._socket.settimeout(max(0.001, end.left))
            try:
                message = self._read_message()
            except TimeoutError:
                continue
            if "event" in message:
                self.events.append(message)

    def close(self) -> None:
        self._socket.close()
