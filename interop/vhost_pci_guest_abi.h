/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-pci-net: what the mirror's guest driver sees of the device.
 *
 * The one definition shared by the Linux driver, later the DPDK driver, the C
 * shim and (through the layout test) the C# library.  The prose is in
 * docs/reference/vhost-pci-net-device.md.
 *
 * All fields are little-endian, as in every virtio 1.x device configuration.
 */
#ifndef VHOST_PCI_GUEST_ABI_H
#define VHOST_PCI_GUEST_ABI_H

#include <linux/types.h>

/*
 * The highest virtio id that Linux' virtio-pci driver claims (PCI 1af4:107f);
 * no standard device uses it.
 */
#define VIRTIO_ID_VHOST_PCI_NET		63

/* Version of everything in this file; a driver refuses what it does not know */
#define VHOST_PCI_NET_CONFIG_VERSION	1

/* BAR 0: one 32-bit doorbell for each origin ring, write-only */
#define VHOST_PCI_NET_DOORBELL_BAR	0
#define VHOST_PCI_NET_DOORBELL_STRIDE	4

/*
 * BAR 2: the memory window.  Byte N of the BAR is byte N of the origin's
 * guest-physical address space.  Also virtio shared-memory region 0.
 */
#define VHOST_PCI_NET_WINDOW_BAR	2
#define VHOST_PCI_NET_WINDOW_SHMID	0

/* Room for 32 queue pairs */
#define VHOST_PCI_NET_MAX_RINGS		64

/* vhost_pci_net_config.link */
#define VHOST_PCI_NET_LINK_UP		0x1

/* vhost_pci_net_config.driver */
#define VHOST_PCI_NET_DRIVER_DOWN	0x1	/* nobody takes packets */

/* vhost_pci_net_ring.flags */
#define VHOST_PCI_NET_RING_ENABLED	0x1

/*
 * One ring of the origin, numbered as the origin's virtio-net numbers them:
 * ring 2n is its receive queue n, ring 2n+1 its transmit queue n.  Addresses
 * are the origin's guest-physical addresses, so offsets into the window.
 */
struct vhost_pci_net_ring {
	__le64 desc;		/* 0x00 */
	__le64 avail;		/* 0x08: driver area */
	__le64 used;		/* 0x10: device area */
	__le32 size;		/* 0x18: entries; a power of two for split rings */
	__le32 flags;		/* 0x1c: VHOST_PCI_NET_RING_* */
};

/*
 * Device configuration.  Only @ack, @accept and @driver can be written.
 *
 * The content changes in steps; each step has another @epoch.  A reader takes
 * @epoch, the fields, then @epoch again, and starts over when they differ.
 * The device changes nothing that the driver may still use until the driver
 * has written the epoch of the "link down" step, or a later one, to @ack or
 * has reset the device.
 */
struct vhost_pci_net_config {
	__le32 version;		/* 0x00: VHOST_PCI_NET_CONFIG_VERSION */
	__le32 epoch;		/* 0x04 */
	__le32 ack;		/* 0x08: driver: the epoch it has adopted */
	__le32 link;		/* 0x0c: VHOST_PCI_NET_LINK_* */
	__u8 mac[6];		/* 0x10: for the mirror's interface; stable */
	__le16 mtu;		/* 0x16: bytes of payload; 0: not known */
	__u8 origin_mac[6];	/* 0x18: zero when not known */
	__le16 queue_pairs;	/* 0x1e: pairs in use */
	__le64 features;	/* 0x20: virtio-net bits the origin's driver acked */
	__le64 window_size;	/* 0x28: bytes of BAR 2 */
	__le16 ring_count;	/* 0x30: entries of @ring */
	__le16 ring_entry;	/* 0x32: bytes of one entry, at least 32 */
	__le32 ring_offset;	/* 0x34: of entry 0 from the start of this struct */
	__le64 window_base;	/* 0x38: origin's address of byte 0 of BAR 2 */
	__le64 accept;		/* 0x40: driver: features that it accepts */
	__le32 driver;		/* 0x48: driver: VHOST_PCI_NET_DRIVER_* */
	__le32 announce;	/* 0x4c: counts the origin's announcements */
	struct vhost_pci_net_ring ring[];	/* 0x50 */
};

#endif /* VHOST_PCI_GUEST_ABI_H */
