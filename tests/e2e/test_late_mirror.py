# SPDX-License-Identifier: GPL-2.0-or-later
"""An origin with reconnect= that starts first, on the other machine type, and outlives its mirror."""
from lab import guests, process
from lab.guests import MIRROR_IP, ORIGIN_IP


def test_the_link_comes_up_when_the_mirror_does_and_again_after_its_death(run: process.RunDir):
    origin = guests.start_origin(run, "pc", chardev_options=",reconnect=1")
    try:
        origin.wait_ready()
        name = origin.wait_until("/usr/sbin/ip -o -4 addr show to 10.0.0.1 | grep .").split()[1]
        # Not readable before the interface is up, which comes after its address; without a mirror it never becomes 1
        origin.wait_until(f'cat /sys/class/net/{name}/carrier', 15)
        assert origin.command(f"cat /sys/class/net/{name}/carrier") == "0", "a link without a mirror"

        for generation in ("mirror-1", "mirror-2"):
            mirror = guests.start_mirror(run, "pc", generation)
            try:
                mirror.wait_ready()
                origin.wait_interface(ORIGIN_IP)
                mirror.wait_interface(MIRROR_IP)
                for sender, target in ((origin, MIRROR_IP), (mirror, ORIGIN_IP)):
                    sender.wait_answer(target)
                    assert sender.ping(target).lossless
                assert mirror.complaints() == []
            finally:
                mirror.kill()
            origin.wait_until(f'[ "$(cat /sys/class/net/{name}/carrier)" = 0 ]', 15)
        assert origin.complaints() == []
    finally:
        origin.stop()
