# SPDX-License-Identifier: GPL-2.0-or-later
"""Forwarding in the mirror's driver: XDP with every verdict, tc offload. One mirror and two origins, booted once."""
import re
import time

import pytest

from lab import guests, process, traffic, xdp

THIRD_IP = "10.0.0.3"
NOBODY = "10.0.0.99"


class Chain:
    """Two origins, and the mirror between them."""

    def __init__(self, run: process.RunDir):
        self.run = run
        self.mirror = guests.start_mirror(run, memory_mb=256)
        self.mirror.wait_ready()
        self.origin = guests.start_origin(run, memory_mb=256)
        self.origin.wait_ready()
        self.near = self.mirror.wait_interface(guests.MIRROR_IP)
        self.third = guests.start_origin(run, name="third", mac="52:54:00:00:00:03", address=THIRD_IP, memory_mb=256)
        self.third.wait_ready()
        self.far = self.mirror.wait_interface("10.0.1.2")
        xdp.install(self.mirror, run)

    @property
    def all(self) -> tuple[guests.Guest, ...]:
        return (self.mirror, self.origin) + ((self.third,) if self.third else ())

    def offload(self, source: str, target: str) -> None:
        """All frames from one to the other by a tc filter in the driver."""
        self.mirror.command(f"/usr/sbin/ethtool -K {source} hw-tc-offload on; /usr/sbin/tc qdisc add dev {source} ingress; "
                            f"/usr/sbin/tc filter add dev {source} ingress matchall skip_sw action mirred egress redirect dev {target}")
        assert "in_hw" in self.filters(source)

    def filters(self, source: str) -> str:
        return self.mirror.command(f"/usr/sbin/tc -s filter show dev {source} ingress")

    def no_offload(self) -> None:
        for interface in (self.near, self.far):
            self.mirror.run(f"/usr/sbin/tc qdisc del dev {interface} ingress; /usr/sbin/ethtool -K {interface} hw-tc-offload off")

    def attach(self, interface: str, program: str, other: str = "") -> None:
        xdp.attach(self.mirror, interface, program, other)

    def detach(self) -> None:
        xdp.detach(self.mirror)

    def count(self, interface: str, counter: str) -> int:
        text = self.mirror.command(f"/usr/sbin/ethtool -S {interface}")
        return sum(int(value) for value in re.findall(rf"origin\d+_tx_{counter}: (\d+)", text))


@pytest.fixture(scope="module")
def chain(run: process.RunDir):
    return Chain(run)


@pytest.fixture(autouse=True)
def clean(chain: Chain):
    yield
    chain.no_offload()
    chain.detach()
    for vm in chain.all:
        assert vm.qemu.running, vm.qemu.output()[-2000:]
        assert vm.complaints() == [], f"kernel of the {vm.name}"


@pytest.mark.parametrize("size", (56, 1400))
def test_frames_go_back_to_where_they_came_from(chain: Chain, size: int):
    mac = chain.mirror.command(f"cat /sys/class/net/{chain.near}/address")
    own = chain.origin.wait_interface(guests.ORIGIN_IP)
    chain.origin.command(f"/usr/sbin/ip neigh replace {NOBODY} lladdr {mac} dev {own}")
    assert chain.origin.ping(NOBODY, 1).average_ms is None, "somebody answers without the program"
    before = chain.count(chain.near, "xdp_tx")
    chain.attach(chain.near, "echo")
    ping = chain.origin.ping(NOBODY, 50, 0.02, size)
    assert ping.lossless, str(ping)
    assert chain.count(chain.near, "xdp_tx") - before == 50


def test_dropped_frames_do_not_arrive(chain: Chain):
    chain.attach(chain.near, "drop")
    before = chain.count(chain.near, "xdp_drops")
    assert chain.origin.ping(guests.MIRROR_IP, 3, 0.1).average_ms is None
    assert chain.count(chain.near, "xdp_drops") - before >= 3
    chain.detach()
    # The origin has given up its neighbour meanwhile, and may take a packet to notice that it is back.
    chain.origin.wait_answer(guests.MIRROR_IP)
    assert chain.origin.ping(guests.MIRROR_IP, 20).lossless


