# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the shell tools: paths and the last word. Sourced, not run.
# shellcheck shell=bash

VP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VP_CACHE=${VHOST_PCI_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/vhost-pci}
export VHOST_PCI_CACHE=$VP_CACHE

die() { printf 'vhost-pci: %s\n' "$*" >&2; exit 1; }
