// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many queues are used, by which CPUs.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/netdevice.h>
#include <linux/virtio_config.h>

#include "channels.h"

/*
 * Every n-th CPU uses pair n and takes its interrupts.  With fewer CPUs than
 * pairs, leave the choice to the stack, which spreads flows over all pairs and
 * so over the origin's CPUs.
 */
static void vpnet_spread(struct vpnet *vp, unsigned int pairs)
{
	unsigned int n, i, cpu;
	cpumask_var_t mask;

	if (vp->pairs_spread == pairs ||
	    !zalloc_cpumask_var(&mask, GFP_KERNEL))
		return;
	cpus_read_lock();
	for (n = 0; n < pairs && num_online_cpus() > 1; n++) {
		cpumask_clear(mask);
		i = 0;
		for_each_online_cpu(cpu) {
			if (i % pairs == n || n % num_online_cpus() == i)
				cpumask_set_cpu(cpu, mask);
			i++;
		}
		for (i = 0; i < VPNET_PAIR_RINGS; i++)
			virtqueue_set_affinity(vp->pair[n].queue[i].vq, mask);
		if (num_online_cpus() >= pairs &&
		    n < vp->dev->real_num_tx_queues)
			__netif_set_xps_queue(vp->dev, cpumask_bits(mask), n,
					      XPS_CPUS);
	}
	cpus_read_unlock();
	free_cpumask_var(mask);
	vp->pairs_spread = pairs;
}

/* As many queues as the origin has pairs; under the RTNL */
void vpnet_channels_update(struct vpnet *vp)
{
	unsigned int pairs = READ_ONCE(vp->pairs_on);
	unsigned int tx = pairs;

	/* no link: keep what there is until we know more */
	if (!pairs)
		return;
	if (vp->tx_wanted)
		tx = min(tx, vp->tx_wanted);
	if (netif_set_real_num_tx_queues(vp->dev, tx) ||
	    netif_set_real_num_rx_queues(vp->dev, pairs))
		netdev_warn(vp->dev, "cannot use %u queues\n", pairs);
	vpnet_spread(vp, pairs);
}
