# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic generators: TCP streams, checksummed files, packet floods."""
import dataclasses
import json
import re
import time

from .guests import MIRROR_IP, ORIGIN_IP, Guest, Pair
from .patience import Deadline


@dataclasses.dataclass
class Stream:
    mbit_per_second: float
    bytes_received: int
    retransmits: int


def tcp_stream(sender: Guest, receiver: Guest, receiver_ip: str, seconds: int = 3, streams: int = 1,
               cpu: int | None = None) -> Stream:
    start_server(receiver, "-1")
    text = sender.command(f"/usr/bin/iperf3 -c {receiver_ip} -t {seconds} -P {streams} {'' if cpu is None else f'-A {cpu}'} -J", seconds + 60)
    end = json.loads(text[text.index("{"):])["end"]
    return Stream(end["sum_received"]["bits_per_second"] / 1e6, end["sum_received"]["bytes"],
                  end["sum_sent"].get("retransmits", 0))


def flowing_stream(sender: Guest, receiver: Guest, receiver_ip: str, least: float, streams: int = 1,
                   cpu: int | None = None) -> Stream:
    """Returns the first of four streams above `least` Mbit/s, else the last: one may hit a busy moment. A link that
    lives on timeouts reaches 3."""
    for _ in range(4):
        stream = tcp_stream(sender, receiver, receiver_ip, 3, streams, cpu)
        if stream.mbit_per_second > least:
            break
    return stream


def start_server(guest: Guest, options: str = "") -> None:
    guest.command(f"/usr/bin/iperf3 -s -D {options}")
    # -D returns before the server listens.
    guest.wait_until("netstat -ltn | grep -q ':5201 '", 10)


def start_client(guest: Guest, target: str, name: str, options: str = "") -> None:
    """Starts iperf3 in the background and waits until it is connected; output in /tmp/NAME, its process in /tmp/NAME.pid. Retries
    while the server is busy with the client before. The output appears after the first interval (-i)."""
    alive = f"kill -0 $(cat /tmp/{name}.pid) 2>/dev/null"
    guest.wait_until(f"(exec /usr/bin/iperf3 --forceflush {options} -c {target} >/tmp/{name} 2>&1 & echo $! >/tmp/{name}.pid); "
                     f"until grep -q 'connected to' /tmp/{name} || ! {alive}; do usleep 100000; done; {alive}")


def transfer_file(source: Guest, target: Guest, target_ip: str, megabytes: int = 24) -> tuple[str, str]:
    """Sends random bytes over TCP; returns the SHA-256 of both sides."""
    # nc, because Debian's static busybox crashes in wget's name lookup. It hangs up when its input ends, so that must last.
    target.command("rm -f /tmp/received; tail -f /dev/null | nc -l -p 5001 >/tmp/received & true")
    target.wait_until("netstat -ltn | grep -q ':5001 '", 10)
    source.command(f"dd if=/dev/urandom of=/tmp/sent bs=1M count={megabytes} 2>/dev/null", 120)
    source.command(f"nc {target_ip} 5001 </tmp/sent", 120)
    target.wait_until("! pidof nc", 60)
    target.command("killall tail; wait")
    here = source.command("sha256sum </tmp/sent; rm /tmp/sent", 60).split()[0]
    there = target.command("sha256sum </tmp/received; stat -c %s /tmp/received; rm /tmp/received", 60).split()
    if int(there[2]) != megabytes << 20:
        raise AssertionError(f"{there[2]} bytes arrived, not {megabytes << 20}")
    return here, there[0]


def start_flood(guest: Guest, target: str) -> None:
    """Starts ping -f in the background, until stop_floods(); ends earlier ones."""
    stop_floods(guest)
    # In a shell of its own: nobody waits for it
    guest.command(f"(/usr/bin/ping -f -q {target} >/dev/null 2>&1 &)")


def flood_both_ways(pair: Pair) -> None:
    start_flood(pair.origin, MIRROR_IP)
    start_flood(pair.mirror, ORIGIN_IP)


def stop_floods(*those: Guest) -> None:
    for guest in those:
        guest.command("killall ping 2>/dev/null; :")


def wait_flow(*those: Guest, least: int = 20) -> None:
    """Waits until each guest has got `least` more answers: traffic flows now."""
    for guest, before in [(guest, guest.icmp("InEchoReps")) for guest in those]:
        end = Deadline(30)
        while (now := guest.icmp("InEchoReps")) < before + least:
            assert not end.over, f"{guest.name}: {now - before} answers to a flood in 30 s"
            time.sleep(0.05)


