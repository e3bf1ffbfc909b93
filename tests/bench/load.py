# SPDX-License-Identifier: GPL-2.0-or-later
"""Work for a chain, and what it costs every process and every guest."""
import dataclasses
import json
import math
import re
import time

from chain import FIRST_IP, LAST_IP, LEFT, RIGHT, Chain
from lab import traffic
from lab.guests import Guest
from search import Trial

# Time that a load gets to settle before it is measured; what is still on its way is counted until nothing has come for so long.
SETTLE, QUIET = 0.3, 0.1
LONGEST_DRAIN = 3
NOBODY = "02:00:00:00:99:99"
# A generator of packets sends frames that it has made before, in bursts; so do hardware and pktgen-DPDK. At a rate it sleeps between bursts
# instead of spinning, if pktgen has 100 us or more to wait: bursts are so large that they are well further apart than that.
SAME_FRAME, LARGEST_BURST = 1000, 32
PACED_BURSTS_A_SECOND = 4000


def counter(guest: Guest, interface: str, name: str) -> int:
    # Shell built-ins only: what this costs the guest is in the figures.
    return int(guest.command(f"read -r n </sys/class/net/{interface}/statistics/{name}; echo $n"))


def drained(sinks: list[tuple[Guest, str]]) -> list[int]:
    """Packets received when no more come."""
    end, last = time.monotonic() + LONGEST_DRAIN, None
    while (now := [counter(*sink, "rx_packets") for sink in sinks]) != last and time.monotonic() < end:
        last = now
        time.sleep(QUIET)
    return now


@dataclasses.dataclass
class Sample:
    """Everything that can be read from outside, at one moment."""
    time: float
    instructions: list[int]
    cpu: dict[str, float]

    @classmethod
    def take(cls, chain: Chain) -> "Sample":
        return cls(time.monotonic(), [guest.instructions() for guest in chain.guests],
                   {name: each.cpu_seconds() for name, each in chain.processes.items()})


def costs(chain: Chain, before: Sample, after: Sample, units: float, unit: str, cpu_name: str, cpu_units: float,
          own: dict[str, float] | None = None) -> dict[str, float]:
    """Guest instructions per unit for every VM; CPU seconds per so many units for every process and in all.

    own: of guests that did another number of units, that number."""
    figures = {f"{guest.name} insn/{unit}": (new - old) / (own or {}).get(guest.name, units)
               for guest, old, new in zip(chain.guests, before.instructions, after.instructions)}
    spent = {name: (after.cpu[name] - before.cpu[name]) / cpu_units for name in after.cpu}
    figures |= {f"{name} {cpu_name}": value for name, value in spent.items()}
    figures[f"all {cpu_name}"] = sum(spent.values())
    return figures


@dataclasses.dataclass
class Events:
    """Notifications that a guest sent (kicks and doorbells: exits, but for ioeventfd) and interrupts that it took."""
    sent: int
    interrupts: int

    @classmethod
    def take(cls, guest: Guest, interfaces: list[str]) -> "Events":
        text = guest.command("; ".join(f"/usr/sbin/ethtool -S {name}" for name in interfaces) + "; cat /proc/interrupts")
        # Stock virtio_net counts its kicks; our driver counts as kicks those that come, and as doorbells those that go.
        sent = re.findall(r"\b(?:[rt]x_queue_\d+_kicks|\w+_doorbells): (\d+)", text)
        taken = re.findall(r"^ *\d+:((?: +\d+)+) +PCI-MSI", text, re.M)
        return cls(sum(map(int, sent)), sum(int(number) for line in taken for number in line.split()))


def all_events(chain: Chain) -> list[Events]:
    return chain.on_all(lambda guest, sides: Events.take(guest, list(sides.values())))


