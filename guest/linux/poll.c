// SPDX-License-Identifier: GPL-2.0-only
/*
 * NAPI: from the origin's kick until its ring is empty and the next kick has
 * been asked for.
 */
#include <linux/filter.h>
#include <linux/sizes.h>

#include "poll.h"
#include "rx.h"
#include "tc.h"
#include "xdp.h"

/*
 * GRO costs a third of the work for a small packet.  After so many rounds in
 * which it merged nothing, do without it for so many rounds, twice as long
 * after each further try.
 */
#define VPNET_GRO_VAIN		4
#define VPNET_GRO_SKIP		15
#define VPNET_GRO_TRIES		4	/* that double it */

/* Bytes of a round that is taken for a request and not for bulk data */
#define VPNET_RX_ANSWER		1024

/* ... and of one whose sender limits what it has in flight */
#define VPNET_RX_BULK		SZ_16K

/* Free pages that were not needed for so long */
#define VPNET_RX_SHRINK		(10 * HZ)

/* Used buffers without a doorbell: half of what fills a socket's send buffer */
#define VPNET_RX_UNTOLD		128

/*
 * Is GRO worth it?  Only switched off between rounds and while it holds no
 * packet back, so that none overtakes another.
 */
static bool vpnet_gro_wanted(struct vpnet_pair *pair,
			     const struct vpnet_round *round)
{
	/* GRO would give packets to the stack */
	if (unlikely(round->to)) {
		if (pair->napi.gro_bitmask)
			napi_gro_flush(&pair->napi, false);
		return false;
	}
	if (!pair->gro_skip || pair->napi.gro_bitmask)
		return true;
	pair->gro_skip--;
	return false;
}

static void vpnet_gro_learn(struct vpnet_pair *pair,
			    const struct vpnet_round *round)
{
	/* a single packet has nothing to be merged with */
	if (!round->gro || round->packets < 2)
		return;
	if (round->merged) {
		pair->gro_vain = 0;
		pair->gro_tries = 0;
	} else if (pair->gro_vain < VPNET_GRO_VAIN) {
		pair->gro_vain++;
	} else {
		pair->gro_skip = VPNET_GRO_SKIP << pair->gro_tries;
		if (pair->gro_tries < VPNET_GRO_TRIES)
			pair->gro_tries++;
	}
}

/*
 * The origin finds used buffers by itself whenever it sends.  Ring its doorbell
 * when it may be waiting for them: there are many, they held much data, or we
 * may not look again soon.
 */
static bool vpnet_poll_telling(const struct vpnet_pair *pair,
			     const struct vpnet_queue *q,
			     const struct vpnet_round *round)
{
	return !pair->ahead || round->bytes > VPNET_RX_BULK ||
	       vpring_untold(&q->ring) >= min_t(u32, VPNET_RX_UNTOLD,
						q->ring.size / 2);
}

static int vpnet_poll_work(struct vpnet_pair *pair, struct vpnet_queue *q,
			 struct vpnet_round *round, int budget)
{
	struct bpf_prog *prog = rcu_dereference_bh(pair->vp->xdp_prog);
	struct vpnet_rx_list list;
	int done;

	round->to = rcu_dereference_bh(pair->vp->redirect);
	/* an XDP program may send some of them elsewhere */
	if (unlikely(round->to) && !prog &&
	    vpnet_tc_busy(pair, round->to, round))
		return 0;
	round->gro = vpnet_gro_wanted(pair, round);
	list.end = &list.first;
	if (unlikely(prog))
		done = vpnet_xdp_work(pair, prog, round, budget);
	else
		done = vpnet_rx_packets(pair, round, &list, budget);

	/* even if the ring broke: what came before was fine */
	vpring_show(&q->ring);
	/* the sender of a request waits for the answer, not for buffers */
	if (round->bytes > VPNET_RX_ANSWER && vpnet_poll_telling(pair, q, round))
		vpnet_publish(q);

