// SPDX-License-Identifier: GPL-2.0-only
/*
 * The origin's kicks.
 *
 * There is one virtqueue for each ring of the origin; its interrupt means that
 * the origin has kicked the ring.  It carries no data.  It holds one buffer,
 * the token, which the device has used and which we never take out:
 * vring_interrupt() ignores an interrupt without a used entry.
 */
#include <linux/netdevice.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "kick.h"

/* The origin has put frames into its transmit ring */
static void vpnet_kick_tx(struct virtqueue *vq)
{
	struct vpnet *vp = vq->vdev->priv;
	struct vpnet_pair *pair = &vp->pair[vq->index / VPNET_PAIR_RINGS];

	vpnet_inc(&pair->queue[VPNET_ORIGIN_TX].count.kicks);
	napi_schedule(&pair->napi);
}

/* The origin has put buffers into its receive ring, for which we have asked */
static void vpnet_kick_rx(struct virtqueue *vq)
{
	struct vpnet *vp = vq->vdev->priv;
	unsigned int n = vq->index / VPNET_PAIR_RINGS;
	struct netdev_queue *txq = netdev_get_tx_queue(vp->dev, n);

	vpnet_inc(&vp->pair[n].queue[VPNET_ORIGIN_RX].count.kicks);
	if (netif_running(vp->dev) && netif_tx_queue_stopped(txq))
		netif_tx_wake_queue(txq);
}

int vpnet_kick_find_vqs(struct vpnet *vp)
{
	struct vpnet_vqs {
		const char *name[VPNET_MAX_RINGS];
		vq_callback_t *kick[VPNET_MAX_RINGS];
		struct virtqueue *vq[VPNET_MAX_RINGS];
	} *t;
	unsigned int i;
	int err;

	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	for (i = 0; i < vpnet_rings(vp); i++) {
		bool rx = i % VPNET_PAIR_RINGS == VPNET_ORIGIN_RX;
		struct vpnet_queue *q = vpnet_ring(vp, i);

		/* the virtio core keeps the pointer */
		snprintf(q->name, sizeof(q->name), "origin%u-%s",
			 i / VPNET_PAIR_RINGS, rx ? "rx" : "tx");
		t->name[i] = q->name;
		t->kick[i] = rx ? vpnet_kick_rx : vpnet_kick_tx;
	}
	err = virtio_find_vqs(vp->vdev, i, t->vq, t->kick, t->name, NULL);
	for (i = 0; !err && i < vpnet_rings(vp); i++) {
		struct vpnet_queue *q = vpnet_ring(vp, i);

		q->vq = t->vq[i];
		q->doorbell = vp->doorbells + i * VHOST_PCI_DOORBELL_STRIDE;
	}
	kfree(t);
	return err;
}

/* There are none after a failed resume */
void vpnet_kick_del_vqs(struct vpnet *vp)
{
	unsigned int i;

	if (!vpnet_ring(vp, 0)->vq)
		return;
	for (i = 0; i < vpnet_rings(vp); i++) {
		struct vpnet_queue *q = vpnet_ring(vp, i);

		while (virtqueue_detach_unused_buf(q->vq))
			;
		q->vq = NULL;
	}
	vp->vdev->config->del_vqs(vp->vdev);
	/* the next ones have no affinity */
	vp->pairs_spread = 0;
}

/* Give each queue its token, without which its interrupts would be ignored */
int vpnet_kick_listen(struct vpnet *vp)
{
	unsigned int i;
	int err;

	for (i = 0; i < vpnet_rings(vp); i++) {
		struct virtqueue *vq = vpnet_ring(vp, i)->vq;
		struct scatterlist sg;

		sg_init_one(&sg, &vp->tokens[i], 1);
		err = virtqueue_add_inbuf(vq, &sg, 1, &vp->tokens[i],
					  GFP_KERNEL);
		if (err)
			return err;
		virtqueue_kick(vq);
	}
	return 0;
}
