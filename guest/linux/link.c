// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the origin's rings into use and lets go of them.
 *
 * The data paths are kept out by their own locks, not by stopping the
 * interface: it may be up, down or in transition, and letting go of the
 * origin's memory must not wait for the RTNL, which others may hold for long.
 */
#include <linux/netdevice.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "accept.h"
#include "frame.h"
#include "link.h"
#include "poll.h"

static const char *vpnet_ring_name(unsigned int ring)
{
	return ring % VPNET_PAIR_RINGS == VPNET_ORIGIN_RX ? "receive" :
							    "transmit";
}

static struct netdev_queue *vpnet_txq(struct vpnet *vp, unsigned int pair)
{
	return netdev_get_tx_queue(vp->dev, pair);
}

/*
 * Called with the lock of the ring.  If it broke and nobody has looked into
 * that yet, forget it: its memory may have been withdrawn.
 */
static void vpnet_ring_stop(struct vpnet_queue *q)
{
	q->on = false;
	WRITE_ONCE(q->suspect, false);
}

/* On return nobody looks at the window any more */
void vpnet_rings_off(struct vpnet *vp)
{
	unsigned int i;

	netif_carrier_off(vp->dev);

	for (i = 0; i < vp->pairs; i++) {
		struct vpnet_pair *pair = &vp->pair[i];

		spin_lock_bh(&pair->rx_lock);
		vpnet_poll_settle(pair);
		vpnet_ring_stop(&pair->queue[VPNET_ORIGIN_TX]);
		spin_unlock_bh(&pair->rx_lock);

		__netif_tx_lock_bh(vpnet_txq(vp, i));
		vpnet_ring_stop(&pair->queue[VPNET_ORIGIN_RX]);
		__netif_tx_unlock_bh(vpnet_txq(vp, i));
	}
	WRITE_ONCE(vp->features, 0);
	WRITE_ONCE(vp->offloads, 0);
	WRITE_ONCE(vp->pairs_on, 0);
}

/* Memory for what is returned to a packed ring; only ever grows */
static void vpnet_ring_room(struct vpnet_queue *q, u32 size)
{
	if (size > VPRING_MAX_SIZE || size <= q->done_room)
		return;
	kvfree(q->done);
	q->done = kvcalloc(size, sizeof(*q->done), GFP_KERNEL);
	q->done_room = q->done ? size : 0;
}

static int vpnet_ring_init(struct vpnet *vp, struct vpnet_queue *q,
			   const struct vpnet_config *cfg, unsigned int i,
			   u32 flags)
{
	const struct vpring_area *area = &cfg->ring[i].area;

	if (flags & VPRING_F_IN_ORDER)
		static_branch_enable(&vpring_special_key);
	if (!(cfg->features & BIT_ULL(VIRTIO_F_RING_PACKED)))
		return vpring_init(&q->ring, &vp->win, area, flags);

	static_branch_enable(&vpring_special_key);
	vpnet_ring_room(q, area->size);
	return vpring_packed_init(&q->ring, &vp->win, area, flags, q->done,
				  q->done_room);
}

/* The ring is off, so nobody else looks at it */
static bool vpnet_ring_setup(struct vpnet *vp, const struct vpnet_config *cfg,
			     unsigned int i)
{
	struct vpnet_queue *q = vpnet_ring(vp, i);
	u32 flags = 0;

	if (!cfg->ring[i].enabled)
		return false;

	if (cfg->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX))
		flags |= VPRING_F_EVENT_IDX;
	if (cfg->features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC))
		flags |= VPRING_F_INDIRECT;
	if (cfg->features & BIT_ULL(VIRTIO_F_IN_ORDER))
		flags |= VPRING_F_IN_ORDER;
	if (i % VPNET_PAIR_RINGS == VPNET_ORIGIN_RX)
		flags |= VPRING_F_WRITABLE;

	if (!vpnet_ring_init(vp, q, cfg, i, flags)) {
		q->hdr_len = vpnet_hdr_len(cfg->features);
		q->features = cfg->features;
		return true;
	}
	/* it is not the origin's fault that we have no memory */
	if (q->ring.error != VPRING_E_MEMORY)
		vpnet_inc(&q->count.broken);
	if (net_ratelimit())
		netdev_err(vp->dev, "origin's %s ring %u is unusable: %s\n",
			   vpnet_ring_name(i), i / VPNET_PAIR_RINGS,
			   vpring_strerror(q->ring.error));
	return false;
}

