# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver's ring code against rings of any kind, under the address and undefined-behaviour sanitizers."""
import subprocess

from .conftest import ROOT


def test_rings(out, fuzz):
    subprocess.run(["make", "-C", ROOT / "tests/driver", f"BUILD={out / 'guest'}", "fuzz"], check=True)
    fuzz([out / "guest/ring_fuzz"], "ring", max_len=512, least=2000)
