# SPDX-License-Identifier: GPL-2.0-or-later
"""The mirror's interface under everything that is stacked on one, and asked what virtio_net is asked. One origin with two devices,
so that both ends can bond them."""
import re

import pytest

from lab import guests, process, traffic
from lab.guests import MIRROR_IP, ORIGIN_IP, Guest
from lab.patience import wait_for

IP = "/usr/sbin/ip"
ETHTOOL = "/usr/sbin/ethtool"
BOND_MODES = ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"]
TEAM_MODES = ["activebackup", "roundrobin", "broadcast"]
OTHER_MAC = "52:54:00:00:00:05"
# In a network of their own: what vp-net gave to the interfaces below is out of the way
UPPER_ORIGIN, UPPER_MIRROR = "10.9.0.1", "10.9.0.2"
# Those that are stacked on others first; loading the module makes a bond0
UPPER = ["v20", "v10", "mv0", "br0", "bond1", "team0", "bond0"]


class Twice:
    """Mirror and origin with two links between them."""

    def __init__(self, run: process.RunDir):
        self.mirror = guests.start_mirror(run)
        self.mirror.wait_ready()
        self.origin = guests.start_origin(run, extra=guests.client_arguments(
            run / "vhost-pci.sock", OTHER_MAC, chardev="vp-client2"))
        self.origin.wait_ready()
        # All that vp-net will ever do
        self.origin.wait_interface("10.0.1.1")
        self.mirror.wait_interface("10.0.1.2")
        wait_for("both links", lambda: len([peer for peer in self._peers() if peer["link"]]) == 2)
        # Which of them connects first is not decided: the device tells
        ends = {peer["origin-mac"]: peer["mac"] for peer in self._peers()}
        ports = {address_of(self.mirror, port): port for port in self.mirror.interfaces()}
        self._ports = {self.origin: sorted(self.origin.interfaces())}
        self._ports[self.mirror] = [ports[ends[address_of(self.origin, port)]] for port in self._ports[self.origin]]
        self._addresses = {self.mirror: (MIRROR_IP, "10.0.1.2"), self.origin: (ORIGIN_IP, "10.0.1.1")}
        for guest in self.both:
            for module in ("bonding", "8021q", "macvlan", "bridge"):
                guest.load(module)
        self.clear()

    def _peers(self) -> list[dict]:
        return self.mirror.qmp.execute("query-vhost-pci")["servers"][0]["peers"]

    @property
    def both(self) -> tuple[Guest, Guest]:
        return self.mirror, self.origin

    def ports(self, guest: Guest) -> list[str]:
        """Both interfaces of a guest, in the order of the links."""
        return self._ports[guest]

    def clear(self) -> None:
        """As after the boot, whatever is stacked on them."""
        for guest in self.both:
            for upper in UPPER:
                guest.command(f"[ ! -e /sys/class/net/{upper} ] || {IP} link del {upper}")
            for port, address in zip(self._ports[guest], self._addresses[guest]):
                guest.command(f"{IP} link set {port} up; {IP} addr flush dev {port}; {IP} addr add {address}/24 dev {port}")
        for guest in self.both:
            for port in self._ports[guest]:
                guest.wait_until(f"[ $(cat /sys/class/net/{port}/carrier) = 1 ]")


@pytest.fixture(scope="module")
def twice(run: process.RunDir):
    return Twice(run)


@pytest.fixture(autouse=True)
def clean(twice: Twice):
    yield
    twice.clear()
    for vm in twice.both:
        assert vm.qemu.running, vm.qemu.output()[-2000:]
        assert vm.complaints() == [], f"kernel of the {vm.name}"


def assert_upper_works(twice: Twice, size: int = 1400) -> None:
    for sender, target in ((twice.mirror, UPPER_ORIGIN), (twice.origin, UPPER_MIRROR)):
        sender.wait_answer(target)
        ping = sender.ping(target, 20, 0.02, size)
        assert ping.lossless, f"{sender.name} to {target}: {ping}"


def set_up(guest: Guest, upper: str, address: str) -> None:
    guest.command(f"{IP} addr add {address}/24 dev {upper}; {IP} link set {upper} up")


def address_of(guest: Guest, interface: str) -> str:
    return guest.command(f"cat /sys/class/net/{interface}/address")