/* Called with the lock of the ring */
static void vpnet_ring_start(struct vpnet_queue *q)
{
	q->on = true;
	/*
	 * A previous driver may have died between the used index and the
	 * doorbell.  A spurious one does no harm.
	 */
	vpnet_doorbell(q);
}

static void vpnet_pair_start(struct vpnet *vp, unsigned int i)
{
	struct vpnet_pair *pair = &vp->pair[i];

	spin_lock_bh(&pair->rx_lock);
	vpnet_ring_start(&pair->queue[VPNET_ORIGIN_TX]);
	spin_unlock_bh(&pair->rx_lock);

	__netif_tx_lock_bh(vpnet_txq(vp, i));
	vpnet_ring_start(&pair->queue[VPNET_ORIGIN_RX]);
	__netif_tx_unlock_bh(vpnet_txq(vp, i));

	/* earlier kicks are lost: look without one */
	vpnet_poll_schedule(pair);
}

/* We may leave undone what the origin's driver said it can receive undone */
static netdev_features_t vpnet_offloads(u64 acked)
{
	netdev_features_t offloads = NETIF_F_HW_CSUM;

	if (!(acked & BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)))
		return 0;
	if (acked & BIT_ULL(VIRTIO_NET_F_GUEST_TSO4))
		offloads |= NETIF_F_TSO;
	if (acked & BIT_ULL(VIRTIO_NET_F_GUEST_TSO6))
		offloads |= NETIF_F_TSO6;
	if (acked & BIT_ULL(VIRTIO_NET_F_GUEST_ECN))
		offloads |= NETIF_F_TSO_ECN;
	return offloads;
}

/*
 * The rings must be off.  Return: false when the origin's configuration
 * cannot be used; the interface then stays without carrier.
 */
bool vpnet_rings_on(struct vpnet *vp, const struct vpnet_config *cfg)
{
	const u64 unknown = cfg->features & ~vpnet_features_known();
	unsigned int i, n;

	if (cfg->window_base) {
		if (net_ratelimit())
			netdev_err(vp->dev, "window begins at %#llx, not at 0\n",
				   cfg->window_base);
		return false;
	}
	if (unknown) {
		if (net_ratelimit())
			netdev_err(vp->dev, "origin uses unknown features %#llx\n",
				   unknown);
		return false;
	}
	/*
	 * The origin enables the pairs that it uses, from the first one on.
	 * Nothing is ever sent to a pair behind a gap, so leave it off as well.
	 */
	for (n = 0; n < vp->pairs; n++)
		for (i = 0; i < VPNET_PAIR_RINGS; i++)
			if (!vpnet_ring_setup(vp, cfg, n * VPNET_PAIR_RINGS + i))
				goto gap;
gap:
	if (!n)
		return false;

	WRITE_ONCE(vp->features, cfg->features);
	WRITE_ONCE(vp->offloads, vpnet_offloads(cfg->features));
	WRITE_ONCE(vp->pairs_on, n);
	/* first: a ring that breaks at once turns it off again */
	netif_carrier_on(vp->dev);
	for (i = 0; i < n; i++)
		vpnet_pair_start(vp, i);
	if (netif_running(vp->dev))
		netif_tx_wake_all_queues(vp->dev);
	return true;
}

/* A bit for each ring that has broken; call before reading the configuration */
u64 vpnet_rings_suspect(const struct vpnet *vp)
{
	u64 suspects = 0;
	unsigned int i;

	BUILD_BUG_ON(VPNET_MAX_RINGS > 64);
	for (i = 0; i < vpnet_rings(vp); i++)
		if (READ_ONCE(vpnet_ring(vp, i)->suspect))
			suspects |= BIT_ULL(i);
	/*
	 * the device withdraws, then changes the epoch; we look in reverse
	 * order
	 */
	mb();
	return suspects;
}

/*
 * The epoch, read after they had broken, is still the one in use.  So it was
 * not a withdrawal of the window, and the origin is to blame.
 */
void vpnet_rings_report(struct vpnet *vp, u64 suspects)
{
	unsigned int i;

	for (i = 0; i < vpnet_rings(vp); i++) {
		struct vpnet_queue *q = vpnet_ring(vp, i);

		if (!(suspects & BIT_ULL(i)))
			continue;
		WRITE_ONCE(q->suspect, false);
		vpnet_inc(&q->count.broken);
		if (net_ratelimit())
			netdev_err(vp->dev,
				   "origin's %s ring %u switched off: %s\n",
				   vpnet_ring_name(i), i / VPNET_PAIR_RINGS,
				   vpring_strerror(q->ring.error));
	}
}
