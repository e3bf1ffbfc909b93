# SPDX-License-Identifier: GPL-2.0-or-later
import argparse
import sys

from . import machine
from .build import build
from .steps import ROOT

sys.path.insert(0, str(ROOT / "tests/bench"))

import bench  # noqa: E402

__doc__ = bench.__doc__
options = bench.options


def run(args: argparse.Namespace) -> int:
    bench.settle(args)
    if not args.report:
        machine.install_optional(bench.packages(args))
        build()
    return bench.run(args)
