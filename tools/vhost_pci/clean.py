# SPDX-License-Identifier: GPL-2.0-or-later
"""Removes build/. With --cache also the QEMU trees, kernels and downloads outside the checkout."""
import argparse
import os
import pathlib
import shutil
import subprocess

from .steps import BUILD, relative


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", action="store_true", help="also what is kept outside the checkout")


def run(args: argparse.Namespace) -> int:
    shutil.rmtree(BUILD, ignore_errors=True)
    print(f"removed {relative(BUILD)}/")
    cache = pathlib.Path(os.environ.get("VHOST_PCI_CACHE")
                         or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "vhost-pci")
    for entry in sorted(path for name in ("qemu-*", "kernel-*", "download", "apt") for path in cache.glob(name)):
        if args.cache:
            shutil.rmtree(entry)
            print(f"removed {entry}")
        else:
            size = subprocess.run(["du", "-sh", entry], capture_output=True, text=True, check=False).stdout.split("\t")[0]
            print(f"kept    {entry} ({size})")
    return 0
