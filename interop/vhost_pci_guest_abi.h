/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-pci as the mirror's guest driver sees it: what devices of any class
 * have in common, then what is vhost-pci-net's.
 *
 * The one definition, for the Linux driver, drivers to come, the C shim and
 * (through the layout test) the C# library.  The prose is in
 * docs/reference/vhost-pci-net-device.md.
 *
 * All fields are little-endian, as in every virtio 1.x device configuration.
 */
#ifndef VHOST_PCI_GUEST_ABI_H
#define VHOST_PCI_GUEST_ABI_H

#include <linux/types.h>

/*
 * Any device class
 */

/* Version of everything in this file; a driver refuses what it does not know */
#define VHOST_PCI_CONFIG_VERSION	2

/* BAR 0: one 32-bit doorbell for each origin ring, write-only */
#define VHOST_PCI_DOORBELL_BAR		0
#define VHOST_PCI_DOORBELL_STRIDE	4

/*
 * BAR 2: the memory window.  Byte N of the BAR is byte N of the origin's
 * guest-physical address space.  Also virtio shared-memory region 0.
 */
#define VHOST_PCI_WINDOW_BAR		2
#define VHOST_PCI_WINDOW_SHMID		0

#define VHOST_PCI_MAX_RINGS		64

/* vhost_pci_config.driver */
#define VHOST_PCI_DRIVER_DOWN		0x1	/* nobody serves the rings */

/* vhost_pci_config.link */
#define VHOST_PCI_LINK_UP		0x1

/* vhost_pci_ring.flags */
#define VHOST_PCI_RING_ENABLED		0x1

/*
 * One ring of the origin, numbered as the origin's device numbers them.
 * Addresses are the origin's guest-physical addresses, so offsets into the
 * window.
 */
struct vhost_pci_ring {
	__le64 desc;		/* 0x00 */
	__le64 avail;		/* 0x08: driver area */
	__le64 used;		/* 0x10: device area */
	__le32 size;		/* 0x18: entries; a power of two for split rings */
	__le32 flags;		/* 0x1c: VHOST_PCI_RING_* */
};

/*
 * The start of the device configuration.  The driver writes @ack, @driver and
 * @accept; the device ignores writes to all else.
 *
 * The content changes in steps; each step has another @epoch.  A reader takes
 * @epoch, the fields, then @epoch again, and starts over when they differ.
 * The device changes nothing that the driver may still use until the driver
 * has written the epoch of the "link down" step, or a later one, to @ack or
 * has reset the device.
 *
 * @version, @window_size and what says where the rest is (0x34 to 0x3f) do not
 * change while the device exists.
 */
struct vhost_pci_config {
	__le32 version;		/* 0x00: VHOST_PCI_CONFIG_VERSION */
	__le32 epoch;		/* 0x04 */
	__le32 ack;		/* 0x08: driver: the epoch it has adopted */
	__le32 driver;		/* 0x0c: driver: VHOST_PCI_DRIVER_* */
	__le64 accept;		/* 0x10: driver: features that it accepts */
	__le64 features;	/* 0x18: virtio bits the origin's driver acked */
	__le64 window_base;	/* 0x20: origin's address of byte 0 of BAR 2 */
	__le64 window_size;	/* 0x28: bytes of BAR 2 */
	__le32 link;		/* 0x30: VHOST_PCI_LINK_* */
	__le16 ring_offset;	/* 0x34: of ring 0 from the start of this struct */
	__le16 ring_entry;	/* 0x36: bytes from one ring to the next */
	__le16 ring_count;	/* 0x38: rings of the device */
	__le16 device_class;	/* 0x3a: virtio id of the origin's device */
	__le16 device_config_offset;	/* 0x3c: of the class's part, likewise */
	__le16 device_config_size;	/* 0x3e: bytes of it */
	__u8 reserved[32];	/* 0x40: zero */
};

/*
 * vhost-pci-net
 */

/*
 * The highest virtio id that Linux' virtio-pci driver claims (PCI 1af4:107f);
 * no standard device uses it.
 */
#define VIRTIO_ID_VHOST_PCI_NET		63

/* vhost_pci_config.device_class: VIRTIO_ID_NET */
#define VHOST_PCI_CLASS_NET		1

/*
 * At device_config_offset.  Ring 2n is the origin's receive queue n, ring 2n+1
 * its transmit queue n.
 */
struct vhost_pci_net_config {
	__u8 mac[6];		/* 0x00: for the mirror's interface; stable */
	__le16 mtu;		/* 0x06: bytes of payload; 0: not known */
	__u8 origin_mac[6];	/* 0x08: zero when not known */
	__le16 queue_pairs;	/* 0x0e: pairs in use */
	__le32 announce;	/* 0x10: counts the origin's announcements */
	__u8 reserved[12];	/* 0x14: zero */
};

#endif /* VHOST_PCI_GUEST_ABI_H */
