/* SPDX-License-Identifier: GPL-2.0-only */
/* The device side of a packed virtqueue; callers use ring.h */
#ifndef VHOST_PCI_RING_PACKED_H
#define VHOST_PCI_RING_PACKED_H

#include <linux/jump_label.h>

#include "ring_types.h"

int vpring_packed_init(struct vpring *ring, const struct vpring_window *win,
		       const struct vpring_area *area, u32 flags,
		       struct vpring_done *done, u32 room);
enum vpring_result vpring_packed_pop(struct vpring *ring,
				     struct vpring_seg *segs, u32 max,
				     struct vpring_chain *chain);
void vpring_fill_special(struct vpring *ring, u32 head, u32 len);
u16 vpring_packed_pending(const struct vpring *ring);
void vpring_packed_show(struct vpring *ring);
bool vpring_packed_publish(struct vpring *ring);
bool vpring_packed_arm_ahead(struct vpring *ring, u16 ahead);
void vpring_packed_disarm(struct vpring *ring);

/*
 * On from the first ring that is packed or used in order, so that plain split
 * rings do not pay for those.
 */
DECLARE_STATIC_KEY_FALSE(vpring_special_key);

static __always_inline bool vpring_is_special(const struct vpring *ring)
{
	return static_branch_unlikely(&vpring_special_key) && ring->special;
}

static __always_inline bool vpring_is_packed(const struct vpring *ring)
{
	return static_branch_unlikely(&vpring_special_key) && ring->packed;
}

#endif /* VHOST_PCI_RING_PACKED_H */
