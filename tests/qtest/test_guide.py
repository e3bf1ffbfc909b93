# SPDX-License-Identifier: GPL-2.0-or-later
"""The command lines of docs/guide/link-your-vms.md, as they stand there: they start, and their links come up."""
import contextlib
import re
import shlex

from tests.lab import paths
from tests.lab.qtest import QTest
from tests.qtest.mirror import MirrorMachine, wait_for
from tests.qtest.origin import Origin

PAGE = (paths.ROOT / "docs/guide/link-your-vms.md").read_text(encoding="utf-8")
COMMANDS = {name: shlex.split(text.replace("\\\n", " ")) for name, text in re.findall(r"```sh (\w+)\n(.*?)```", PAGE, re.DOTALL)}


class Vm(MirrorMachine, Origin):
    """Without a guest and its option ROM, and with the sockets where the test may write; everything else is as on the page."""

    def __init__(self, run, name):
        words = COMMANDS[name]
        assert words[:5] == ["qemu-system-x86_64", "-M", "q35", "-m", "1G"]
        args = [word.replace("/run/", f"{run.path}/").replace("virtio-net-pci,", "virtio-net-pci,romfile=,") for word in words[5:]]
        QTest.__init__(self, run, name, args, machine="q35", memory="1G", shared=False)
        if "-vhost-pci-server" in args:
            self.run_firmware()
        if any("vhost-pci-client" in word for word in args):
            self.set_up_nic()


def check_link(origin: Vm, mirror: Vm) -> None:
    wait_for("the client's link", lambda: origin.client()["link"])
    origin.start_driver()
    mirror.wait_link()


def test_the_page_has_commands():
    assert set(COMMANDS) == {"mirror", "origin", "a", "b", "c"}


def test_two_vms(run):
    with Vm(run, "mirror") as mirror, Vm(run, "origin") as origin:
        check_link(origin, mirror)


def test_a_chain_of_three_vms(run):
    """A comes first: the page says that any order will do."""
    with contextlib.ExitStack() as stack:
        a, b, c = (stack.enter_context(Vm(run, name)) for name in "abc")
        check_link(a, b)
        check_link(b, c)
