# SPDX-License-Identifier: GPL-2.0-or-later
# What the machine must have, and how it gets there. Sourced by the launcher.
# shellcheck shell=bash

# QEMU's build, the kernel module's build, what goes into the guests, and the test runner. Each name is needed by itself,
# because recommended packages are not installed along.
VP_PACKAGES=(
    gcc libc6-dev make patch dpkg-dev xz-utils cmake ninja-build meson pkg-config python3
    libglib2.0-dev libpixman-1-dev zlib1g-dev libfdt-dev
    libslirp-dev libseccomp-dev libspice-server-dev libspice-protocol-dev libgnutls28-dev libsasl2-dev
    libjpeg62-turbo-dev libpng-dev libncurses-dev libusb-1.0-0-dev libusbredirparser-dev libattr1-dev libcap-ng-dev
    libnuma-dev libaio-dev liburing-dev libzstd-dev libkeyutils-dev
    seabios qemu-system-data
    linux-headers-amd64 kmod cpio
    busybox-static iproute2 iputils-ping ethtool iperf3
    libicu72 ca-certificates python3-pytest
)

# Other people's front-ends for tests/frontends, which leaves out what is not there; and a TPM for tests/qtest/test_binary.py.
VP_FRONTEND_PACKAGES=(qemu-system-x86 dpdk-dev librte-net-virtio23 librte-mempool-ring23 swtpm)

# libFuzzer for tests/fuzz, which is left out without.
VP_FUZZ_PACKAGES=(clang-14 libclang-rt-14-dev)

# UEFI firmware and the team driver's tool for tests/e2e, which leaves their cases out when they are not there.
VP_E2E_PACKAGES=(ovmf libteam-utils)

vp_missing_packages() { # NAME...
    # One query for all: this runs before every build and must cost nothing.
    local have
    have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
        awk '$1 == "installed" { print $2 }')
    comm -13 <(sort -u <<<"$have") <(printf '%s\n' "$@" | sort -u)
}

vp_check_machine() {
    local id version
    id=$(. /etc/os-release 2>/dev/null && printf '%s' "${ID:-}")
    version=$(. /etc/os-release 2>/dev/null && printf '%s' "${VERSION_ID:-}")
    [[ $id == debian && $version == 12 ]] ||
        die "this builds on Debian 12 (bookworm); this machine says: ${id:-unknown} ${version:-}. A Debian 12 container or VM will do."
    [[ $(dpkg --print-architecture) == amd64 ]] || die "this builds on amd64 only, not $(dpkg --print-architecture)"
}

vp_install_packages() {
    local missing
    mapfile -t missing < <(vp_missing_packages "${VP_PACKAGES[@]}")
    ((${#missing[@]} == 0)) && return 0
    if ((EUID != 0)); then
        die "these packages are missing; install them as root, then run this again:
  apt-get install --no-install-recommends ${missing[*]}"
    fi
    step packages "Repair with 'dpkg --configure -a' and 'apt-get -f install', then run this again." \
        "$VP_ROOT/tools/install-packages" "${missing[@]}"
}

# vp_install_optional NAME...: what a command can do without, though with less to show.
vp_install_optional() {
    local missing
    mapfile -t missing < <(vp_missing_packages "$@")
    ((${#missing[@]} == 0)) && return 0
    if ((EUID != 0)); then
        warn "not installed, and left out: ${missing[*]}"
    else
        step packages "Going on without: ${missing[*]}" "$VP_ROOT/tools/install-packages" "${missing[@]}" || true
    fi
}

vp_check_dotnet() {
    local need=10.0.100 have
    if [[ -r $VP_ROOT/global.json ]]; then
        need=$(sed -n 's/.*"version"[^"]*"\([^"]*\)".*/\1/p' "$VP_ROOT/global.json" | head -n 1)
    fi
    [[ -z $(command -v dotnet) && -x $HOME/.dotnet/dotnet ]] && PATH=$HOME/.dotnet:$PATH
    if ! command -v dotnet >/dev/null; then
        die "no .NET SDK found. Install version $need or newer: Microsoft's package dotnet-sdk-10.0, or its
  dotnet-install.sh script with '--channel 10.0' (it installs into ~/.dotnet, which is looked at too)."
    fi
    # Listing the SDKs does not load one: a tenth of the time of 'dotnet --version'.
    have=$(dotnet --list-sdks 2>/dev/null | cut -d' ' -f1 | sort -V | tail -n 1)
    if [[ $(printf '%s\n%s\n' "$need" "${have:-0}" | sort -V | head -n 1) != "$need" ]]; then
        die "the .NET SDK here is ${have:-unusable}; $need or newer is needed (Microsoft's package dotnet-sdk-10.0, or
  dotnet-install.sh --channel 10.0)."
    fi
}
