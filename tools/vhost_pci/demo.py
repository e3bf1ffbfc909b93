# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots two virtual machines, links them with vhost-pci, measures both directions and tells what it saw."""
import argparse
import pathlib
import sys
import time

from lab import guests, process, traffic

from .build import build


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--machine", choices=("q35", "pc"), default="q35", help="QEMU machine of both VMs (default q35)")
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="length of each TCP stream (default 5)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and sockets")


class Report:
    def __init__(self) -> None:
        self.started = time.monotonic()
        self.rows: list[tuple[str, str, bool]] = []

    def note(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:5.1f} s] {text}", flush=True)

    def saw(self, what: str, value: object, good: bool) -> None:
        self.rows.append((what, str(value), good))
        self.note(f"{what}: {value}")

    @property
    def good(self) -> bool:
        return bool(self.rows) and all(row[2] for row in self.rows)

    def show(self) -> None:
        width = max(len(row[0]) for row in self.rows)
        values = max(len(row[1]) for row in self.rows)
        print("\n" + "-" * (width + values + 10))
        for what, value, good in self.rows:
            print(f"  {what:<{width}}  {value:<{values}}  {'ok' if good else 'BAD'}")
        print("-" * (width + values + 10))


def demonstrate(args: argparse.Namespace, folder: process.RunDir, report: Report) -> None:
    mirror = guests.start_mirror(folder, args.machine)
    print(f"\nmirror:\n{mirror.qemu.command_line()}\n")
    mirror.wait_ready()
    report.saw("mirror boot", f"{mirror.boot_seconds:.1f} s, no network device yet"
               if not mirror.interfaces() else f"unexpected: {mirror.interfaces()}", not mirror.interfaces())

    origin = guests.start_origin(folder, args.machine)
    print(f"\norigin:\n{origin.qemu.command_line()}\n")
    origin.wait_ready()
    report.saw("origin boot", f"{origin.boot_seconds:.1f} s", True)

    name = mirror.wait_interface(guests.MIRROR_IP)
    path = mirror.command(f"readlink -f /sys/class/net/{name}/device/.. | sed 's|.*/||'; "
                          f"basename $(readlink -f /sys/class/net/{name}/device/driver)").split()
    report.saw("hot-plugged into the mirror", f"{name} at {path[0]}, driver {path[1]}", path[1] == "vhost_pci_net")
    name = origin.wait_interface(guests.ORIGIN_IP)
    driver = origin.command(f"basename $(readlink -f /sys/class/net/{name}/device/driver)")
    report.saw("in the origin", f"{name}, driver {driver} (stock)", driver == "virtio_net")

    for sender, target, way in ((origin, guests.MIRROR_IP, "origin to mirror"), (mirror, guests.ORIGIN_IP, "mirror to origin")):
        ping = sender.ping(target, count=50)
        report.saw(f"ping {way}", ping, ping.lossless)
    for sender, receiver, target, way in ((origin, mirror, guests.MIRROR_IP, "origin to mirror"),
                                          (mirror, origin, guests.ORIGIN_IP, "mirror to origin")):
        stream = traffic.tcp_stream(sender, receiver, target, args.seconds)
        report.saw(f"TCP {way}", f"{stream.mbit_per_second:.0f} Mbit/s, {stream.retransmits} retransmits",
                   stream.bytes_received > 0)

    print(f"\n(mirror) info vhost-pci\n{mirror.hmp('info vhost-pci').rstrip()}\n")
    complaints = mirror.complaints() + origin.complaints()
    report.saw("kernel complaints", complaints or "none", not complaints)
    for vm in (origin, mirror):
        report.saw(f"QEMU of the {vm.name}", "running" if vm.qemu.running else "gone", vm.qemu.running)


def run(args: argparse.Namespace) -> int:
    if args.seconds < 1:
        args.fail("--seconds must be at least 1")
    build()
    report = Report()
    failure = None
    folder = process.RunDir("demo")
    pids: list[int] = []
    try:
        demonstrate(args, folder, report)
    except Exception as error:  # whatever went wrong is the demo's result
        failure = f"{type(error).__name__}: {error}"
    finally:
        pids = [qemu.pid for qemu in process.live()]
        process.stop_all()
    left = [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()]
    report.saw("torn down", f"still there: {left}" if left else "no process left", not left)
    report.show()
    good = report.good and not failure
    if failure:
        print(f"\nThe demo stopped: {failure}", file=sys.stderr)
    if good and not args.keep:
        folder.remove()
    else:
        print(f"Logs: {folder.path}")
    print("The link works." if good else "The link does NOT work.")
    return 0 if good else 1