def test_passed_frames_arrive_whole_also_with_offloads(chain: Chain):
    chain.attach(chain.near, "pass")
    assert chain.origin.ping(guests.MIRROR_IP, 20).lossless
    sent, received = traffic.transfer_file(chain.origin, chain.mirror, guests.MIRROR_IP, 8)
    assert sent == received


def test_the_mirror_forwards_between_two_origins(chain: Chain):
    chain.attach(chain.near, "redirect", chain.far)
    chain.attach(chain.far, "redirect", chain.near)
    before = [chain.count(interface, "xdp_redirects") for interface in (chain.near, chain.far)]
    for size in (56, 1472):
        ping = chain.origin.ping(THIRD_IP, 50, 0.02, size)
        assert ping.lossless, str(ping)
    for interface, count in zip((chain.near, chain.far), before):
        assert chain.count(interface, "xdp_redirects") - count >= 100
    sent, received = traffic.transfer_file(chain.origin, chain.third, THIRD_IP, 8)
    assert sent == received


def send_many(chain: Chain) -> int:
    """Twenty thousand frames in bursts, to a MAC address that is nobody's, from the origin. How many it sent."""
    sender = chain.origin.wait_interface(guests.ORIGIN_IP)
    traffic.set_up_pktgen(chain.origin, sender, "count 20000", "clone_skb 1000", "burst 64", "pkt_size 60", "delay 0", f"dst {NOBODY}",
                          "dst_mac 02:00:00:00:99:99")
    chain.origin.command("echo start >/proc/net/pktgen/pgctrl")
    return traffic.pktgen_sent(chain.origin, sender)


def flood(chain: Chain) -> tuple[int, int]:
    """Sent by one origin, and received by the other."""
    receiver = chain.third.wait_interface(THIRD_IP)
    before = traffic.rx_packets(chain.third, receiver)
    sent, received, quiet = send_many(chain), 0, 0
    # A busy machine may make a pause in the midst of it.
    while received < sent and quiet < 8:
        now = traffic.rx_packets(chain.third, receiver) - before
        quiet = quiet + 1 if now == received else 0
        received = now
        time.sleep(0.25)
    return sent, received


def test_a_slow_receiver_is_waited_for(chain: Chain):
    chain.third.command(f"/usr/sbin/ip link set {chain.third.wait_interface(THIRD_IP)} promisc on")
    chain.attach(chain.near, "redirect", chain.far)
    chain.attach(chain.far, "redirect", chain.near)
    # Without waiting a fifth and more is lost. A receiver that gets no processor for long is not waited for, so a busy machine gets several tries.
    floods = []
    for _ in range(20):
        before = chain.count(chain.near, "holds")
        sent, received = flood(chain)
        assert sent >= 20000
        floods.append((sent, received, chain.count(chain.near, "holds") - before))
        print(floods[-1])
        if received >= sent * 0.98 and floods[-1][2]:
            return
    pytest.fail(f"sent, received, rounds that waited: {floods}")


def test_a_receiver_that_takes_nothing_holds_up_nobody_for_long(chain: Chain):
    far = chain.third.wait_interface(THIRD_IP)
    chain.attach(chain.near, "redirect", chain.far)
    chain.attach(chain.far, "redirect", chain.near)
    chain.third.command(f"/usr/sbin/ip link set {far} down")
    try:
        before = chain.count(chain.near, "xdp_redirects")
        # Ends although the receiver's ring is full: what is for it is dropped then.
        assert send_many(chain) >= 20000
        chain.mirror.wait_until(f"[ $(/usr/sbin/ethtool -S {chain.near} | sed -n 's/.*origin0_tx_xdp_redirects: //p') -ge {before + 20000} ]", 60)
    finally:
        chain.third.command(f"/usr/sbin/ip link set {far} up; /usr/sbin/ip addr replace {THIRD_IP}/24 dev {far}")
    chain.origin.wait_answer(THIRD_IP)
    assert chain.origin.ping(THIRD_IP, 50, 0.02).lossless


