// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt coalescing: wait for several frames before looking at the origin's
 * transmit ring.  Each look costs a kick, an interrupt and a wake-up here, and
 * an interrupt in the origin.
 *
 * The origin does the waiting: it is asked to kick only after so many frames.
 * A timer ends the wait in case they do not come.  In adaptive mode we wait
 * only while frames come fast enough to make the wait short, and back off when
 * they failed to come, because somebody may be waiting for an answer.  With
 * adaptive-rx off every look is followed by a wait, until one in which nothing
 * came.
 */
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/netdevice.h>

#include "coalesce.h"

/* Do not start a timer for fewer frames than this */
#define VPNET_COALESCE_MIN	8

/* Rounds without a wait after one that timed out */
#define VPNET_COALESCE_PAUSE	4
#define VPNET_COALESCE_MAX_PAUSE	512

static enum hrtimer_restart vpnet_coalesce_expired(struct hrtimer *timer)
{
	struct vpnet_coalesce *c = container_of(timer, struct vpnet_coalesce,
						timer);

	/* otherwise the kick was faster, or the queue is off */
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

/* NAPI must be disabled, so that nobody starts the timer again */
void vpnet_coalesce_stop(struct vpnet_coalesce *c)
{
	WRITE_ONCE(c->waiting, false);
	hrtimer_cancel(&c->timer);
}

/* At the present rate, how many frames come in half of the longest wait? */
static void vpnet_coalesce_measure(struct vpnet_coalesce *c, u64 wait, u64 now)
{
	u64 time = now - c->since;

	if (time < wait)
		return;
	/* cannot overflow: one round adds at most its budget */
	c->wanted = div64_u64(c->frames * wait, 2 * time);
	c->frames = 0;
	c->since = now;
}

static void vpnet_coalesce_learn(struct vpnet_coalesce *c, bool owing)
{
	if (!c->waited)
		return;
	c->waited = false;
	/* nothing came, so nobody waited, except perhaps for buffers */
	if (!c->found && !owing)
		return;
	if (!c->expired) {
		c->pause = VPNET_COALESCE_PAUSE;
		return;
	}
	c->skip = c->pause;
	c->pause = min_t(unsigned int, c->pause * 2, VPNET_COALESCE_MAX_PAUSE);
}

/* The timer expired and found nothing */
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
	/* the origin must be able to go on sending while we wake up */
	u32 frames = min(READ_ONCE(c->want->frames), ring->size / 2);

	if (!usecs || frames < 2 || !(ring->flags & VPRING_F_EVENT_IDX))
		return 0;
	/* do not poll an idle origin for ever */
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

/* No kick is due yet: start the timer that bounds the wait */
void vpnet_coalesce_wait(struct vpnet_coalesce *c)
{
	c->waited = true;
	c->found = 0;
	vpnet_coalesce_start(c, READ_ONCE(c->want->usecs));
}

/* Frames are waiting for which no kick will come: look again in @usecs */
void vpnet_coalesce_hold(struct vpnet_coalesce *c, u32 usecs)
{
	c->waited = false;
	vpnet_coalesce_start(c, usecs);
}
