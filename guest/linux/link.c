// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking the origin's rings into use and letting go of them.
 *
 * The data paths are kept out by their own locks and not by stopping the
 * interface: it may be up, down or in transition, and letting go of the
 * origin's memory must not wait for the RTNL, which others may hold for long.
 */
#include <linux/netdevice.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "vhost_pci_net.h"

/*
 * Bits that change the meaning of the rings in a way not known here.  The
 * device does not offer them to the origin.
 */
#define VPNET_REFUSED	(BIT_ULL(VIRTIO_F_RING_PACKED) | \
			 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | \
			 BIT_ULL(VIRTIO_NET_F_HASH_REPORT))

static const char * const vpnet_ring_names[VPNET_RINGS] = {
	[VPNET_ORIGIN_RX] = "receive",
	[VPNET_ORIGIN_TX] = "transmit",
};

/* When it returns, nobody looks at the window any more */
void vpnet_rings_off(struct vpnet *vp)
{
	struct netdev_queue *txq = netdev_get_tx_queue(vp->dev, 0);

	netif_carrier_off(vp->dev);

	spin_lock_bh(&vp->rx_lock);
	vp->queue[VPNET_ORIGIN_TX].on = false;
	spin_unlock_bh(&vp->rx_lock);

	__netif_tx_lock_bh(txq);
	vp->queue[VPNET_ORIGIN_RX].on = false;
	__netif_tx_unlock_bh(txq);

	WRITE_ONCE(vp->features, 0);
}

static bool vpnet_ring_setup(struct vpnet *vp, const struct vpnet_config *cfg,
			     unsigned int i, struct vpring *ring)
{
	u32 flags = 0;

	if (cfg->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX))
		flags |= VPRING_F_EVENT_IDX;
	if (cfg->features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC))
		flags |= VPRING_F_INDIRECT;
	if (i == VPNET_ORIGIN_RX)
		flags |= VPRING_F_WRITABLE;

	if (!vpring_init(ring, &vp->win, &cfg->ring[i].area, flags))
		return true;

	vpnet_inc(&vp->queue[i].count.broken);
	netdev_err(vp->dev, "origin's %s ring is unusable: %s\n",
		   vpnet_ring_names[i], vpring_strerror(ring->error));
	return false;
}

/* Called with the lock of the ring */
static void vpnet_ring_start(struct vpnet *vp, const struct vpnet_config *cfg,
			     unsigned int i, const struct vpring *ring)
{
	struct vpnet_queue *q = &vp->queue[i];

	q->ring = *ring;
	q->hdr_len = vpnet_hdr_len(cfg->features);
	q->features = cfg->features;
	q->suspect = false;
	q->on = true;
	/*
	 * A predecessor of this driver may have died between the used index
	 * and the doorbell.  One too many does no harm.
	 */
	vpnet_doorbell(vp, i);
}

/*
 * The rings must be off.  Return: false when the origin's configuration
 * cannot be used; the interface then stays without carrier.
 */
bool vpnet_rings_on(struct vpnet *vp, const struct vpnet_config *cfg)
{
	struct netdev_queue *txq = netdev_get_tx_queue(vp->dev, 0);
	struct vpring ring[VPNET_RINGS];
	unsigned int i;

	if (cfg->features & VPNET_REFUSED) {
		netdev_err(vp->dev, "origin uses unknown ring features %#llx\n",
			   cfg->features & VPNET_REFUSED);
		return false;
	}
	for (i = 0; i < VPNET_RINGS; i++)
		if (!cfg->ring[i].enabled ||
		    !vpnet_ring_setup(vp, cfg, i, &ring[i]))
			return false;

	WRITE_ONCE(vp->features, cfg->features);
	/* first: a ring that breaks at once must find it on to turn it off */
	netif_carrier_on(vp->dev);

	spin_lock_bh(&vp->rx_lock);
	vpnet_ring_start(vp, cfg, VPNET_ORIGIN_TX, &ring[VPNET_ORIGIN_TX]);
	spin_unlock_bh(&vp->rx_lock);

	__netif_tx_lock_bh(txq);
	vpnet_ring_start(vp, cfg, VPNET_ORIGIN_RX, &ring[VPNET_ORIGIN_RX]);
	__netif_tx_unlock_bh(txq);

	/* kicks from before are lost: look without one */
	if (netif_running(vp->dev))
		netif_wake_queue(vp->dev);
	vpnet_rx_schedule(vp);
	return true;
}

/*
 * The origin broke the rules of the ring: leave it alone until it comes with
 * new ones.  Called with the lock of the ring.
 *
 * Or the origin has just gone: the device withdraws its memory, of which the
 * window then reads as zero, before it tells us.  The configuration knows.
 */
void vpnet_ring_broken(struct vpnet *vp, unsigned int ring)
{
	struct vpnet_queue *q = &vp->queue[ring];

	q->on = false;
	WRITE_ONCE(q->suspect, true);
	netif_carrier_off(vp->dev);
	vpnet_config_schedule(vp);
}

/* The epoch is the same, so it was not the withdrawal of the window */
void vpnet_rings_report(struct vpnet *vp)
{
	unsigned int i;

	for (i = 0; i < VPNET_RINGS; i++) {
		struct vpnet_queue *q = &vp->queue[i];

		if (!READ_ONCE(q->suspect))
			continue;
		WRITE_ONCE(q->suspect, false);
		vpnet_inc(&q->count.broken);
		if (net_ratelimit())
			netdev_err(vp->dev, "origin's %s ring switched off: %s\n",
				   vpnet_ring_names[i],
				   vpring_strerror(q->ring.error));
	}
}
