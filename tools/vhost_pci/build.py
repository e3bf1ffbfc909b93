# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds into build/: qemu-system-x86_64, libvhostpci.so, libedu.so, vhost_pci_net.ko, guest.initramfs.gz, vmlinuz.

The first build takes several minutes (QEMU), a build with nothing changed a second. Logs: build/logs/."""
import argparse
import os
import sys
import time

from . import machine
from .steps import BUILD, ROOT, relative, step

# Targets of CMake's, and what helps when one fails.
PARTS = {
    "qemu": "Patches are in qemu-patches/7.2, the shim in native/. 'clean --cache' removes a half-made tree.",
    "managed": "The C# side is in managed/; 'dotnet build VhostPciPlugin.sln' shows errors fastest.",
    "edu": "The example of a device in C# is managed/Examples.Edu.",
    "module": "The driver is in guest/linux.",
    "initramfs": "tools/make-initramfs packs it.",
    "insncount": "The plugin is in tests/bench/plugin.",
}


def part(word: str) -> str:
    if word not in PARTS:
        raise argparse.ArgumentTypeError(f"'{word}' is not one of {', '.join(PARTS)}")
    return word


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parts", nargs="*", type=part, metavar="PART", help=f"any of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--update", action="store_true", help="look for a newer QEMU 7.2 security update in Debian first")


def run(args: argparse.Namespace) -> int:
    if args.update:
        os.environ["VHOST_PCI_UPDATE_QEMU"] = "1"
        (BUILD / "qemu-system-x86_64").unlink(missing_ok=True)
    build(args.parts)
    return 0


def build(parts: list[str] = ()) -> None:
    """From a bare machine to these parts; ends the program when one fails."""
    began = time.monotonic()
    machine.check_debian()
    machine.install_packages()
    machine.check_dotnet()
    tree = BUILD / "cmake"
    if not (tree / "build.ninja").exists() and not step("configure", ["cmake", "-S", ROOT, "-B", tree, "-G", "Ninja"], "CMake could not set up build/cmake."):
        sys.exit(1)
    for name in parts or PARTS:
        if not step(name, ["cmake", "--build", tree, "--target", name], PARTS[name]):
            sys.exit(1)
    print(f"  built in {time.monotonic() - began:.0f} s: {relative(BUILD)}/", flush=True)
