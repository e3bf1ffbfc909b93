# SPDX-License-Identifier: GPL-2.0-or-later
"""vhost-pci: two virtual machines, one link, no switch."""
import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT / "tools"), str(ROOT / "tests")]

from lab import process  # noqa: E402
from vhost_pci import bench, bindings, build, clean, demo, shell, suites  # noqa: E402

COMMANDS = {
    "build": (build, "build everything into build/ (installs what is missing)"),
    "demo": (demo, "boot two VMs, ping and stream between them, show what happened"),
    "shell": (shell, "boot the two VMs and give a console on each"),
    "test": (suites, "run every test"),
    "bench": (bench, "measure vhost-pci beside -netdev stream, testpmd and OVS-DPDK"),
    "bindings": (bindings, "regenerate the C# bindings from the ABI's header (ClangSharp)"),
    "clean": (clean, "remove what a build made"),
}


def main(words: list[str]) -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="./vhost-pci", description=__doc__, formatter_class=raw,
        epilog="Each command has --help. QEMU's source and build are kept in\n"
               "${VHOST_PCI_CACHE:-${XDG_CACHE_HOME:-~/.cache}/vhost-pci}, outside the checkout.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=module.__doc__, formatter_class=raw)
        command.set_defaults(run=module.run, fail=command.error)
        module.options(command)
    if not words:
        parser.print_help(sys.stderr)
        return 2
    args = parser.parse_args(["--help"] if words == ["help"] else words)
    process.exit_on_signals()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
