// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver for vhost-pci-net: probe and remove.
 *
 * The device is an ordinary virtio-pci device with one virtqueue for each
 * ring of the origin, a memory window (BAR 2) onto the origin's memory, and a
 * doorbell for each ring (BAR 0).  The virtqueues carry no data.  Each holds
 * one buffer, the token, that the device has used and that is never taken
 * out: vring_interrupt() ignores an interrupt without a used entry, and so it
 * always calls us.  The interrupt means that the origin has kicked the ring.
 */
#include <linux/etherdevice.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/virtio_config.h>

#include "vhost_pci_net.h"

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

static void vpnet_config_changed(struct virtio_device *vdev)
{
	vpnet_config_schedule(vdev->priv);
}

/*
 * Where the window is.  All checks are here because none is elsewhere: Linux
 * enables a device with a BAR that found no room without an error, and maps
 * what lies below 4 GiB uncached without a word, as the MTRRs say.
 */
static int vpnet_find_window(struct vpnet *vp, struct pci_dev *pci)
{
	const struct resource *res = &pci->resource[VHOST_PCI_WINDOW_BAR];
	struct device *d = &vp->vdev->dev;
	struct virtio_shm_region shm;
	u64 size;

	virtio_cread_le(vp->vdev, struct vhost_pci_config, window_size, &size);
	if (!res->start || (res->flags & IORESOURCE_UNSET)) {
		dev_err(d, "BAR 2, the %llu MiB window, found no address: give its bridge more 64-bit space (-vhost-pci-server ...,slot-size=; pc machine: -global i440FX-pcihost.pci-hole64-size=; own root port: pref64-reserve=)\n",
			size / SZ_1M);
		return -ENOSPC;
	}
	if (res->start < SZ_4G) {
		dev_err(d, "BAR 2, the window, is at %pa, below 4 GiB, where it cannot be cached: make it 4 GiB or more (-vhost-pci-server ...,slot-size=) with as much 64-bit PCI space\n",
			&res->start);
		return -ENOSPC;
	}
	if (!size || resource_size(res) < size) {
		dev_err(d, "BAR 2, the window, has %llu bytes where the device says %llu\n",
			(u64)resource_size(res), size);
		return -EPROTO;
	}
	if (!virtio_get_shm_region(vp->vdev, &shm, VHOST_PCI_WINDOW_SHMID) ||
	    shm.addr != res->start || shm.len < size) {
		dev_err(d, "shared memory region 0 is not the window in BAR 2\n");
		return -EPROTO;
	}
	vp->win.size = size;
	return 0;
}

static int vpnet_map(struct vpnet *vp, struct pci_dev *pci)
{
	const int bars = BIT(VHOST_PCI_DOORBELL_BAR) |
			 BIT(VHOST_PCI_WINDOW_BAR);
	int err;

	err = vpnet_find_window(vp, pci);
	if (err)
		return err;
	if (pci_resource_len(pci, VHOST_PCI_DOORBELL_BAR) <
	    vpnet_rings(vp) * VHOST_PCI_DOORBELL_STRIDE) {
		dev_err(&vp->vdev->dev, "BAR 0 is too small for the doorbells\n");
		return -EPROTO;
	}

	err = pci_request_selected_regions(pci, bars, VPNET_DRV_NAME);
	if (err)
		return err;

	err = -ENOMEM;
	vp->doorbells = pci_iomap(pci, VHOST_PCI_DOORBELL_BAR, 0);
	if (!vp->doorbells)
		goto release;
	/* memory of another VM, coherent with ours: cached like our own */
	vp->win.base = memremap(pci_resource_start(pci, VHOST_PCI_WINDOW_BAR),
				vp->win.size, MEMREMAP_WB);
	if (!vp->win.base)
		goto unmap;
	return 0;

unmap:
	pci_iounmap(pci, vp->doorbells);
release:
	pci_release_selected_regions(pci, bars);
	return err;
}

