/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupt coalescing for one of the origin's rings */
#ifndef VHOST_PCI_COALESCE_H
#define VHOST_PCI_COALESCE_H

#include <linux/compiler.h>
#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <linux/types.h>

#include "ring.h"

/* Defaults of ethtool -C */
#define VPNET_COALESCE_USECS	500
#define VPNET_COALESCE_FRAMES	64

/* Set by ethtool -C; read once a round, without a lock */
struct vpnet_coalesce_want {
	u32 usecs;		/* longest wait for more frames */
	u32 frames;		/* ... and for how many at most */
	bool adaptive;		/* only when they come fast */
};

/* Used under the lock of its receive ring, except as noted */
struct vpnet_coalesce {
	struct hrtimer timer;
	struct napi_struct *napi;	/* that the timer schedules */
	const struct vpnet_coalesce_want *want;
	u64 since;		/* start of the time over which we measure */
	u64 frames;		/* ... and what came in it */
	u32 wanted;
	unsigned int skip;	/* rounds to go without a wait */
	unsigned int pause;	/* the same after the next wait in vain */
	u32 found;		/* since the last wait began */
	bool waited;		/* before this round */
	bool waiting;		/* read by the timer */
	bool expired;		/* written by the timer */
};

void vpnet_coalesce_init(struct vpnet_coalesce *c, struct napi_struct *napi,
			 const struct vpnet_coalesce_want *want);
void vpnet_coalesce_stop(struct vpnet_coalesce *c);
u16 vpnet_coalesce_ahead(struct vpnet_coalesce *c, const struct vpring *ring);
void vpnet_coalesce_wait(struct vpnet_coalesce *c);
void vpnet_coalesce_hold(struct vpnet_coalesce *c, u32 usecs);

/* At the start of a round, and with the number of frames at its end */
static inline void vpnet_coalesce_begin(struct vpnet_coalesce *c)
{
	if (c->waiting)
		WRITE_ONCE(c->waiting, false);
}

static inline void vpnet_coalesce_found(struct vpnet_coalesce *c,
					unsigned int frames)
{
	c->frames += frames;
	c->found += frames;
}

#endif /* VHOST_PCI_COALESCE_H */
