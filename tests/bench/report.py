# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run of the benchmark leaves: raw figures, a page, charts."""
import dataclasses
import functools
import json
import os
import pathlib
import platform
import re
import subprocess
import time

import charts
import targets
from chain import DATA_PATH_BITS, LARGEST_RING, LARGEST_STREAM_TX_RING, OVS, PLAIN, STREAM, SWITCHES, TESTPMD, VHOST_PCI, feature_names
from figures import Record, Records, Spread, number, spread
from lab import paths
from load import LARGEST_BURST, PACED_BURSTS_A_SECOND, SAME_FRAME
from switches import meminfo

CAVEAT = """\
Read with care. **This is TCG**: QEMU interprets the guests, one guest instruction costs about ten native ones, and no KVM guest runs on
this machine. Work that vhost-pci moves from a native switch process into a guest is overcharged by that factor; notifications and interrupts,
expensive under KVM, are cheap here. Guest instructions repeat to a few percent whatever else the machine does. Times and rates do not: with
two cores a chain of N VMs is a scheduling exercise, so read only ratios within a run, and look at the spread. In a flood pktgen spins while
its ring is full, so instructions and CPU of *the sender* of packets contain waiting; receivers and forwarders do not. A polling switch takes a core
even when nothing passes."""
COPIES = {VHOST_PCI: "1: the mirror's driver, between the origin's memory and its own packet",
          STREAM: "3: QEMU into the socket, out of the socket into QEMU, QEMU into the guest",
          TESTPMD: "2: out of one guest into the switch's buffer, from there into the other guest",
          OVS: "2: as testpmd"}
METHOD = 2
"""What is sent, and how; pages of different numbers are not to be compared. 1: pktgen built every frame and sent it alone, rings of 256."""


@dataclasses.dataclass
class Run:
    records: Records
    meta: dict

    @classmethod
    def of(cls, bench, complete: bool, seconds: float) -> "Run":
        args = bench.args
        return cls(bench.records, {
            "date": time.strftime("%Y-%m-%d %H:%M"), "minutes": round(seconds / 60, 1), "complete": complete, "machine": machine(bench.load_at_start),
            "versions": versions(bench.records.paths()), "command": command(args), "rounds": args.rounds, "seconds": args.seconds,
            "cores": os.cpu_count(), "skipped": bench.skipped, "troubles": bench.troubles, "masks": bench.masks, "rings": bench.rings,
            "method": METHOD})


def command(args) -> str:
    words = ["./vhost-pci bench"] + (["--quick"] if args.quick else [])
    return " ".join([*words, "--paths", ",".join(args.paths), "--vms", ",".join(map(str, args.vms)), "--sizes",
                     ",".join(map(str, args.sizes)), f"--rounds {args.rounds} --seconds {args.seconds:g} --searches {args.searches}"]
                    + ([f"--budget {args.budget:g}"] if args.budget else []))


def machine(load_at_start: tuple[float, ...]) -> dict[str, str]:
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"CPU": f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} cores",
            "memory": f"{meminfo('MemTotal') / 2**20:.0f} GiB", "host kernel": platform.release(),
            "load average when it began": " ".join(f"{value:.1f}" for value in load_at_start)}


@functools.cache
def _output(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False, cwd=paths.ROOT).stdout.strip()
    except OSError:
        return ""


def versions(measured: list[str]) -> dict[str, str]:
    found = {"project": _output("git", "describe", "--always", "--dirty"),
             "QEMU (all paths)": _output(str(paths.QEMU), "--version").split("\n")[0],
             "guests": "Linux " + ", ".join(sorted(path.name for path in (paths.BUILD / "guest-kernel/lib/modules").glob("*"))),
             "iperf3": _output("iperf3", "--version").split("\n")[0]}
    return found | {path: SWITCHES[path].version() for path in measured if path in SWITCHES}


