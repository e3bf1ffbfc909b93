// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window onto the origin's memory (BAR 2) and the doorbells (BAR 0).
 */
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/virtio_config.h>

#include "window.h"

/*
 * Find the window.  Nobody else checks: Linux silently enables a device whose
 * BAR found no room, and silently maps what lies below 4 GiB uncached, as the
 * MTRRs say.
 */
static int vpnet_window_find(struct vpnet *vp, struct pci_dev *pci)
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

int vpnet_window_map(struct vpnet *vp)
{
	struct pci_dev *pci = to_pci_dev(vp->vdev->dev.parent);
	const int bars = BIT(VHOST_PCI_DOORBELL_BAR) |
			 BIT(VHOST_PCI_WINDOW_BAR);
	int err;

	err = vpnet_window_find(vp, pci);
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
	/* another VM's memory, coherent with ours: map it cached */
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

void vpnet_window_unmap(struct vpnet *vp)
{
	struct pci_dev *pci = to_pci_dev(vp->vdev->dev.parent);

	memunmap(vp->win.base);
	pci_iounmap(pci, vp->doorbells);
	pci_release_selected_regions(pci, BIT(VHOST_PCI_DOORBELL_BAR) |
					  BIT(VHOST_PCI_WINDOW_BAR));
}
