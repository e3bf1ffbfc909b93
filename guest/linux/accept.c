// SPDX-License-Identifier: GPL-2.0-only
/*
 * The features that an origin may use.  tests/driver runs this in user space,
 * as it does ring.c.
 */
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "accept.h"

#define F(bit)	(1ULL << (bit))

/*
 * Everything else is refused: it may change the layout of the rings, of the
 * header or of a buffer, or bring frames that this driver would drop.
 */
static const u64 known =
	/* rings */
	F(VIRTIO_F_VERSION_1) | F(VIRTIO_F_RING_PACKED) | F(VIRTIO_F_IN_ORDER) |
	F(VIRTIO_RING_F_INDIRECT_DESC) | F(VIRTIO_RING_F_EVENT_IDX) |
	F(VIRTIO_F_ANY_LAYOUT) |
	/* frames */
	F(VIRTIO_NET_F_MRG_RXBUF) |
	F(VIRTIO_NET_F_CSUM) | F(VIRTIO_NET_F_GUEST_CSUM) |
	F(VIRTIO_NET_F_HOST_TSO4) | F(VIRTIO_NET_F_GUEST_TSO4) |
	F(VIRTIO_NET_F_HOST_TSO6) | F(VIRTIO_NET_F_GUEST_TSO6) |
	F(VIRTIO_NET_F_HOST_ECN) | F(VIRTIO_NET_F_GUEST_ECN) |
	/* we never send such frames */
	F(VIRTIO_NET_F_GUEST_UFO) |
	/* between the origin's driver and its own QEMU */
	F(VIRTIO_NET_F_MTU) | F(VIRTIO_NET_F_MAC) | F(VIRTIO_NET_F_STATUS) |
	F(VIRTIO_NET_F_SPEED_DUPLEX) | F(VIRTIO_NET_F_STANDBY) |
	F(VIRTIO_NET_F_CTRL_VQ) | F(VIRTIO_NET_F_CTRL_RX) |
	F(VIRTIO_NET_F_CTRL_VLAN) | F(VIRTIO_NET_F_CTRL_RX_EXTRA) |
	F(VIRTIO_NET_F_CTRL_MAC_ADDR) | F(VIRTIO_NET_F_GUEST_ANNOUNCE) |
	F(VIRTIO_NET_F_MQ);

/* Features that an origin may use */
u64 vpnet_features_known(void)
{
	return known;
}
