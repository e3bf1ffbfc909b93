# SPDX-License-Identifier: GPL-2.0-or-later
"""The mirror VM of these tests: Linux with our driver, and two servers as their users would set them up."""
import pathlib

from lab import guests
from lab.guests import MIRROR_IP, Guest
from lab.patience import wait_for
from lab.process import RunDir

# What the server of each kind of front-end needs besides its defaults; the reasons are in the interop matrix.
SEALED, UNSEALED = "sealed", "unsealed"
SERVER_OPTIONS = {SEALED: "", UNSEALED: ",allow-unsealed=on,slot-size=8G"}
# The next test wants to see the last one's devices gone.
UNPLUG_AT_ONCE = ",unplug-delay=0"


class Mirror:
    def __init__(self, run: RunDir):
        self.sockets: dict[str, pathlib.Path] = {}
        argv = guests.base_arguments(run, "mirror", "mirror", MIRROR_IP, "q35")
        for name, options in SERVER_OPTIONS.items():
            self.sockets[name] = run / f"{name}.sock"
            argv += ["-chardev", f"socket,id={name},server=on,wait=off,connections=4,path={self.sockets[name]}",
                     "-vhost-pci-server", f"socket,chardev={name},id=server-{name}{options}{UNPLUG_AT_ONCE}"]
        self.vm = Guest("mirror", argv, run)

    def servers(self) -> list[dict]:
        return self.vm.qmp.execute("query-vhost-pci")["servers"]

    def peers(self) -> list[dict]:
        return [peer for server in self.servers() for peer in server["peers"]]

    def refused(self) -> int:
        return sum(server["refused"] for server in self.servers())

    def wait_alone(self) -> None:
        wait_for("the devices to go", lambda: not self.peers(), 30)
        wait_for("their interfaces to go", lambda: not self.vm.interfaces(), 10)

    def wait_link(self, pid: int) -> dict:
        """The peer that is this process, when its link is up and the guest's driver uses it."""
        def linked() -> dict | None:
            return next((p for p in self.peers() if p["pid"] == pid and p["link"] and p["driver-ok"]), None)

        peer = wait_for("the link", linked, 40)
        self.vm.wait_interface(MIRROR_IP)
        return peer

    def interface(self) -> str:
        return self.vm.wait_interface(MIRROR_IP)

    def counter(self, name: str) -> int:
        return int(self.vm.command(f"cat /sys/class/net/{self.interface()}/statistics/{name}"))

    def flood(self, packets: int, size: int, mac: str) -> None:
        """Sends with the guest's kernel pktgen and waits for its end."""
        name = self.interface()
        settings = (f"count {packets}", "clone_skb 0", f"pkt_size {size - 4}", "delay 0", "dst 10.0.0.1", f"dst_mac {mac}")
        self.vm.command("cd /proc/net/pktgen; echo rem_device_all > kpktgend_0; "
                        f"echo 'add_device {name}' > kpktgend_0; "
                        + "; ".join(f"echo '{setting}' > {name}" for setting in settings) + "; echo start > pgctrl", 120)