def save(run: Run, file: pathlib.Path) -> None:
    rows = [json.dumps(dataclasses.asdict(record) | {"figures": {name: float(f"{value:.5g}") for name, value in record.figures.items()}})
            for record in run.records.all]
    # Never half a file, though this is written again and again.
    whole = file.with_suffix(".new")
    whole.write_text('{"meta": ' + json.dumps(run.meta, indent=1) + ',\n"records": [\n' + ",\n".join(rows) + "\n]}\n")
    whole.rename(file)


def load(file: pathlib.Path) -> Run:
    data = json.loads(file.read_text())
    return Run(Records(Record(**record) for record in data["records"]), data["meta"])


def write(run: Run, folder: pathlib.Path, name: str, page: bool = True, pictures: bool = True) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    save(run, folder / f"{name}.json")
    file = folder / f"{name}.md"
    if page:
        file.write_text(markdown(run, name, draw(run.records, folder, name, cores(run)) if pictures else {}))
    return file


def cores(run: Run) -> int:
    return run.meta.get("cores") or os.cpu_count() or 1


def verdict(hit: bool | None) -> str:
    return {True: "**hit**", False: "missed", None: "–"}[hit]


def qualified(row: targets.Row) -> str:
    return verdict(row.hit) + (f" {row.remark}" if row.remark else "")


def show(run: Run) -> None:
    """The essence, for the terminal."""
    print()
    for row in targets.judge(run.records, cores(run)):
        remark = f" [{row.remark}]" if row.remark else ""
        print(f"  {verdict(row.hit).strip('*'):<7} {row.figure}{remark}\n          target: {row.target}; measured: {row.measured}")


# -- tables ---------------------------------------------------------------------------------------------------------------------
def table(heads: list[str], rows: list[list[str]]) -> str:
    return "\n".join(["| " + " | ".join(cells) + " |" for cells in [heads, ["---"] * len(heads), *rows]]) + "\n"


def cell(value: Spread | None) -> str:
    return str(value) if value else "–"


def by_path(records: Records, vms: int, features: str, wanted: str, tests: tuple[str, ...] = ()) -> str:
    """Rows: test and figure. Columns: paths, and the ratio of vhost-pci to stream and OVS, with the same forwarder."""
    names = [path for path in records.paths() if any((r.vms, r.features, r.path) == (vms, features, path) for r in records.all)]
    pairs = [(ours, other) for ours, limits in targets.FORWARDERS.values() for other in limits if ours in names and other in names]
    rows = []
    for test in tests or records.tests(vms, features):
        for figure in records.figures(vms, features, test):
            if not re.search(wanted, figure):
                continue
            cells = [cell(records.spread(vms, features, path, test, figure)) for path in names]
            ratios = [records.ratio(vms, features, *pair, test, figure) for pair in pairs]
            rows.append([f"{test}: {figure}", *cells, *(number(value.median) if value else "–" for value in ratios)])
    return table([f"N = {vms}", *names, *(f"{ours} : {other}" for ours, other in pairs)], rows) if rows else "Not measured.\n"


def masks(run: Run) -> str:
    parts = []
    for phase, found in run.meta["masks"].items():
        if phase.startswith("N=2") or not any(p.startswith("N=2") for p in run.meta["masks"]):
            rows = [[path, end, f"`{mask:#x}`", feature_names(mask & DATA_PATH_BITS)] for path, ends in found.items() for end, mask in ends.items()]
            data = {mask & DATA_PATH_BITS for ends in found.values() for mask in ends.values()}
            same = "the same on all paths" if len(data) == 1 else "NOT the same on all paths"
            parts.append(f"{phase}; what concerns packets is {same}.\n\n" + table(["path", "end", "mask", "of it, what concerns packets"], rows))
    different = {phase for phase, found in run.meta["masks"].items() if "equal" in phase
                 and len({mask & DATA_PATH_BITS for ends in found.values() for mask in ends.values()}) > 1}
    parts.append("Chains: " + (f"different in {', '.join(sorted(different))}.\n" if different else "the same masks at every link.\n"))
    return "\n".join(parts)


