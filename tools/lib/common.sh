# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the launcher and the tools: paths, messages and the step runner. Sourced, not run.
# shellcheck shell=bash

VP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VP_BUILD=$VP_ROOT/build
VP_LOGS=$VP_BUILD/logs
VP_CACHE=${VHOST_PCI_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/vhost-pci}
export VHOST_PCI_CACHE=$VP_CACHE

say()  { printf '%s\n' "$*"; }
warn() { printf 'vhost-pci: warning: %s\n' "$*" >&2; }
die()  { printf 'vhost-pci: %s\n' "$*" >&2; exit 1; }
usage_error() {
    printf 'vhost-pci: %s\n' "$1" >&2
    printf "Try './vhost-pci %s--help'.\n" "${2:+$2 }" >&2
    exit 2
}

# A live line is only for people: logs and CI systems get whole lines and a heartbeat.
vp_live_output() { [[ -t 1 && ${CI:-} != true && ${TERM:-dumb} != dumb ]]; }

vp_relative() { case $1 in "$VP_ROOT"/*) printf '%s' "${1#"$VP_ROOT"/}" ;; *) printf '%s' "$1" ;; esac; }

vp_step_pid=
# The step runs in a session of its own, so an interrupt has to be handed on to all of it.
vp_stop_step() {
    [[ -n $vp_step_pid ]] && kill -TERM -- "-$vp_step_pid" 2>/dev/null
    say ''
    printf 'vhost-pci: interrupted\n' >&2
    exit 130
}

# step NAME HINT COMMAND...: runs the command with its output in build/logs/NAME.log and shows one line for it.
step() {
    local name=$1 hint=$2; shift 2
    local log=$VP_LOGS/$name.log start=$SECONDS beat=30 elapsed status line
    mkdir -p "$VP_LOGS"
    trap vp_stop_step INT TERM
    setsid "$@" >"$log" 2>&1 </dev/null &
    vp_step_pid=$!
    while kill -0 "$vp_step_pid" 2>/dev/null; do
        elapsed=$((SECONDS - start))
        if vp_live_output; then
            printf '\r  .... %-12s %4ds  log: %s' "$name" "$elapsed" "$(vp_relative "$log")"
        elif ((elapsed >= beat)); then
            beat=$((beat + 30))
            line=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c1-110)
            printf '  .... %-12s %4ds  %s\n' "$name" "$elapsed" "$line"
        fi
        sleep 0.1
    done
    status=0
    wait "$vp_step_pid" || status=$?
    vp_step_pid=
    trap - INT TERM
    elapsed=$((SECONDS - start))
    vp_live_output && printf '\r\033[K'
    if ((status == 0)); then
        printf '  ok   %-12s %4ds  log: %s\n' "$name" "$elapsed" "$(vp_relative "$log")"
        return 0
    fi
    printf '  FAIL %-12s %4ds  log: %s\n' "$name" "$elapsed" "$(vp_relative "$log")"
    {
        printf -- '---- last 20 lines of %s\n' "$(vp_relative "$log")"
        tail -n 20 "$log"
        printf -- '----\nvhost-pci: step "%s" failed (status %d). %s\n' "$name" "$status" "$hint"
    } >&2
    return 1
}
