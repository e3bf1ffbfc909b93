# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths of what the build produces."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VHOST_PCI_BUILD", ROOT / "build"))
QEMU = BUILD / "qemu-system-x86_64"
KERNEL = BUILD / "vmlinuz"
INITRAMFS = BUILD / "guest.initramfs.gz"
COUNTER_PLUGIN = BUILD / "libinsncount.so"
