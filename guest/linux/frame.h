/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtio-net header in front of each frame */
#ifndef VHOST_PCI_FRAME_H
#define VHOST_PCI_FRAME_H

#include <linux/types.h>
#include <linux/virtio_net.h>

/*
 * Longest frame in either direction: the largest IP packet or GSO packet,
 * Ethernet header and one VLAN tag.
 */
#define VPNET_MAX_FRAME		(65535 + 14 + 4)

/*
 * Most segments that one frame may ask for: those of the longest at 36 bytes,
 * Linux' smallest MSS (TCP_MIN_SND_MSS, 48) less the timestamps.  That many
 * packets come of it wherever it is forwarded to a device that cannot segment.
 * The size alone is no measure: GRO merges segments of any size, but not many.
 */
#define VPNET_GSO_MAX_SEGS	(VPNET_MAX_FRAME / 36)

u32 vpnet_hdr_len(u64 features);
bool vpnet_hdr_request_valid(const struct virtio_net_hdr *hdr, u32 frame_len,
			     u64 features);
bool vpnet_hdr_sendable(const struct virtio_net_hdr *hdr, u64 features);

/* Does the header ask for a checksum or for segmentation? */
static inline bool vpnet_hdr_requests(const struct virtio_net_hdr *hdr)
{
	return (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	       hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

/**
 * vpnet_hdr_valid - may an origin send this?
 * @hdr: private copy of its header
 * @frame_len: bytes that follow it
 * @features: what the origin's driver acked
 */
static inline bool vpnet_hdr_valid(const struct virtio_net_hdr *hdr,
				   u32 frame_len, u64 features)
{
	/* a header that requests nothing needs no check */
	return !vpnet_hdr_requests(hdr) ||
	       vpnet_hdr_request_valid(hdr, frame_len, features);
}

#endif /* VHOST_PCI_FRAME_H */