class SteadyPing:
    """Sends echo requests at a steady rate until stop(). The kernel counts the answers, so late ones count."""

    def __init__(self, guest: Guest, target: str, interval: float = 0.02):
        self.guest = guest
        self.before = guest.icmp("OutEchos"), guest.icmp("InEchoReps")
        # The subshell: others on this console wait for their children.
        guest.command(f"(exec /usr/bin/ping -q -n -i {interval} {target} >/tmp/steady-ping 2>&1 & echo $! >/tmp/steady-ping.pid)")

    def counts(self) -> tuple[int, int]:
        """Requests and answers so far, read in this order: the difference includes what is in flight."""
        return self.guest.icmp("OutEchos") - self.before[0], self.guest.icmp("InEchoReps") - self.before[1]

    def stop(self, timeout: float = 10) -> tuple[int, int]:
        self.guest.command("kill -INT $(cat /tmp/steady-ping.pid)")
        self.guest.wait_until("! kill -0 $(cat /tmp/steady-ping.pid) 2>/dev/null", 10)
        end = Deadline(timeout)
        while True:
            sent, answered = self.counts()
            if sent == answered or end.over:
                return sent, answered
            time.sleep(0.2)


def rx_packets(guest: Guest, interface: str) -> int:
    return int(guest.command(f"cat /sys/class/net/{interface}/statistics/rx_packets"))


@dataclasses.dataclass
class Flood:
    sent: int
    received: int
    seconds: float


def set_up_pktgen(guest: Guest, interface: str, *settings: str) -> None:
    """Sets up the kernel's packet generator; give its frames a destination that nobody has, or they are answered."""
    guest.command(f"cd /proc/net/pktgen && echo rem_device_all >kpktgend_0 && echo 'add_device {interface}' >kpktgend_0 && "
                  + " && ".join(f"echo '{setting}' >{interface}" for setting in settings) + " && cd /")


def pktgen_sent(guest: Guest, interface: str) -> int:
    return int(re.search(r"pkts-sofar: (\d+)", guest.command(f"cat /proc/net/pktgen/{interface}")).group(1))


class PacketFlood:
    """Sends frames to a MAC address that nobody has, so the receiver drops them right after its driver. At full speed until
    stop(), or one each `delay` nanoseconds (late ones catch up), or a given number with burst()."""

    def __init__(self, pair: Pair, size: int, delay: int = 0):
        # pktgen's size has no checksum: 60 is a 64-byte frame.
        self.pair = pair
        self.sender = pair.origin.wait_interface(ORIGIN_IP)
        self.receiver = pair.mirror.wait_interface(MIRROR_IP)
        pair.mirror.command(f"/usr/sbin/ip link set {self.receiver} promisc on")
        set_up_pktgen(pair.origin, self.sender, "count 0", "clone_skb 0", f"pkt_size {size - 4}", f"delay {delay}", "dst 10.0.0.99",
                      "dst_mac 02:00:00:00:99:99")

    def burst(self, frames: int) -> None:
        """Sends that many and waits until all have arrived."""
        self.before = rx_packets(self.pair.mirror, self.receiver)
        self.pair.origin.command(f"echo 'count {frames}' > /proc/net/pktgen/{self.sender}; echo start > /proc/net/pktgen/pgctrl")
        self.wait(frames)

    def start(self) -> None:
        self.before = rx_packets(self.pair.mirror, self.receiver)
        self.started = time.monotonic()
        self.pair.origin.command("echo start > /proc/net/pktgen/pgctrl & true")

    def wait(self, frames: int) -> None:
        """Waits until that many have arrived since the start."""
        self.pair.mirror.wait_until(
            f'[ "$(cat /sys/class/net/{self.receiver}/statistics/rx_packets)" -ge {self.before + frames} ]', 60)

    def stop(self) -> Flood:
        self.pair.origin.command("echo stop > /proc/net/pktgen/pgctrl; wait", 30)
        seconds = time.monotonic() - self.started
        sent = pktgen_sent(self.pair.origin, self.sender)
        # What is still in the ring arrives when the receiver gets round to it.
        end = Deadline(2)
        while (received := rx_packets(self.pair.mirror, self.receiver) - self.before) < sent and not end.over:
            time.sleep(0.1)
        return Flood(sent, received, seconds)
