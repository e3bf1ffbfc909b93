// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for more than one frame before looking at the origin's transmit
 * ring.  Each look that finds little costs a kick, an interrupt, a wake-up of
 * this CPU and an interrupt of the origin.
 *
 * The wait is the origin's: it is asked to kick only after so many frames, and
 * a timer ends the wait if they do not come.  Done by itself only when frames
 * come so fast that it is short; and not again for a while when they failed to
 * come, because then somebody may be waiting for an answer.  Whoever switches
 * that off (adaptive-rx off) gets a wait after each look, until nothing comes.
 */
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/netdevice.h>

#include "coalesce.h"

/* Fewer are not worth a timer */
#define VPNET_COALESCE_MIN	8

/* Rounds to go without a wait after one that was in vain */
#define VPNET_COALESCE_PAUSE	4
#define VPNET_COALESCE_MAX_PAUSE	512

static enum hrtimer_restart vpnet_coalesce_expired(struct hrtimer *timer)
{
	struct vpnet_coalesce *c = container_of(timer, struct vpnet_coalesce,
						timer);

	/* else the kick was faster, or the queue is off */
	if (READ_ONCE(c->waiting)) {
		WRITE_ONCE(c->expired, true);
		napi_schedule(c->napi);
	}
	return HRTIMER_NORESTART;
}

void vpnet_coalesce_init(struct vpnet_coalesce *c, struct napi_struct *napi,
			 const struct vpnet_coalesce_want *want)
{
	c->napi = napi;
	c->want = want;
	hrtimer_init(&c->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	c->timer.function = vpnet_coalesce_expired;
	c->pause = VPNET_COALESCE_PAUSE;
}

/* NAPI is disabled, so that nobody starts it any more */
void vpnet_coalesce_stop(struct vpnet_coalesce *c)
{
	WRITE_ONCE(c->waiting, false);
	hrtimer_cancel(&c->timer);
}

/* How many frames come in half of the longest wait, at the present rate */
static void vpnet_coalesce_measure(struct vpnet_coalesce *c, u64 wait, u64 now)
{
	u64 time = now - c->since;

	if (time < wait)
		return;
	/* at most a poll's budget for each, so there is room */
	c->wanted = div64_u64(c->frames * wait, 2 * time);
	c->frames = 0;
	c->since = now;
}

static void vpnet_coalesce_learn(struct vpnet_coalesce *c, bool owing)
{
	if (!c->waited)
		return;
	c->waited = false;
	/* where nothing came nobody waited, but perhaps for buffers */
	if (!c->found && !owing)
		return;
	if (!c->expired) {
		c->pause = VPNET_COALESCE_PAUSE;
		return;
	}
	c->skip = c->pause;
	c->pause = min_t(unsigned int, c->pause * 2, VPNET_COALESCE_MAX_PAUSE);
}

/* The timer has looked, and nothing had come */
static bool vpnet_coalesce_idle(struct vpnet_coalesce *c)
{
	bool idle = c->waited && c->expired && !c->found;

	c->waited = false;
	return idle;
}

/**
 * vpnet_coalesce_ahead - how many frames more need no kick?
 * @c: of the pair whose round of work ends, under its receive lock
 * @ring: from which they come
 */
u16 vpnet_coalesce_ahead(struct vpnet_coalesce *c, const struct vpring *ring)
{
	const u32 usecs = READ_ONCE(c->want->usecs);
	/* it must go on sending while we wake up */
	u32 frames = min(READ_ONCE(c->want->frames), ring->size / 2);

	if (!usecs || frames < 2 || !(ring->flags & VPRING_F_EVENT_IDX))
		return 0;
	/* an idle origin must not wake us up for ever */
	if (!READ_ONCE(c->want->adaptive))
		return vpnet_coalesce_idle(c) ? 0 : frames - 1;

	vpnet_coalesce_learn(c, vpring_untold(ring));
	vpnet_coalesce_measure(c, usecs * (u64)NSEC_PER_USEC, ktime_get_ns());
	if (c->skip) {
		c->skip--;
		return 0;
	}
	frames = min(frames, c->wanted);
	return frames < VPNET_COALESCE_MIN ? 0 : frames - 1;
}

static void vpnet_coalesce_start(struct vpnet_coalesce *c, u32 usecs)
{
	WRITE_ONCE(c->expired, false);
	WRITE_ONCE(c->waiting, true);
	hrtimer_start(&c->timer, ns_to_ktime(usecs * (u64)NSEC_PER_USEC),
		      HRTIMER_MODE_REL_PINNED);
}

/* No kick was due yet: wait no longer than this */
void vpnet_coalesce_wait(struct vpnet_coalesce *c)
{
	c->waited = true;
	c->found = 0;
	vpnet_coalesce_start(c, READ_ONCE(c->want->usecs));
}

/* There are frames, for which no kick is due any more: look in @usecs */
void vpnet_coalesce_hold(struct vpnet_coalesce *c, u32 usecs)
{
	c->waited = false;
	vpnet_coalesce_start(c, usecs);
}