static void vpnet_unmap(struct vpnet *vp, struct pci_dev *pci)
{
	memunmap(vp->win.base);
	pci_iounmap(pci, vp->doorbells);
	pci_release_selected_regions(pci, BIT(VHOST_PCI_DOORBELL_BAR) |
					  BIT(VHOST_PCI_WINDOW_BAR));
}

static int vpnet_find_vqs(struct vpnet *vp)
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

/* They are gone already after a resume that failed */
static void vpnet_del_vqs(struct vpnet *vp)
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
	/* the next ones know no CPU */
	vp->pairs_spread = 0;
}

/* Make interrupts audible, and read the configuration for the first time */
static int vpnet_start(struct vpnet *vp)
{
	unsigned int i;
	int err;

	vpnet_driver_tell(vp);
	virtio_device_ready(vp->vdev);
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
	/*
	 * Only now: a change before virtio_device_ready() raised no interrupt,
	 * so what was read before it could be stale for ever.
	 */
	vp->adopted = false;
	WRITE_ONCE(vp->stopping, false);
	vpnet_config_schedule(vp);
	return 0;
}

/*
 * The rings are off, so the device may take the memory away, which a reset
 * allows it to do.
 */
static void vpnet_reset(struct vpnet *vp)
{
	/* the reset waits for a status of 0, which one that is gone never has */
	if (pci_device_is_present(to_pci_dev(vp->vdev->dev.parent)))
		virtio_reset_device(vp->vdev);
	else
		virtio_break_device(vp->vdev);
}

static void vpnet_pair_init(struct vpnet *vp, struct vpnet_pair *pair)
{
	unsigned int i;

	pair->vp = vp;
	spin_lock_init(&pair->rx_lock);
	vpnet_rxbuf_init(&pair->rxbuf);
	vpnet_coalesce_init(&pair->coalesce);
	for (i = 0; i < VPNET_PAIR_RINGS; i++)
		u64_stats_init(&pair->queue[i].stats.sync);
}

static int vpnet_alloc(struct vpnet *vp)
{
	unsigned int i;

	INIT_DELAYED_WORK(&vp->config_work, vpnet_config_work);
	INIT_DELAYED_WORK(&vp->rxbuf_work, vpnet_rx_shrink_work);
	INIT_WORK(&vp->netdev_work, vpnet_netdev_work);
	get_random_bytes(vp->hash_key, sizeof(vp->hash_key));
	/* the device writes to them: not in netdev_priv(), maybe vmalloc */
	vp->tokens = kzalloc(vpnet_rings(vp), GFP_KERNEL);
	vp->pair = kvcalloc(vp->pairs, sizeof(*vp->pair), GFP_KERNEL);
	if (!vp->tokens || !vp->pair)
		return -ENOMEM;
	for (i = 0; i < vp->pairs; i++)
		vpnet_pair_init(vp, &vp->pair[i]);
	for (i = 0; i < vpnet_rings(vp); i++) {
		struct vpnet_queue *q = vpnet_ring(vp, i);

		q->segs = kvcalloc(VPRING_MAX_SEGS, sizeof(*q->segs),
				   GFP_KERNEL);
		if (!q->segs)
			return -ENOMEM;
	}
	return 0;
}

static void vpnet_free(struct vpnet *vp)
{
	struct vpnet_pair *pairs = vp->pair;
	unsigned int i;

	if (pairs) {
		for (i = 0; i < vpnet_rings(vp); i++) {
			kvfree(vpnet_ring(vp, i)->segs);
			kvfree(vpnet_ring(vp, i)->done);
		}
	}
	kfree(vp->tokens);
	/* takes the NAPI contexts, which are in the pairs, off its list */
	free_netdev(vp->dev);
	kvfree(pairs);
}