def generator(run: Run) -> str:
    if run.meta.get("method", 1) < METHOD:
        return "pktgen makes every frame anew and sends it alone; rings have 256 entries.\n"
    return (f"In floods pktgen sends the same frame {SAME_FRAME} times, in bursts of {LARGEST_BURST}; at a rate {PACED_BURSTS_A_SECOND} bursts a second or fewer, "
            f"up to {LARGEST_BURST} frames each, and sleeps between them. Every ring is as large as QEMU allows: {LARGEST_RING} entries, on stream {LARGEST_STREAM_TX_RING} for "
            "transmit. Pages of an earlier method are not to be compared with this one ([what the method changed](README.md#method-2)).\n")


def rings(run: Run) -> str:
    """Of each path in the first phase that has it; all its ends alike in one row."""
    rows, seen = [], set()
    for phase, found in run.meta.get("rings", {}).items():
        for path, ends in found.items():
            if path not in seen:
                seen.add(path)
                sizes = {(receive, transmit): [end for end, other in ends.items() if other == [receive, transmit]] for receive, transmit in ends.values()}
                rows += [[path, ", ".join(names), phase, str(receive), str(transmit)] for (receive, transmit), names in sizes.items()]
    return "Rings, as `ethtool -g` has them in the guests:\n\n" + table(["path", "ends", "in", "receive", "transmit"], rows) if rows else ""


def chain_lengths(records: Records) -> list[int]:
    return [vms for vms, features in records.phases() if features == "equal"]


def chain_table(records: Records, number_of_cores: int) -> str:
    rows = []
    for vms in chain_lengths(records):
        for path in records.paths():
            if not records.median(vms, "equal", path, targets.SMALL, "kpps"):
                continue

            def get(test: str, figure: str) -> str:
                return cell(records.spread(vms, "equal", path, test, figure))
            middle = [records.median(vms, "equal", path, targets.SMALL, f"vm{n} insn/packet") for n in range(1, vms - 1)]
            got = [records.median(vms, "equal", path, targets.SMALL, f"vm{n} insn/packet got") for n in range(1, vms - 1)]
            corrected, slowest = targets.corrected_rate(records, path, vms, number_of_cores), targets.slowest_rate(records, path, vms)
            rows.append([str(vms), path, ", ".join(number(value) for value in middle if value) or "–", ", ".join(number(value) for value in got if value) or "–",
                         get(targets.SMALL, f"vm{vms - 1} insn/packet"), get(targets.SMALL, targets.CPU), get(targets.SMALL, "kpps"),
                         get(targets.SMALL, "lost %"), number(corrected) if corrected else "–", number(slowest) if slowest else "–",
                         get("rate 64, loss 0.1 %", "kpps"), get(targets.LOSSLESS, targets.CPU), get("rate 64, loss 0", "kpps"), get("ping", "average ms")])
    return table(["N", "path", "insn/packet, each forwarder", "the same for each packet that came", "insn/packet, sink", "CPU s/Mpkt, all", "kpps, flood", "lost %, flood",
                  "kpps corrected", "kpps of the slowest VM", "kpps, loss ≤ 0.1 %", "CPU s/Mpkt at that rate", "kpps, loss 0", "ping ms"], rows)


def big_frames(records: Records) -> str:
    rows = []
    for vms in chain_lengths(records):
        for test in records.tests(vms, "equal"):
            size = re.fullmatch(r"packets (\d+)", test)
            if vms == 2 or not size or test == targets.SMALL:
                continue
            for path in records.paths():
                values = [records.spread(vms, "equal", path, test, figure)
                          for figure in ("vm1 insn/packet", f"vm{vms - 1} insn/packet", targets.CPU, "kpps", "lost %")]
                if any(values):
                    rows.append([str(vms), size.group(1), path, *map(cell, values)])
    return "Floods of larger frames, fewer rounds:\n\n" + table(
        ["N", "bytes", "path", "insn/packet, first forwarder", "insn/packet, sink", "CPU s/Mpkt, all", "kpps", "lost %"], rows) if rows else ""