def forwarded(chain: Chain) -> dict[str, tuple[int, int]]:
    """Packets that each VM in the middle got from the first one's side, and those that it sent towards the last one."""
    counts = chain.on_all(lambda guest, sides: (counter(guest, sides[LEFT], "rx_packets"), counter(guest, sides[RIGHT], "tx_packets"))
                          if len(sides) == 2 else (0, 0))
    return {guest.name: count for guest, count in zip(chain.guests, counts) if guest not in (chain.guests[0], chain.guests[-1])}


def event_figures(chain: Chain, before: list[Events], after: list[Events], packets: int) -> dict[str, float]:
    figures = {}
    for guest, old, new in zip(chain.guests, before, after):
        figures[f"{guest.name} notifications/packet"] = (new.sent - old.sent) / packets
        figures[f"{guest.name} interrupts/packet"] = (new.interrupts - old.interrupts) / packets
    return figures


def pace(rate: float | None) -> list[str]:
    """pktgen's settings for so many packets a second, or as many as go. Its delay is from the start of one burst to that of the next."""
    burst = LARGEST_BURST if rate is None else min(LARGEST_BURST, math.ceil(rate / PACED_BURSTS_A_SECOND))
    return [f"burst {burst}", f"delay {round(burst * 1e9 / rate) if rate else 0}"]


class Generator:
    """The kernel's pktgen at one end: frames to a MAC address that is nobody's, so that the other end drops them after its driver."""

    def __init__(self, end: tuple[Guest, str]):
        self.guest, self.interface = end

    def prepare(self, size: int, rate: float | None = None) -> None:
        # pktgen's size is without the checksum.
        traffic.set_up_pktgen(self.guest, self.interface, "count 0", f"clone_skb {SAME_FRAME}", f"pkt_size {size - 4}", f"dst_mac {NOBODY}",
                              "src_min 10.0.0.1", "src_max 10.0.0.1", "dst 10.0.0.99", *pace(rate))

    def start(self) -> None:
        self.guest.command("echo start >/proc/net/pktgen/pgctrl & true")

    def stop(self) -> tuple[int, float]:
        """Packets sent, and the seconds that pktgen took for them."""
        text = self.guest.command(f"echo stop >/proc/net/pktgen/pgctrl; wait; cat /proc/net/pktgen/{self.interface}", 30)
        found = re.search(r"pkts-sofar: (\d+)[\s\S]*Result: OK: (\d+)\(", text)
        if not found:
            raise RuntimeError(f"{self.guest.name}: pktgen: {text[-300:]}")
        return int(found.group(1)), int(found.group(2)) / 1e6


def measure_packets(chain: Chain, size: int, seconds: float, forth: bool = True, back: bool = False, rate: float | None = None,
                    keep: list[Trial] | None = None) -> dict[str, float]:
    """Packets as fast as they go or at a rate, one way or both ways at once. keep gets what came through, for a rate search."""
    flows = []
    if forth:
        flows.append((Generator(chain.first), chain.last))
    if back:
        flows.append((Generator(chain.last), chain.first))
    for generator, _ in flows:
        generator.prepare(size, rate)
    events = all_events(chain)
    sinks = [sink for _, sink in flows]

    def received() -> list[int]:
        return [counter(*sink, "rx_packets") for sink in sinks]

    start = received()
    for generator, _ in flows:
        generator.start()
    time.sleep(SETTLE)
    middle, count, before = forwarded(chain), received(), Sample.take(chain)
    time.sleep(seconds)
    middle_after, count_after, after = forwarded(chain), received(), Sample.take(chain)
    results = [generator.stop() for generator, _ in flows]
    sent = sum(packets for packets, _ in results)
    total = sum(drained(sinks)) - sum(start)
    packets = sum(count_after) - sum(count)
    if not packets:
        raise RuntimeError(f"{chain.path}: no packet arrived")
    got, own = {}, {}
    for name, (old_got, old_sent) in middle.items() if not back else ():
        got[name], own[name] = middle_after[name][0] - old_got, middle_after[name][1] - old_sent
    own = {name: number for name, number in own.items() if number}
    figures = costs(chain, before, after, packets, "packet", "CPU s/Mpkt", packets / 1e6, own)
    # What a forwarder cannot pass on costs it, too, and is in the instructions for each packet that it could.
    figures |= {f"{name} insn/packet got": figures[f"{name} insn/packet"] * own[name] / got[name] for name in own if got[name]}
    figures["all but vm0 CPU s/Mpkt"] = figures["all CPU s/Mpkt"] - figures["vm0 CPU s/Mpkt"]
    figures |= event_figures(chain, events, all_events(chain), total)
    if keep is not None:
        keep.append(Trial(rate, sent, min(sent, total), max(seconds for _, seconds in results)))
    return figures | {"kpps": packets / (after.time - before.time) / 1e3, "lost %": max(0.0, 100 * (1 - total / sent))}