def test_the_address_changes_while_traffic_flows(twice: Twice):
    """As DHCP clients, VRRP and bonds do it; the origin learns of it from the answers."""
    port = twice.ports(twice.mirror)[0]
    own = address_of(twice.mirror, port)
    ping = traffic.SteadyPing(twice.mirror, ORIGIN_IP)
    for number in range(4):
        new = f"52:54:00:aa:00:{number:02x}"
        twice.mirror.command(f"{IP} link set {port} address {new}")
        assert address_of(twice.mirror, port) == new
        # The origin's neighbour entry is corrected by what we ask it
        twice.mirror.command(f"{IP} neigh flush dev {port}")
        twice.mirror.wait_answer(ORIGIN_IP)
        assert new in twice.origin.command(f"{IP} neigh show {MIRROR_IP}")
    sent, answered = ping.stop()
    assert answered >= 1 and sent >= answered
    for wrong in ("01:00:5e:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"):
        assert twice.mirror.run(f"{IP} link set {port} address {wrong}").status != 0, wrong
    twice.mirror.command(f"{IP} link set {port} down; {IP} link set {port} address {own}; {IP} link set {port} up")
    assert address_of(twice.mirror, port) == own
    twice.mirror.wait_answer(ORIGIN_IP)


def test_groups_and_addresses_can_be_added(twice: Twice):
    """By hand and by who is stacked on it; nobody becomes promiscuous for it."""
    port = twice.ports(twice.mirror)[0]
    twice.mirror.command(f"{IP} maddr add 01:00:5e:01:02:03 dev {port}")
    assert "01:00:5e:01:02:03" in twice.mirror.command(f"{IP} maddr show dev {port}")
    twice.mirror.command(f"{IP} maddr del 01:00:5e:01:02:03 dev {port}")
    for setting in ("promisc", "allmulticast"):
        twice.mirror.command(f"{IP} link set {port} {setting} on; {IP} link set {port} {setting} off")
    twice.mirror.command(f"{IP} link add link {port} name mv0 type macvlan mode bridge; {IP} link set mv0 up")
    assert "PROMISC" not in twice.mirror.command(f"{IP} link show {port}")
    twice.mirror.command(f"{IP} link del mv0")


def test_ethtool_answers(twice: Twice):
    port = twice.ports(twice.mirror)[0]
    text = twice.mirror.command(f"{ETHTOOL} {port}")
    assert "Speed: 10000Mb/s" in text and "Duplex: Full" in text and "Link detected: yes" in text
    twice.mirror.command(f"{ETHTOOL} -s {port} speed 25000 duplex full")
    assert "Speed: 25000Mb/s" in twice.mirror.command(f"{ETHTOOL} {port}")
    assert twice.mirror.run(f"{ETHTOOL} -s {port} autoneg on").status != 0
    twice.mirror.command(f"{ETHTOOL} -s {port} speed 10000 duplex full")
    assert re.match(r"1 RX rings available", twice.mirror.command(f"{ETHTOOL} -n {port} 2>/dev/null; :"))
    features = twice.mirror.command(f"{ETHTOOL} -k {port}")
    for feature in ("tx-checksum-ip-generic", "tx-tcp-segmentation", "tx-tcp6-segmentation", "scatter-gather", "tx-gso-robust"):
        assert f"{feature}: on" in features.replace("\t", ""), features


def make_bond(guest: Guest, mode: str, ports: list[str]) -> None:
    guest.command(f"{IP} link add bond1 type bond mode {mode} miimon 100" + (" lacp_rate fast" if mode == "802.3ad" else ""))
    for port in ports:
        # As ifenslave does it: down, in, and the bond sets it up
        guest.command(f"{IP} link set {port} down; {IP} link set {port} master bond1")


def make_switch(guest: Guest, ports: list[str]) -> None:
    guest.command(f"{IP} link add br0 type bridge forward_delay 0")
    for port in ports:
        guest.command(f"{IP} link set {port} master br0")