def slopes(records: Records, number_of_cores: int) -> str:
    """N = 2 of a path with XDP is the path without it."""
    paced = next((test for vms in chain_lengths(records) for test in records.tests(vms, "equal") if test.endswith("kpps")), "")
    rows = []
    for path in records.paths():
        ping = targets.slope([(vms, value) for vms in chain_lengths(records)
                              if (value := records.median(vms, "equal", targets.at(vms, path), "ping", "average ms")) is not None])
        slow = targets.slope([(vms, value) for vms in chain_lengths(records)
                              if (value := records.median(vms, "equal", targets.at(vms, path), paced, targets.CPU_WITHOUT_VM0)) is not None])
        flat = targets.flatness(records, path, number_of_cores)
        rows.append([path, cell(targets.slopes(records, path)), cell(targets.slopes(records, path, targets.CPU_WITHOUT_VM0)),
                     cell(targets.slopes(records, path, test=targets.LOSSLESS)),
                     number(slow) if slow is not None else "–", number(ping) if ping is not None else "–", number(flat[0]) if flat else "–"])
    return table(["one more VM costs", "CPU s/Mpkt, flood", "the same without vm0", "CPU s/Mpkt at the rate with loss ≤ 0.1 %", f"CPU s/Mpkt, {paced or 'paced'}, without vm0", "ping ms",
                  "lowest corrected kpps, of N = 2's"], rows)


def events(records: Records) -> str:
    parts = []
    for vms in chain_lengths(records):
        if vms > 2:
            parts.append(by_path(records, vms, "equal", "notifications|interrupts", tests=(targets.SMALL,)))
    return "\n".join(parts)