def trial(chain: Chain, size: int, rate: float | None, seconds: float) -> Trial:
    generator, sink = Generator(chain.first), chain.last
    generator.prepare(size, rate)
    start = counter(*sink, "rx_packets")
    generator.start()
    time.sleep(seconds)
    sent, elapsed = generator.stop()
    return Trial(rate, sent, min(sent, drained([sink])[0] - start), elapsed)


def measure_ping(chain: Chain, count: int = 100) -> dict[str, float]:
    ping = chain.guests[0].ping(LAST_IP, count, 0.01)
    if ping.average_ms is None:
        raise RuntimeError(f"{chain.path}: no answer to {count} pings")
    return {"average ms": ping.average_ms, "lost %": 100 * (1 - ping.received / ping.sent)}


def measure_tcp(chain: Chain, seconds: float, forth: bool, sendfile: bool = False) -> dict[str, float]:
    """One iperf3 stream, from memory or, as a server of files does, by sendfile(). Costs are of a window in its middle: starting iperf3 costs as much as megabytes do."""
    (sender, _), (receiver, interface), target = ((chain.first, chain.last, LAST_IP) if forth
                                                  else (chain.last, chain.first, FIRST_IP))
    # -D returns before the server listens.
    receiver.command("/usr/bin/iperf3 -s -1 -D; n=0; until netstat -ltn | grep -q ':5201 ' || [ $((n += 1)) -gt 500 ]; do usleep 20000; done")
    bytes_before = counter(receiver, interface, "rx_bytes")
    sender.command(f"/usr/bin/iperf3 -c {target} -t {math.ceil(seconds + 0.6)} {'-Z ' if sendfile else ''}-J >/tmp/iperf3.json & true")
    # On a busy machine iperf3 takes its time to start; its clock runs from the first byte, and so does ours.
    end = time.monotonic() + 20
    while counter(receiver, interface, "rx_bytes") < bytes_before + 100_000 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.3)
    count, before = counter(receiver, interface, "rx_bytes"), Sample.take(chain)
    time.sleep(seconds)
    count_after, after = counter(receiver, interface, "rx_bytes"), Sample.take(chain)
    text = sender.command("wait; cat /tmp/iperf3.json", seconds + 60)
    end = json.loads(text[text.index("{"):])
    if "sum_received" not in end.get("end", {}):
        raise RuntimeError(f"{chain.path}: iperf3: {end.get('error', text[-300:])}")
    payload = end["end"]["sum_received"]["bytes"] / (counter(receiver, interface, "rx_bytes") - bytes_before)
    moved = (count_after - count) * payload
    if moved < 1e5 * seconds:
        raise RuntimeError(f"{chain.path}: TCP stood still in the middle of the run: {moved:.0f} bytes in {seconds} s")
    figures = costs(chain, before, after, moved / 1024, "KB", "CPU s/GB", moved / 1e9)
    figures["all insn/KB"] = sum(value for name, value in figures.items() if name.endswith("insn/KB"))
    return figures | {"Mbit/s": moved * 8e-6 / (after.time - before.time)}
