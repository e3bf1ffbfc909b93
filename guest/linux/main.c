// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver for vhost-pci-net: probe and remove.
 *
 * The device is an ordinary virtio-pci device with one virtqueue for each
 * ring of the origin, a memory window (BAR 2) onto the origin's memory, and a
 * doorbell for each ring (BAR 0).
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/sizes.h>
#include <linux/virtio_config.h>

#include "config.h"
#include "driver.h"
#include "kick.h"
#include "netdev.h"
#include "poll.h"
#include "tc.h"
#include "window.h"

static void vpnet_config_changed(struct virtio_device *vdev)
{
	vpnet_config_schedule(vdev->priv);
}

/* Enable interrupts and read the configuration for the first time */
static int vpnet_start(struct vpnet *vp)
{
	int err;

	vpnet_driver_tell(vp);
	virtio_device_ready(vp->vdev);
	err = vpnet_kick_listen(vp);
	if (err)
		return err;
	/*
	 * Not earlier: a change before virtio_device_ready() raises no
	 * interrupt, so what was read before could be stale for ever.
	 */
	vp->adopted = false;
	WRITE_ONCE(vp->stopping, false);
	vpnet_config_schedule(vp);
	return 0;
}

/* The rings must be off: a reset allows the device to take the memory away. */
static void vpnet_reset(struct vpnet *vp)
{
	/*
	 * the reset waits for status 0, which a device that is gone never shows
	 */
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
	vpnet_coalesce_init(&pair->coalesce, &pair->napi, &vp->coalesce);
	for (i = 0; i < VPNET_PAIR_RINGS; i++) {
		pair->queue[i].broken = vpnet_config_ring_broken;
		u64_stats_init(&pair->queue[i].stats.sync);
	}
}

static int vpnet_alloc(struct vpnet *vp)
{
	unsigned int i;

	INIT_DELAYED_WORK(&vp->config_work, vpnet_config_work);
	INIT_DELAYED_WORK(&vp->rxbuf_work, vpnet_poll_shrink_work);
	INIT_WORK(&vp->netdev_work, vpnet_netdev_work);
	get_random_bytes(vp->hash_key, sizeof(vp->hash_key));
	/* target of DMA: netdev_priv() may be vmalloc memory */
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
	/* before the pairs, whose NAPI contexts are on its list */
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
	err = vpnet_window_map(vp);
	if (err)
		goto free;
	vpnet_netdev_setup(vp);
	err = vpnet_kick_find_vqs(vp);
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
	vpnet_kick_del_vqs(vp);
unmap:
	vpnet_window_unmap(vp);
free:
	vpnet_free(vp);
	return err;
}

static void vpnet_remove(struct virtio_device *vdev)
{
	struct vpnet *vp = vdev->priv;

	/*
	 * first: it takes the carrier off, which needs a registered interface
	 */
	vpnet_config_stop(vp);
	unregister_netdev(vp->dev);
	/* not earlier: unregistering the notifier calls it for all devices */
	vpnet_tc_stop(vp);
	vpnet_reset(vp);
	vpnet_kick_del_vqs(vp);
	vpnet_window_unmap(vp);
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
	vpnet_kick_del_vqs(vp);
	return 0;
}

/*
 * If it fails, or is not called because the virtio core failed before, the
 * interface stays detached, without NAPI and virtqueues.  It can still be set
 * down and removed.
 */
static int __maybe_unused vpnet_restore(struct virtio_device *vdev)
{
	struct vpnet *vp = vdev->priv;
	int err;

	err = vpnet_kick_find_vqs(vp);
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
