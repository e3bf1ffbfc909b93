# SPDX-License-Identifier: GPL-2.0-or-later
"""interop/vhost_pci_guest_abi.h, as Python reads it."""
import dataclasses
import struct

VIRTIO_ID = 63
CONFIG_VERSION = 2
CLASS_NET = 1
LINK_UP = 1
RING_ENABLED = 1
DOORBELL_STRIDE = 4
ACK_OFFSET = 0x08
DRIVER_OFFSET = 0x0c
ACCEPT_OFFSET = 0x10
DRIVER_DOWN = 1
_HEAD = struct.Struct("<IIIIQQQQIHHHHHH")
_NET = struct.Struct("<6sH6sHI")
_RING = struct.Struct("<QQQII")
HEAD_SIZE = _HEAD.size


@dataclasses.dataclass
class Head:
    """struct vhost_pci_config."""
    version: int
    epoch: int
    ack: int
    driver: int
    accept: int
    features: int
    window_base: int
    window_size: int
    link: int
    ring_offset: int
    ring_entry: int
    ring_count: int
    device_class: int
    device_config_offset: int
    device_config_size: int

    @property
    def up(self) -> bool:
        return bool(self.link & LINK_UP)

    @property
    def size(self) -> int:
        """Bytes of the whole configuration."""
        return max(self.ring_offset + self.ring_count * self.ring_entry, self.device_config_offset + self.device_config_size)


@dataclasses.dataclass
class Ring:
    desc: int
    avail: int
    used: int
    size: int
    flags: int


@dataclasses.dataclass
class Config(Head):
    """The header, the part of vhost-pci-net, the ring table."""
    mac: bytes
    mtu: int
    origin_mac: bytes
    queue_pairs: int
    announce: int
    rings: list[Ring]


def parse_head(data: bytes) -> Head:
    return Head(*_HEAD.unpack_from(data))


def parse(data: bytes) -> Config:
    head = parse_head(data)
    assert head.device_class == CLASS_NET and head.device_config_size >= _NET.size
    rings = [Ring(*_RING.unpack_from(data, head.ring_offset + i * head.ring_entry)) for i in range(head.ring_count)]
    return Config(*_HEAD.unpack_from(data), *_NET.unpack_from(data, head.device_config_offset), rings)