def markdown(run: Run, name: str, pictures: dict[str, str]) -> str:
    records, meta = run.records, run.meta
    two = (2, "equal") in records.phases()

    def picture(key: str) -> str:
        return f"![{pictures[key]}]({name}-{key}.png)\n\n" if key in pictures else ""

    parts = [f"# Benchmark of {meta['date']}\n\n"
             f"Made by `{meta['command']}` in {meta['minutes']} minutes: {records.rounds()} rounds, in each all paths in turn, measurements of "
             f"{meta['seconds']:g} s. A cell is the median and, in brackets, the lowest and highest of the rounds; a ratio is the median of "
             "the rounds' ratios. Every VM is booted once for each N and set of features; the rounds go over the running VMs, "
             "and VMs and switches whose turn it is not are stopped. Raw figures: [" + f"{name}.json]({name}.json).\n"]
    if not meta["complete"]:
        parts.append("**The run was interrupted: this is what it had.**\n")
    parts += [CAVEAT + "\n", "## Targets\n", table(["figure", "target", "measured", ""],
              [[row.figure, row.target, row.measured, qualified(row)] for row in targets.judge(records, cores(run))]),
              "Ratios are medians of the rounds' ratios, with the lowest and highest. Slopes are of the medians over N, flood of 64-byte packets. "
              "Chains are judged like with like, `tc` beside `tc` and XDP beside XDP, and by the better of the two, XDP; the verdict with `tc`, which was "
              "the only one until method 2, is beside it. With N = 2 there is no forwarder, and XDP's figure is the one without. "
              f"*Corrected* for the number of cores: kpps × P / min(P, {cores(run)}), with P the processes that want a core, N VMs and a "
              "polling switch: with two cores, five VMs have two fifths of a core each. The other way to see it is the *slowest VM*: what "
              "the slowest after the generator would do with a core of its own, by its CPU seconds. [More about both](README.md#what-is-measured).\n"]
    left_out = [f"* {path}: left out, {reason}" for path, reason in meta["skipped"].items()] + [f"* {text}" for text in meta["troubles"]]
    if left_out:
        parts += ["## Left out, and trouble\n", "\n".join(left_out) + "\n"]
    parts += ["## Set-up\n", table(["", ""], [[key, value] for key, value in {**meta["machine"], **meta["versions"]}.items()]),
              "All paths use the same QEMU, `-M q35 -accel tcg,thread=multi -cpu max,-erms,-fsrm`, one vCPU, MSI-X, the same guest. Left to right the "
              "VMs are vm0 (generator), vm1 ... (forwarders: `tc` matchall, mirred redirect; on the paths with XDP a native XDP redirect), the last "
              "the sink. On vhost-pci each VM "
              "is the **origin** of the link to its right (stock virtio_net) and the **mirror** of the link to its left (vhost_pci_net). On vhost-pci-XDP-both "
              "every second VM mirrors both neighbours, and the others are origins to both. Where the driver is ours `tc` filters are offloaded to it. *Forth* is from vm0, *back* the other way. Switches are wired port to port. Packets: "
              "the kernel's pktgen, to a MAC address that is nobody's.\n", generator(run), rings(run),
              "## Negotiated features\n", masks(run)]
    if two:
        parts += ["## Two VMs: guest instructions\n", picture("insn-packet"), by_path(records, 2, "equal", "insn/"), picture("insn-kb"),
                  "With the best features of each path (Open vSwitch: userspace TSO; stream has no offloads):\n",
                  picture("insn-kb-best"), by_path(records, 2, "best", "insn/"),
                  "## Two VMs: notifications, interrupts, copies\n",
                  "Notifications are what a guest writes to tell the other side (kicks, doorbells): the exits of the data path. Under KVM an ioeventfd takes "
                  "them in the kernel; TCG has no exits to count. With a poller the guest need not tell.\n",
                  picture("events"), by_path(records, 2, "equal", "notifications|interrupts"),
                  "Copies of a packet's data from guest memory to guest memory, by the code of each path: what a guest's own stack copies "
                  "inside the guest is not counted.\n",
                  table(["path", "copies per packet and hop"], [[path, COPIES[path]] for path in records.paths() if path in COPIES]),
                  "## Two VMs: CPU\n", picture("cpu-packet"), by_path(records, 2, "equal", "CPU"), by_path(records, 2, "best", "CPU"),
                  "## Two VMs: rates\n", picture("ping"), picture("rate"), by_path(records, 2, "equal", "kpps|Mbit|lost|ms$"),
                  picture("tcp"), by_path(records, 2, "best", "Mbit")]
    if len([1 for _, features in records.phases() if features == "equal"]) > 1:
        parts += ["## Chains\n", picture("chain-cpu"), picture("chain-insn"), picture("chain-rate"),
                  picture("chain-corrected"), picture("chain-lossless"), picture("chain-ping"), chain_table(records, cores(run)), slopes(records, cores(run)),
                  big_frames(records), "Notifications and interrupts, flood of 64-byte packets:\n", events(records)]
    parts += [f"The rate search is RFC 2544-*like*: trials last {meta['seconds']:g} s, not 60, and the generator is a guest. 0 means that no "
              "rate tried was without loss.\n"]
    return "\n".join(parts)


