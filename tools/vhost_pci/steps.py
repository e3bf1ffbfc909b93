# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that take long: their output goes to build/logs, and whoever watches sees that they are alive."""
import contextlib
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
import tty

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
HEARTBEAT = 30


def relative(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


@contextlib.contextmanager
def started(command: list, **how):
    """The process, in a session of its own; an interrupt of this program is passed on to the whole session."""
    process = subprocess.Popen([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                               start_new_session=True, **how)
    try:
        yield process
    finally:
        if process.poll() is None:
            print("\nvhost-pci: interrupted", file=sys.stderr)
            os.killpg(process.pid, signal.SIGINT)
            process.wait()


def last_line(log: pathlib.Path) -> str:
    lines = [line for line in log.read_text(errors="replace")[-400:].splitlines() if line.strip()]
    return lines[-1][:110] if lines else ""


def step(name: str, command: list, hint: str) -> bool:
    """Runs it with one line of progress; shows the end of its log when it fails."""
    log = LOGS / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # A line that changes is for people only; logs and CI systems get whole lines and a heartbeat.
    live = sys.stdout.isatty() and os.environ.get("CI") != "true" and os.environ.get("TERM", "dumb") != "dumb"
    began, beat, status = time.monotonic(), HEARTBEAT, None

    def line(word: str, rest: str) -> str:
        return f"  {word:<4} {name:<12} {time.monotonic() - began:4.0f}s  {rest}"

    with open(log, "wb") as file, started(command, stdout=file) as process:
        while status is None:
            try:
                status = process.wait(0.1 if live else 1)
            except subprocess.TimeoutExpired:
                if live:
                    print("\r" + line("....", f"log: {relative(log)}"), end="", flush=True)
                elif time.monotonic() - began >= beat:
                    beat += HEARTBEAT
                    print(line("....", last_line(log)), flush=True)
    print(("\r\033[K" if live else "") + line("FAIL" if status else "ok", f"log: {relative(log)}"), flush=True)
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        print(f"---- last 20 lines of {relative(log)}\n{tail}\n----\nvhost-pci: step \"{name}\" failed (status {status}). {hint}", file=sys.stderr)
    return not status


def stream(name: str, command: list, **how) -> int:
    """Shows the output and keeps it in the log; prints a heartbeat when there is none for long."""
    log = LOGS / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    # Many programs, ctest among them, write to a pipe in blocks, but to a terminal at once.
    ours, its = os.openpty()
    tty.setraw(its)
    with open(log, "wb") as file, open(ours, "rb", buffering=0) as output, started(command, stdout=its, **how) as process:
        os.close(its)
        while True:
            if not select.select([output], [], [], HEARTBEAT)[0]:
                print(f"  .... {name} {time.monotonic() - began:4.0f}s, log: {relative(log)}", flush=True)
                continue
            try:
                data = output.read(65536)
            except OSError:     # a terminal's way to say that the last writer has gone
                return process.wait()
            for sink in (file, sys.stdout.buffer):
                sink.write(data)
                sink.flush()
