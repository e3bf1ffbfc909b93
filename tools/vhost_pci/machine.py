# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machine must have, and how it gets there."""
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

from .steps import ROOT, step

# For building QEMU and the kernel module, for the guests, and for the tests. Recommended packages are not installed, so each
# one that is needed is named.
PACKAGES = """
    gcc libc6-dev make patch dpkg-dev xz-utils cmake ninja-build meson pkg-config python3
    libglib2.0-dev libpixman-1-dev zlib1g-dev libfdt-dev
    libslirp-dev libseccomp-dev libspice-server-dev libspice-protocol-dev libgnutls28-dev libsasl2-dev
    libjpeg62-turbo-dev libpng-dev libncurses-dev libusb-1.0-0-dev libusbredirparser-dev libattr1-dev libcap-ng-dev
    libnuma-dev libaio-dev liburing-dev libzstd-dev libkeyutils-dev
    seabios qemu-system-data
    linux-headers-amd64 kmod cpio
    busybox-static iproute2 iputils-ping ethtool iperf3
    libicu72 ca-certificates python3-pytest
""".split()


DOTNET = "10.0.100"


def die(text: str) -> None:
    sys.exit(f"vhost-pci: {text}")


def missing(names: list[str]) -> list[str]:
    # One query for all of them: this runs before every build and must cost nothing.
    have = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status} ${Package}\n", *names], capture_output=True, text=True, check=False).stdout
    return sorted(set(names) - {line.removeprefix("installed ") for line in have.splitlines() if line.startswith("installed ")})


def check_debian() -> None:
    release = platform.freedesktop_os_release() if os.path.exists("/etc/os-release") else {}
    if (release.get("ID"), release.get("VERSION_ID")) != ("debian", "12"):
        die(f"this builds on Debian 12 (bookworm); this machine says: {release.get('ID', 'unknown')} {release.get('VERSION_ID', '')}. "
            "A Debian 12 container or VM will do.")
    if platform.machine() != "x86_64":
        die(f"this builds on amd64 only, not {platform.machine()}")


def install_packages() -> None:
    names = missing(PACKAGES)
    if names and os.geteuid():
        die(f"these packages are missing; install them as root, then run this again:\n  apt-get install --no-install-recommends {' '.join(names)}")
    if names and not step("packages", [ROOT / "tools/install-packages", *names],
                          "Repair with 'dpkg --configure -a' and 'apt-get -f install', then run this again."):
        sys.exit(1)


def install_optional(names: list[str]) -> None:
    """Packages that a command can do without, though it then does less."""
    names = missing(names) if names else []
    if names and os.geteuid():
        print(f"vhost-pci: warning: not installed, and left out: {' '.join(names)}", file=sys.stderr)
    elif names:
        step("packages", [ROOT / "tools/install-packages", *names], f"Going on without: {' '.join(names)}")


def numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def check_dotnet() -> None:
    os.environ.update(DOTNET_CLI_TELEMETRY_OPTOUT="1", DOTNET_NOLOGO="1", DOTNET_CLI_UI_LANGUAGE="en")
    if not shutil.which("dotnet"):
        os.environ["PATH"] = f"{pathlib.Path.home()}/.dotnet:{os.environ['PATH']}"
    if not shutil.which("dotnet"):
        die(f"no .NET SDK found. Install version {DOTNET} or newer: Microsoft's package dotnet-sdk-10.0, or its\n"
            "  dotnet-install.sh script with '--channel 10.0' (it installs into ~/.dotnet, which is looked at too).")
    # Listing the SDKs does not load one: a tenth of the time of 'dotnet --version'.
    have = subprocess.run(["dotnet", "--list-sdks"], capture_output=True, text=True, check=False).stdout.split("\n")
    newest = max([line.split(" ")[0] for line in have if line], key=numbers, default="0")
    if numbers(newest) < numbers(DOTNET):
        die(f"the .NET SDK here is {newest}; {DOTNET} or newer is needed (Microsoft's package dotnet-sdk-10.0, or\n"
            "  dotnet-install.sh --channel 10.0).")
