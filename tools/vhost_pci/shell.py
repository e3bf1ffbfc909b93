# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots the two linked virtual machines and gives a console on each; both stop when this ends."""
import argparse
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import termios
import time
import tty

from lab import guests, process

from .build import build
from .steps import ROOT

POINTER = pathlib.Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp")) / f"vhost-pci-shell-{os.getuid()}"
LEAVE = 0x1d  # Ctrl-]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--machine", choices=("q35", "pc"), default="q35", help="QEMU machine of both VMs (default q35)")
    parser.add_argument("--attach", choices=("origin", "mirror"), help="a console on a VM of a shell that runs already")
    parser.add_argument("--no-tmux", action="store_true", help="print how to attach even if tmux is there")


def attach(name: str) -> int:
    try:
        folder = pathlib.Path(POINTER.read_text().strip())
        console = socket.socket(socket.AF_UNIX)
        console.connect(str(folder / f"{name}.serial"))
    except OSError:
        print("vhost-pci: no shell is running; start one with ./vhost-pci shell", file=sys.stderr)
        return 1
    if not sys.stdin.isatty():
        print("vhost-pci: --attach needs a terminal", file=sys.stderr)
        return 1
    print(f"{name}: Ctrl-] leaves, the VM goes on.\r")
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        console.sendall(b"\n")
        while True:
            ready, _, _ = select.select([0, console], [], [])
            if console in ready:
                data = console.recv(4096)
                if not data:
                    return 0
                os.write(1, data)
            if 0 in ready:
                data = os.read(0, 1024)
                if not data or LEAVE in data:
                    return 0
                console.sendall(data)
    except ConnectionError:
        return 0
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        print()


def run_tmux(program: str) -> None:
    session = f"vhost-pci-{os.getpid()}"
    tmux = ["tmux", "-L", session]
    subprocess.run(tmux + ["new-session", "-d", "-s", session, f"{program} --attach origin"], check=True)
    subprocess.run(tmux + ["split-window", "-h", "-t", session, f"{program} --attach mirror"], check=True)
    subprocess.run(tmux + ["attach-session", "-t", session], check=False)
    subprocess.run(tmux + ["kill-server"], check=False, stderr=subprocess.DEVNULL)


def run(args: argparse.Namespace) -> int:
    if args.attach:
        # The VMs run already: nothing to build.
        return attach(args.attach)
    build()
    program = f"{ROOT / 'vhost-pci'} shell"
    with process.RunDir("shell") as folder:
        try:
            mirror = guests.start_mirror(folder, args.machine, human=True)
            origin = guests.start_origin(folder, args.machine, human=True, chardev_options=",reconnect=1")
            POINTER.write_text(str(folder.path))
            print(f"mirror:\n{mirror.qemu.command_line()}\n\norigin:\n{origin.qemu.command_line()}\n")
            if shutil.which("tmux") and sys.stdin.isatty() and not args.no_tmux:
                run_tmux(program)
            else:
                print(f"In two other terminals:\n  {program} --attach origin\n  {program} --attach mirror\n"
                      "Both VMs stop with Ctrl-C here.", flush=True)
                while mirror.qemu.running and origin.qemu.running:
                    time.sleep(0.5)
                for vm in (mirror, origin):
                    if not vm.qemu.running:
                        print(f"{vm.name}: QEMU ended\n{vm.qemu.output()[-1000:]}", file=sys.stderr)
                return 1
        finally:
            process.stop_all()
            POINTER.unlink(missing_ok=True)
    return 0