static int vpnet_probe(struct virtio_device *vdev)
{
	struct vpnet_layout layout;
	struct net_device *dev;
	unsigned int pairs;
	struct pci_dev *pci;
	struct vpnet *vp;
	int err;

	if (!vdev->config->get || !dev_is_pci(vdev->dev.parent)) {
		dev_err(&vdev->dev, "not a PCI device\n");
		return -ENODEV;
	}
	pci = to_pci_dev(vdev->dev.parent);

	err = vpnet_config_check(vdev, &layout);
	if (err)
		return err;
	pairs = layout.rings / VPNET_PAIR_RINGS;
	dev = alloc_etherdev_mqs(sizeof(*vp), pairs, pairs);
	if (!dev)
		return -ENOMEM;
	SET_NETDEV_DEV(dev, &vdev->dev);
	vp = netdev_priv(dev);
	vp->dev = dev;
	vp->vdev = vdev;
	vp->layout = layout;
	vp->pairs = pairs;
	vdev->priv = vp;

	err = vpnet_alloc(vp);
	if (err)
		goto free;
	err = vpnet_map(vp, pci);
	if (err)
		goto free;
	vpnet_netdev_setup(vp);
	err = vpnet_find_vqs(vp);
	if (err)
		goto unmap;
	err = register_netdev(dev);
	if (err)
		goto del_vqs;
	err = vpnet_tc_start(vp);
	if (err)
		goto unregister;
	err = vpnet_start(vp);
	if (err)
		goto stop_tc;

	netdev_info(dev, "window of %llu MiB at %pa, up to %u queue pairs\n",
		    vp->win.size / SZ_1M,
		    &pci->resource[VHOST_PCI_WINDOW_BAR].start, vp->pairs);
	return 0;

stop_tc:
	vpnet_tc_stop(vp);
unregister:
	unregister_netdev(dev);
	vpnet_reset(vp);
del_vqs:
	vpnet_del_vqs(vp);
unmap:
	vpnet_unmap(vp, pci);
free:
	vpnet_free(vp);
	return err;
}

static void vpnet_remove(struct virtio_device *vdev)
{
	struct vpnet *vp = vdev->priv;

	/* first: it reports a loss of carrier, for a registered interface */
	vpnet_config_stop(vp);
	unregister_netdev(vp->dev);
	/* it tells us once more of all devices, so only now */
	vpnet_tc_stop(vp);
	vpnet_reset(vp);
	vpnet_del_vqs(vp);
	vpnet_unmap(vp, to_pci_dev(vdev->dev.parent));
	vpnet_free(vp);
}

static int __maybe_unused vpnet_freeze(struct virtio_device *vdev)
{
	struct vpnet *vp = vdev->priv;

	vpnet_config_stop(vp);
	rtnl_lock();
	netif_device_detach(vp->dev);
	vpnet_napi_disable(vp);
	rtnl_unlock();
	vpnet_reset(vp);
	vpnet_del_vqs(vp);
	return 0;
}

/*
 * When it fails, or is not called because the virtio core has failed before,
 * the interface stays detached, without NAPI and without virtqueues, and can
 * be set down and removed.
 */
static int __maybe_unused vpnet_restore(struct virtio_device *vdev)
{
	struct vpnet *vp = vdev->priv;
	int err;

	err = vpnet_find_vqs(vp);
	if (err)
		return err;
	rtnl_lock();
	if (netif_running(vp->dev))
		vpnet_napi_enable(vp);
	netif_device_attach(vp->dev);
	rtnl_unlock();
	return vpnet_start(vp);
}

static const struct virtio_device_id vpnet_ids[] = {
	{ VIRTIO_ID_VHOST_PCI_NET, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, vpnet_ids);

static struct virtio_driver vpnet_driver = {
	.driver.name	= VPNET_DRV_NAME,
	.driver.owner	= THIS_MODULE,
	.id_table	= vpnet_ids,
	.probe		= vpnet_probe,
	.remove		= vpnet_remove,
	.config_changed	= vpnet_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze		= vpnet_freeze,
	.restore	= vpnet_restore,
#endif
};
module_virtio_driver(vpnet_driver);

MODULE_DESCRIPTION("Network interface onto another VM's virtio-net (vhost-pci-net)");
MODULE_VERSION(VPNET_DRV_VERSION);
MODULE_LICENSE("GPL");
