# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU as a child process that never outlives its parent."""
import atexit
import ctypes
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_live: list["Qemu"] = []


class QemuDied(RuntimeError):
    """The process has exited unexpectedly; the text has its output."""


def die_with_parent() -> None:
    # Runs between fork and exec. atexit does not happen when the parent is killed; this does.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def live() -> list["Qemu"]:
    return list(_live)


def stop_all() -> None:
    for qemu in list(_live):
        qemu.stop()


atexit.register(stop_all)


def exit_on_signals() -> None:
    """For programs: makes SIGINT and SIGTERM an ordinary exit, so that 'finally' and atexit run."""
    def leave(number: int, _frame: object) -> None:
        # A second one must not cut the clean-up short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + number)
    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)


class RunDir:
    """A folder for sockets and logs; in /tmp, because paths of UNIX sockets must be short. Kept after a failure."""

    def __init__(self, name: str = "run", keep: bool = False):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"vhost-pci-{name}-"))
        self.keep = keep

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name

    def __enter__(self) -> "RunDir":
        return self

    def __exit__(self, kind: object, *_rest: object) -> None:
        if (kind is None or kind is SystemExit) and not self.keep:
            self.remove()

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


class Qemu:
    def __init__(self, name: str, argv: list[str], run: RunDir, env: dict[str, str] | None = None):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.run = run
        self.log = run / f"{name}.qemu.log"
        self.started = time.monotonic()
        # Own process group: a Ctrl-C at the terminal is for the program, which then stops the VMs in order.
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                            preexec_fn=die_with_parent, process_group=0)
        _live.append(self)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def check(self) -> None:
        if not self.running:
            raise QemuDied(f"{self.name}: QEMU ended with status {self.process.returncode}\n{self.output()[-2000:]}")

    def wait(self, timeout: float) -> int:
        return self.process.wait(timeout)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: to its peer this looks like a crash."""
        if self.running:
            self.process.kill()
        self.process.wait()
        if self in _live:
            _live.remove(self)

    def stop(self) -> None:
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def cpu_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self) -> int:
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def threads(self) -> list[str]:
        names = []
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            try:
                names.append((task / "comm").read_text().strip())
            except OSError:
                pass
        return sorted(names)

    def open_fds(self) -> list[str]:
        targets = []
        for entry in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                targets.append(os.readlink(entry))
            except OSError:
                pass
        return sorted(targets)

    def command_line(self) -> str:
        """Ready to paste: one option a line."""
        lines: list[str] = [shlex.quote(self.argv[0])]
        for word in self.argv[1:]:
            if word.startswith("-"):
                lines.append(word)
            else:
                lines[-1] += " " + shlex.quote(word)
        return " \\\n    ".join(lines)
