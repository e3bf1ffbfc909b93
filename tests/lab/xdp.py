# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the XDP programs of tests/driver/xdp in a booted guest."""
import base64
import gzip
import subprocess

from . import paths
from .guests import Guest
from .process import RunDir

SOURCE = paths.ROOT / "tests/driver/xdp/xdprun.c"
FLAGS = ("-Os", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib", "-no-pie", "-fno-pie", "-fno-builtin", "-s",
         "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none")


def install(guest: Guest, run: RunDir) -> None:
    program = run / "xdprun"
    subprocess.run(["gcc", *FLAGS, "-o", str(program), str(SOURCE)], check=True)
    text = base64.b64encode(gzip.compress(program.read_bytes())).decode()
    guest.command(f"echo {text} | base64 -d | gunzip >/tmp/xdprun; chmod +x /tmp/xdprun")


def index(guest: Guest, interface: str) -> str:
    return guest.command(f"cat /sys/class/net/{interface}/ifindex")


def attach(guest: Guest, interface: str, program: str, other: str = "") -> None:
    arguments = f"{index(guest, interface)} {program} {index(guest, other) if other else ''}"
    # In a shell of its own: others on this console wait for their children.
    guest.command(f"(/tmp/xdprun {arguments} >/tmp/xdp.{interface} 2>&1 &)")
    guest.wait_until(f"grep -q attached /tmp/xdp.{interface}", 10)
    assert "prog/xdp id" in guest.command(f"/usr/sbin/ip link show {interface}")


def detach(guest: Guest) -> None:
    guest.command("killall xdprun; rm -f /tmp/xdp.*")
    # The kernel detaches when it gets round to it, after the process has ended.
    guest.wait_until("! /usr/sbin/ip link show | grep -q prog/xdp", 10)
