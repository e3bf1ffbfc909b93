# SPDX-License-Identifier: GPL-2.0-or-later
"""Regenerates managed/*/Generated/ from the ABI headers in interop/ with ClangSharpPInvokeGenerator.

The generator is the .NET tool of .config/dotnet-tools.json, which is restored only for this; a normal build uses the
committed files. VHOST_PCI_CLANGSHARP_VERSION asks for another version (21.1.8.4 or newer)."""
import argparse

from . import machine
from .steps import ROOT, step


def options(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_args: argparse.Namespace) -> int:
    machine.check_dotnet()
    hint = "See the log: when NuGet here does not have ClangSharpPInvokeGenerator, the committed bindings stay as they are."
    return 0 if step("bindings", [ROOT / "interop/generate-bindings"], hint) else 1
