# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs real QEMU processes for tests: consoles, monitors, counters, and none of them survives the tests."""
