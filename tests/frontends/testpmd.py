# SPDX-License-Identifier: GPL-2.0-or-later
"""DPDK's testpmd with one net_virtio_user port: a whole vhost-user front-end and its driver in one process."""
import os
import pathlib
import re
import select
import shutil
import subprocess

from lab.patience import Deadline
from lab.process import RunDir, die_with_parent

PROGRAM = shutil.which("dpdk-testpmd")
MAC = "52:54:00:00:00:0d"
PROMPT = "testpmd> "


class Testpmd:
    """Memory is a memfd of 4 KiB pages unless told: no huge pages have to be set aside on the machine."""

    __test__ = False        # for pytest, which goes by the name

    def __init__(self, run: RunDir, path: pathlib.Path, device: str = "", memory: tuple[str, ...] = ("--no-huge", "-m", "64")):
        # Not pinned, as DPDK would: another busy program pinned to the same core could stop it for seconds
        cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
        self.log = open(run / "testpmd.log", "ab")
        # Its prompts are not buffered, its answers are, so into a pipe they would come too late.
        argv = ["stdbuf", "-o0", PROGRAM, "--lcores", f"0@({cpus}),1@({cpus})", "--no-pci", "--no-telemetry", "--no-shconf",
                f"--file-prefix=vp{os.getpid()}", *memory,
                "--vdev", f"net_virtio_user0,path={path},queues=1,mac={MAC}{device}",
                "--", "-i", "--total-num-mbufs=4096"]
        self.log.write((" ".join(argv) + "\n").encode())
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        preexec_fn=die_with_parent, process_group=0)
        try:
            self.banner = self._read_prompt(30)
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> "Testpmd":
        return self

    def __exit__(self, *_rest: object) -> None:
        if self.process.poll() is None:
            try:
                self.process.communicate(b"quit\n", 60)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            pipe.close()

    def command(self, line: str, timeout: float = 20) -> str:
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self._read_prompt(timeout)

    def forward(self, mode: str) -> None:
        """From now on does this with what comes, or sends on its own."""
        self.command("stop")
        self.command(f"set fwd {mode}")
        self.command("start")

    def stop(self) -> None:
        self.command("stop")

    def counters(self) -> tuple[int, int]:
        """Packets received and sent since the start of the program."""
        text = self.command("show port stats 0")
        return tuple(int(re.search(rf"{name}-packets:\s+(\d+)", text).group(1)) for name in ("RX", "TX"))

    def _read_prompt(self, timeout: float) -> str:
        end = Deadline(timeout)
        text = ""
        while not text.endswith(PROMPT):
            ready, _, _ = select.select([self.process.stdout], [], [], end.left)
            if not ready:
                raise TimeoutError(f"testpmd: no prompt for {timeout:.0f} s after: {text[-1000:]}")
            data = os.read(self.process.stdout.fileno(), 65536)
            self.log.write(data)
            if not data:
                raise EOFError(f"testpmd ended with status {self.process.wait()}: {text[-1000:]}")
            text += data.decode(errors="replace")
        return text
