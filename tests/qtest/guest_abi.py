# SPDX-License-Identifier: GPL-2.0-or-later
"""interop/vhost_pci_guest_abi.h, as Python reads it."""
import dataclasses
import struct

VIRTIO_ID = 63
CONFIG_VERSION = 1
LINK_UP = 1
RING_ENABLED = 1
DOORBELL_STRIDE = 4
ACK_OFFSET = 8
RING_COUNT_OFFSET = 0x30
ACCEPT_OFFSET = 0x40
DRIVER_OFFSET = 0x48
DRIVER_DOWN = 1
RING_SIZE = 32
_HEAD = struct.Struct("<IIII6sH6sHQQHHIQQII")
_RING = struct.Struct("<QQQII")


@dataclasses.dataclass
class Ring:
    desc: int
    avail: int
    used: int
    size: int
    flags: int


@dataclasses.dataclass
class Config:
    version: int
    epoch: int
    ack: int
    link: int
    mac: bytes
    mtu: int
    origin_mac: bytes
    queue_pairs: int
    features: int
    window_size: int
    window_base: int
    accept: int
    driver: int
    announce: int
    rings: list[Ring]

    @property
    def up(self) -> bool:
        return bool(self.link & LINK_UP)


HEAD_SIZE = _HEAD.size


def parse(data: bytes) -> Config:
    (version, epoch, ack, link, mac, mtu, origin_mac, pairs, features, window, count, entry, offset,
     base, accept, driver, announce) = _HEAD.unpack_from(data)
    rings = [Ring(*_RING.unpack_from(data, offset + i * entry)) for i in range(count)]
    return Config(version, epoch, ack, link, mac, mtu, origin_mac, pairs, features, window, base, accept, driver,
                  announce, rings)