@pytest.mark.parametrize("mode", BOND_MODES)
def test_bond(twice: Twice, mode: str):
    """At the other end is a bond in the same mode, or a switch where the mode wants one. virtio_net has no speed until somebody
    says so, without which 802.3ad does not use it."""
    before = [address_of(twice.mirror, port) for port in twice.ports(twice.mirror)]
    ports = twice.ports(twice.origin)
    switch = mode in ("active-backup", "balance-tlb", "balance-alb")
    if switch:
        make_switch(twice.origin, ports)
    else:
        for port in ports:
            twice.origin.command(f"{ETHTOOL} -s {port} speed 10000 duplex full")
        make_bond(twice.origin, mode, ports)
    make_bond(twice.mirror, mode, twice.ports(twice.mirror))
    set_up(twice.origin, "br0" if switch else "bond1", UPPER_ORIGIN)
    set_up(twice.mirror, "bond1", UPPER_MIRROR)
    twice.mirror.wait_until("[ $(grep -c 'MII Status: up' /proc/net/bonding/bond1) = 3 ]")
    if mode == "802.3ad":
        # One aggregator for both links, and each end and its partner collect and distribute on both
        for guest in twice.both:
            guest.wait_until("grep -q 'Number of ports: 2' /proc/net/bonding/bond1 && "
                             "[ $(grep -c 'port state: 63' /proc/net/bonding/bond1) = 4 ]", 60)
    # The broadcast mode delivers each packet twice, to both ends' echo
    if mode == "broadcast":
        for sender, target in ((twice.mirror, UPPER_ORIGIN), (twice.origin, UPPER_MIRROR)):
            sender.wait_answer(target)
    else:
        assert_upper_works(twice)
    twice.clear()
    assert [address_of(twice.mirror, port) for port in twice.ports(twice.mirror)] == before


def test_bond_takes_an_interface_that_is_up(twice: Twice):
    """What a bond in the mode balance-alb asks of its ports, and no other does."""
    port = twice.ports(twice.mirror)[0]
    twice.mirror.command(f"{IP} link add bond1 type bond mode balance-alb miimon 100; {IP} link set bond1 up")
    twice.mirror.command(f"{IP} link set {port} down; {IP} link set {port} master bond1")
    twice.mirror.command(f"{IP} link set bond1 address 52:54:00:bb:00:01")
    assert address_of(twice.mirror, port) == "52:54:00:bb:00:01"


def test_vlan_and_qinq(twice: Twice):
    for guest, address in zip(twice.both, (UPPER_MIRROR, UPPER_ORIGIN)):
        port = twice.ports(guest)[0]
        guest.command(f"{IP} link add link {port} name v10 type vlan id 10; {IP} link set v10 up; "
                      f"{IP} link add link v10 name v20 type vlan id 20")
        set_up(guest, "v20", address)
    assert_upper_works(twice)
    sent, received = traffic.transfer_file(twice.mirror, twice.origin, UPPER_ORIGIN, 4)
    assert sent == received


def test_macvlan(twice: Twice):
    port = twice.ports(twice.mirror)[0]
    twice.mirror.command(f"{IP} link add link {port} name mv0 type macvlan mode bridge")
    set_up(twice.mirror, "mv0", UPPER_MIRROR)
    twice.origin.command(f"{IP} addr add {UPPER_ORIGIN}/24 dev {twice.ports(twice.origin)[0]}")
    assert_upper_works(twice)


def test_bridge_with_vlan_filtering(twice: Twice):
    port = twice.ports(twice.mirror)[0]
    twice.mirror.command(f"{IP} link add br0 type bridge forward_delay 0 vlan_filtering 1; {IP} link set {port} master br0")
    # The cost that belongs to its speed, where an unknown one counts as slow
    cost = int(twice.mirror.command(f"cat /sys/class/net/{port}/brport/path_cost"))
    assert cost == 2
    set_up(twice.mirror, "br0", UPPER_MIRROR)
    twice.origin.command(f"{IP} addr add {UPPER_ORIGIN}/24 dev {twice.ports(twice.origin)[0]}")
    assert_upper_works(twice)


@pytest.mark.parametrize("mode", TEAM_MODES)
def test_team(twice: Twice, mode: str):
    if twice.mirror.run("[ -x /usr/bin/teamnl ]").status:
        pytest.skip("no teamnl in the guests: install libteam-utils and build the initramfs again")
    twice.mirror.load(f"team_mode_{mode}")
    port = twice.ports(twice.mirror)[0]
    twice.mirror.command(f"{IP} link add team0 type team; /usr/bin/teamnl team0 setoption mode {mode}")
    twice.mirror.command(f"{IP} link set {port} down; {IP} link set {port} master team0; {IP} link set {port} up")
    if mode == "activebackup":
        index = twice.mirror.command(f"cat /sys/class/net/{port}/ifindex")
        # A daemon would give all the same address; the other modes do it by themselves
        twice.mirror.command(f"/usr/bin/teamnl team0 setoption activeport {index}; "
                             f"{IP} link set team0 address {address_of(twice.mirror, port)}")
    set_up(twice.mirror, "team0", UPPER_MIRROR)
    twice.mirror.wait_until("[ $(cat /sys/class/net/team0/carrier) = 1 ]")
    twice.origin.command(f"{IP} addr add {UPPER_ORIGIN}/24 dev {twice.ports(twice.origin)[0]}")
    assert_upper_works(twice)
