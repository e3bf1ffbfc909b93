# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs commands on a guest's serial console: output and exit status of each."""
import dataclasses
import itertools
import pathlib
import re
import shlex
import socket
import time

from .patience import Deadline

READY = r"VHOST-PCI-READY (\S+) ([\d.]+)"
# The tty's line discipline drops what does not fit into one line.
LONGEST_LINE = 4000


class CommandFailed(RuntimeError):
    """A guest command returned a nonzero status."""


@dataclasses.dataclass
class Result:
    status: int
    output: str


class Console:
    def __init__(self, name: str, path: pathlib.Path, log: pathlib.Path, check, timeout: float = 20):
        """check() is called while the console is silent; it raises if QEMU has exited."""
        self.name = name
        self._check = check
        self._buffer = ""
        self._log = open(log, "a", encoding="latin-1", newline="")
        self._numbers = itertools.count(time.time_ns() % 10**9)
        end = Deadline(timeout)
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self._socket.close()
                check()
                if end.over:
                    raise TimeoutError(f"{name}: no console at {path}") from None
                time.sleep(0.05)
        self._socket.settimeout(0.25)

    def expect(self, pattern: str, timeout: float) -> re.Match[str]:
        end = Deadline(timeout)
        while True:
            match = re.search(pattern, self._buffer)
            if match:
                self._before = self._buffer[:match.start()]
                self._buffer = self._buffer[match.end():]
                return match
            if end.over:
                raise TimeoutError(f"{self.name}: waited {timeout:.0f} s for {pattern!r}; last: {self._buffer[-500:]!r}")
            try:
                data = self._socket.recv(65536).decode("latin-1")
            except TimeoutError:
                self._check()
                continue
            if not data:
                self._check()
                raise EOFError(f"{self.name}: console closed")
            self._log.write(data)
            self._log.flush()
            self._buffer += data

    def wait_ready(self, timeout: float = 120) -> float:
        """Guest uptime in seconds when init had finished."""
        return float(self.expect(READY + r"\r?\n", timeout).group(2))

    def run(self, command: str, timeout: float = 60) -> Result:
        number = next(self._numbers)
        # One line, so that $? is the command's: the guest's loop runs 'read' between lines.
        line = f"eval {shlex.quote(command)}; printf '\\nEND%s:%s\\n' {number} $?\n"
        if "\n" in command or len(line) > LONGEST_LINE:
            raise ValueError(f"{self.name}: a command must be one line of at most {LONGEST_LINE} characters")
        self._socket.sendall(line.encode())
        match = self.expect(rf"\r?\nEND{number}:(\d+)\r?\n", timeout)
        return Result(int(match.group(1)), self._before.replace("\r", "").strip("\n"))

    def press(self) -> None:
        """Sends one character, which can wake a sleeping guest."""
        self._socket.sendall(b"\n")

    def command(self, command: str, timeout: float = 60) -> str:
        result = self.run(command, timeout)
        if result.status:
            raise CommandFailed(f"{self.name}: '{command}' ended with status {result.status}:\n{result.output}")
        return result.output

    def close(self) -> None:
        self._socket.close()
        self._log.close()
