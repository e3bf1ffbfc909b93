# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: real QEMU processes under test, with consoles, monitors, counters and a sure end. Standard library only."""
