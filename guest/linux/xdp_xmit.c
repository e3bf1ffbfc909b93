// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames that an XDP program redirects to this interface.  For an interface of
 * ours that they come from, remember how much room they found.
 */
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <net/xdp.h>

#include "tx.h"
#include "xdp_xmit.h"

/* Where the frames of a round went, as noted by the end that sends them */
struct vpnet_xdp_target {
	int ifindex;
	bool several;
	unsigned int frames;
	u32 room;
};

static DEFINE_PER_CPU(struct vpnet_xdp_target, vpnet_xdp_target);

/* A round of receive work begins on this CPU */
void vpnet_xdp_target_forget(void)
{
	*this_cpu_ptr(&vpnet_xdp_target) = (struct vpnet_xdp_target){};
}

/*
 * Buffers at the one target of all @redirects frames since it was forgotten;
 * many if that is not known.
 */
u32 vpnet_xdp_target_room(unsigned int redirects)
{
	const struct vpnet_xdp_target *t = this_cpu_ptr(&vpnet_xdp_target);

	/* a full target must not hold up frames for others */
	if (t->several || t->frames != redirects)
		return U32_MAX;
	return t->room;
}

/* Note the room for the interface that they come from, if it is ours */
static void vpnet_xdp_note(const struct net_device *dev, struct vpnet_queue *q,
			   int n)
{
	struct vpnet_xdp_target *t = this_cpu_ptr(&vpnet_xdp_target);

	t->several |= t->frames && t->ifindex != dev->ifindex;
	t->ifindex = dev->ifindex;
	t->frames += n;
	/* frames that nobody will take must not wait */
	t->room = vpnet_usable(q) ? vpring_room(&q->ring) : U32_MAX;
}

/* Frames that a program of another interface has redirected to this one */
int vpnet_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		   u32 flags)
{
	struct vpnet *vp = netdev_priv(dev);
	unsigned int cpu = smp_processor_id();
	unsigned int i = cpu % dev->real_num_tx_queues;
	struct netdev_queue *txq = netdev_get_tx_queue(dev, i);
	struct vpnet_queue *q = &vp->pair[i].queue[VPNET_ORIGIN_RX];
	int sent;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (unlikely(!netif_running(dev) || !netif_carrier_ok(dev)))
		return -ENETDOWN;

	__netif_tx_lock(txq, cpu);
	sent = vpnet_tx_frames(q, frames, n);
	if (flags & XDP_XMIT_FLUSH)
		vpnet_publish(q);
	vpnet_xdp_note(dev, q, n);
	txq_trans_cond_update(txq);
	__netif_tx_unlock(txq);
	/* they have been copied; the caller frees what is left */
	for (n = 0; n < sent; n++)
		xdp_return_frame(frames[n]);
	return sent;
}