# -- charts ---------------------------------------------------------------------------------------------------------------------
def draw(records: Records, folder: pathlib.Path, name: str, number_of_cores: int) -> dict[str, str]:
    """The charts that the figures allow; title by key."""
    if not charts.available():
        return {}
    drawn: dict[str, str] = {}
    everything = records.paths()
    names = [path for path in everything if path not in PLAIN]

    def file(key: str, title: str) -> pathlib.Path:
        drawn[key] = title
        return folder / f"{name}-{key}.png"

    def bars(key: str, title: str, unit: str, features: str, tests: dict[str, tuple[str, str]], paths_first: bool = True) -> None:
        series = {path: [records.spread(2, features, path, *where) for where in tests.values()] for path in names}
        if any(value for values in series.values() for value in values):
            charts.bars(file(key, title), title, unit, list(tests), series)

    bars("insn-packet", "Guest instructions per received packet, receiver", "instructions", "equal",
         {f"{size} bytes": (f"packets {size}", "vm1 insn/packet") for size in (64, 512, 1518)}
         | {"64 bytes, back": ("packets 64 back", "vm0 insn/packet")})
    for features, key in (("equal", "insn-kb"), ("best", "insn-kb-best")):
        label = "equal features" if features == "equal" else "best features of each path"
        bars(key, f"Guest instructions per KB of TCP, both guests, {label}", "instructions", features,
             {way: (f"TCP {way}", "all insn/KB") for way in ("forth", "back")})
    bars("events", "Notifications and interrupts per 64-byte packet, two VMs", "per packet", "equal",
         {f"{vm} {what}": (targets.SMALL, f"{vm} {what}/packet") for vm in ("vm0", "vm1") for what in ("notifications", "interrupts")})
    bars("ping", "Ping, round trip", "ms", "equal", {"two VMs": ("ping", "average ms")})
    bars("rate", "64-byte packets per second, two VMs", "thousand packets per second", "equal",
         {"flood": ("packets 64", "kpps"), "loss at most 0.1 %": ("rate 64, loss 0.1 %", "kpps"), "loss 0": ("rate 64, loss 0", "kpps")})
    bars("tcp", "TCP throughput, best features of each path", "Mbit/s", "best", {way: (f"TCP {way}", "Mbit/s") for way in ("forth", "back")})
    process_names = ["vm0", "vm1", "testpmd", "ovs"]
    series = {process: [records.median(2, "equal", path, targets.SMALL, f"{process} CPU s/Mpkt") or 0 for path in names]
              for process in process_names}
    if any(sum(values) for values in series.values()):
        title = "CPU seconds per million 64-byte packets, two VMs, by process"
        charts.stacked(file("cpu-packet", title), title, "s", names, {key: values for key, values in series.items() if sum(values)})
    lengths = sorted(chain_lengths(records))
    if len(lengths) > 1:
        rate = "thousand packets per second"
        for key, title, unit, test, figure in (
                ("chain-cpu", "CPU seconds per million 64-byte packets, all processes", "s", targets.SMALL, targets.CPU),
                ("chain-rate", "64-byte flood: packets that reached the sink", rate, targets.SMALL, "kpps"),
                ("chain-lossless", "64-byte packets with a loss of at most 0.1 %", rate, "rate 64, loss 0.1 %", "kpps"),
                ("chain-ping", "Ping through the chain, round trip", "ms", "ping", "average ms")):
            lines = {path: [records.spread(vms, "equal", targets.at(vms, path), test, figure) for vms in lengths] for path in everything}
            if any(value for values in lines.values() for value in values):
                charts.lines(file(key, title), title, "VMs in the chain", unit, lengths, lines)
        title = f"64-byte flood, corrected for {number_of_cores} cores"
        corrected = {path: [spread([value] if (value := targets.corrected_rate(records, path, vms, number_of_cores)) else []) for vms in lengths]
                     for path in everything}
        if any(value for values in corrected.values() for value in values):
            charts.lines(file("chain-corrected", title), title, "VMs in the chain", rate, lengths, corrected)
        title = "Guest instructions per packet in the first forwarder"
        longer = [vms for vms in lengths if vms > 2]
        if longer:
            charts.bars(file("chain-insn", title), title, "instructions", [f"N = {vms}" for vms in longer],
                        {path: [records.spread(vms, "equal", path, targets.SMALL, "vm1 insn/packet") for vms in longer] for path in everything})
    return drawn