	u64_stats_update_begin(&q->stats.sync);
	u64_stats_add(&q->stats.packets, round->packets);
	u64_stats_add(&q->stats.bytes, round->bytes);
	u64_stats_update_end(&q->stats.sync);
	vpnet_gro_learn(pair, round);
	vpnet_coalesce_found(&pair->coalesce, done);
	/* last: the origin refills its ring while the stack works */
	vpnet_rx_list_deliver(pair, round, &list);
	return done;
}

/* NAPI is done: ask for the next kick */
static void vpnet_poll_arm(struct vpnet_pair *pair, struct vpnet_queue *q,
			 u32 hold)
{
	if (unlikely(hold)) {
		vpnet_inc(&q->count.holds);
		vpnet_coalesce_hold(&pair->coalesce, hold);
		return;
	}
	vpnet_inc(&q->count.armed);
	if (vpring_arm_ahead(&q->ring, pair->ahead)) {
		vpnet_inc(&q->count.rearmed);
		napi_schedule(&pair->napi);
	} else if (pair->ahead) {
		vpnet_coalesce_wait(&pair->coalesce);
	}
}

int vpnet_poll(struct napi_struct *napi, int budget)
{
	struct vpnet_pair *pair = container_of(napi, struct vpnet_pair, napi);
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
	struct vpnet_round round = {};
	bool complete;
	int done = 0;

	/* netpoll wants transmit completions, of which there are none */
	if (unlikely(!budget))
		return 0;

	/*
	 * Held for the whole round: whoever takes it and switches the queue off
	 * knows that nobody looks at the window any more.  It also keeps the
	 * next round, perhaps on another CPU, from starting between
	 * napi_complete_done() and vpring_arm_ahead().
	 */
	spin_lock(&pair->rx_lock);
	vpnet_inc(&q->count.polls);
	vpnet_coalesce_begin(&pair->coalesce);
	if (likely(vpnet_usable(q))) {
		vpring_disarm(&q->ring);
		done = vpnet_poll_work(pair, q, &round, budget);
	}
	/* flushes GRO, and the stack may answer at once */
	complete = done < budget && napi_complete_done(napi, done);
	if (likely(vpnet_usable(q))) {
		if (complete)
			pair->ahead = vpnet_coalesce_ahead(&pair->coalesce,
							   &q->ring);
		/* after a wait in vain the next one may be long */
		if (!done || vpnet_poll_telling(pair, q, &round))
			vpnet_publish(q);
		if (complete)
			vpnet_poll_arm(pair, q, round.hold);
	}
	if (unlikely(pair->rxbuf.grown)) {
		pair->rxbuf.grown = false;
		schedule_delayed_work(&pair->vp->rxbuf_work, VPNET_RX_SHRINK);
	}
	spin_unlock(&pair->rx_lock);
	return done;
}

/* Runs from the time that pages were added until none is left */
void vpnet_poll_shrink_work(struct work_struct *work)
{
	struct vpnet *vp = container_of(to_delayed_work(work), struct vpnet,
					rxbuf_work);
	bool more = false;
	unsigned int i;

	for (i = 0; i < vp->pairs; i++) {
		struct vpnet_pair *pair = &vp->pair[i];

		spin_lock_bh(&pair->rx_lock);
		more |= vpnet_rxbuf_shrink(&pair->rxbuf);
		spin_unlock_bh(&pair->rx_lock);
	}
	if (more)
		schedule_delayed_work(&vp->rxbuf_work, VPNET_RX_SHRINK);
}

/*
 * The ring is about to be left alone: ring any doorbell that is still due.
 * Called with the receive lock.
 */
void vpnet_poll_settle(struct vpnet_pair *pair)
{
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];

	if (vpnet_usable(q))
		vpnet_publish(q);
}

/* From process context: look at the ring without a kick */
void vpnet_poll_schedule(struct vpnet_pair *pair)
{
	/* enabling bottom halves runs the raised softirq at once */
	local_bh_disable();
	napi_schedule(&pair->napi);
	local_bh_enable();
}