def test_a_program_may_come_and_go_under_load(chain: Chain):
    ping = traffic.SteadyPing(chain.origin, guests.MIRROR_IP, 0.002)
    for _ in range(10):
        chain.attach(chain.near, "pass")
        chain.detach()
    sent, answered = ping.stop()
    assert sent > 10 and sent == answered, f"{answered} of {sent}"


def test_tc_redirects_in_the_driver(chain: Chain):
    chain.offload(chain.near, chain.far)
    chain.offload(chain.far, chain.near)
    for size in (56, 1472):
        ping = chain.origin.ping(THIRD_IP, 50, 0.02, size)
        assert ping.lossless, str(ping)
    # With offloads: frames of 64 KB, whose checksums are nobody's yet.
    sent, received = traffic.transfer_file(chain.origin, chain.third, THIRD_IP, 8)
    assert sent == received
    for interface in (chain.near, chain.far):
        assert int(re.search(r"Sent hardware \d+ bytes (\d+) pkt", chain.filters(interface)).group(1)) >= 100
    # tc believes that the filter is here. The second command takes the refused wish back, which the kernel keeps.
    assert chain.mirror.run(f"/usr/sbin/ethtool -K {chain.near} hw-tc-offload off").status != 0
    chain.mirror.command(f"/usr/sbin/ethtool -K {chain.near} hw-tc-offload on")
    chain.no_offload()
    assert "hw-tc-offload: off" in chain.mirror.command(f"/usr/sbin/ethtool -k {chain.near}")
    chain.origin.wait_answer(guests.MIRROR_IP)
    assert chain.origin.ping(guests.MIRROR_IP, 20).lossless


def test_tc_waits_for_a_slow_receiver(chain: Chain):
    chain.third.command(f"/usr/sbin/ip link set {chain.third.wait_interface(THIRD_IP)} promisc on")
    chain.offload(chain.near, chain.far)
    sent, received = flood(chain)
    # Somebody may have asked for a neighbour meanwhile.
    assert received >= sent


@pytest.mark.parametrize("refused", ("protocol ip matchall skip_sw action mirred egress redirect dev {far}",
                                     "matchall skip_sw action mirred egress mirror dev {far}",
                                     "matchall skip_sw action drop",
                                     "chain 1 matchall skip_sw action mirred egress redirect dev {far}"))
def test_tc_refuses_what_the_driver_does_not_do(chain: Chain, refused: str):
    chain.mirror.command(f"/usr/sbin/ethtool -K {chain.near} hw-tc-offload on; /usr/sbin/tc qdisc add dev {chain.near} ingress")
    assert chain.mirror.run(f"/usr/sbin/tc filter add dev {chain.near} ingress {refused.format(far=chain.far)}").status != 0


def test_one_tc_filter_only(chain: Chain):
    chain.offload(chain.near, chain.far)
    assert chain.mirror.run(f"/usr/sbin/tc filter add dev {chain.near} ingress matchall skip_sw action mirred egress redirect dev {chain.far}").status != 0
    assert chain.mirror.run(f"/usr/sbin/tc filter add dev {chain.far} ingress matchall skip_sw action mirred egress redirect dev {chain.far}").status != 0


def test_the_target_of_tc_goes_away(chain: Chain):
    """The last one: it takes the third VM away."""
    chain.offload(chain.near, chain.far)
    chain.offload(chain.far, chain.near)
    assert chain.origin.ping(THIRD_IP, 20, 0.02).lossless
    third, chain.third = chain.third, None
    third.stop()
    # Its device goes, although a filter refers to it.
    chain.mirror.wait_until(f"[ ! -e /sys/class/net/{chain.far} ]", 30)
    chain.mirror.command(f"/usr/sbin/tc qdisc del dev {chain.near} ingress")
    chain.origin.wait_answer(guests.MIRROR_IP)
    assert chain.origin.ping(guests.MIRROR_IP, 20).lossless
