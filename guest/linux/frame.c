// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a virtio-net header may say.  tests/driver runs this in user space, as
 * it does ring.c.
 */
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/virtio_byteorder.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "frame.h"

#define FRAME_ETH_HLEN		14
#define FRAME_TCP_HLEN		20

static bool has(u64 features, unsigned int bit)
{
	return features & (1ULL << bit);
}

/* Bytes in front of each frame of an origin that acked @features */
u32 vpnet_hdr_len(u64 features)
{
	if (has(features, VIRTIO_F_VERSION_1) ||
	    has(features, VIRTIO_NET_F_MRG_RXBUF))
		return sizeof(struct virtio_net_hdr_mrg_rxbuf);
	return sizeof(struct virtio_net_hdr);
}

static bool gso_allowed(u8 gso_type, u64 features, unsigned int tso4,
			unsigned int tso6, unsigned int ecn)
{
	if ((gso_type & VIRTIO_NET_HDR_GSO_ECN) && !has(features, ecn))
		return false;

	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return has(features, tso4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return has(features, tso6);
	}
	return false;
}

/* @len: what is to be segmented */
static bool gso_size_valid(u32 gso_size, u32 len)
{
	return gso_size && gso_size * VPNET_GSO_MAX_SEGS >= len;
}

/**
 * vpnet_hdr_request_valid - may an origin ask for this?
 * @hdr: private copy of its header, with a request in it
 * @frame_len: bytes that follow it
 * @features: what the origin's driver acked
 *
 * Stricter than the kernel's virtio_net_hdr_to_skb(), which does not know
 * what was negotiated.  hdr_len is a hint that nobody here takes.
 */
bool vpnet_hdr_request_valid(const struct virtio_net_hdr *hdr, u32 frame_len,
			     u64 features)
{
	u32 start = __virtio16_to_cpu(true, hdr->csum_start);
	u32 offset = __virtio16_to_cpu(true, hdr->csum_offset);
	bool csum = hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;

	if (csum) {
		if (!has(features, VIRTIO_NET_F_CSUM) ||
		    start < FRAME_ETH_HLEN ||
		    start + offset + sizeof(__u16) > frame_len)
			return false;
	}

	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return true;

	/* virtio: a segmentation request always comes with a checksum one */
	return csum &&
	       start + FRAME_TCP_HLEN <= frame_len &&
	       gso_size_valid(__virtio16_to_cpu(true, hdr->gso_size),
			      frame_len - start - FRAME_TCP_HLEN) &&
	       gso_allowed(hdr->gso_type, features, VIRTIO_NET_F_HOST_TSO4,
			   VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN);
}

/**
 * vpnet_hdr_sendable - may the origin be sent this?
 * @hdr: header made from a packet
 * @features: what the origin's driver acked
 *
 * The stack honours the interface's features, but a packet prepared before
 * the origin's driver was replaced can arrive after it.
 */
bool vpnet_hdr_sendable(const struct virtio_net_hdr *hdr, u64 features)
{
	if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    !has(features, VIRTIO_NET_F_GUEST_CSUM))
		return false;
	return hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE ||
	       gso_allowed(hdr->gso_type, features, VIRTIO_NET_F_GUEST_TSO4,
			   VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN);
}
