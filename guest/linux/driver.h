/* SPDX-License-Identifier: GPL-2.0-only */
/* What the origin learns from this driver, and the origin's announcements */
#ifndef VHOST_PCI_DRIVER_H
#define VHOST_PCI_DRIVER_H

#include "vhost_pci_net.h"

void vpnet_driver_tell(struct vpnet *vp);
void vpnet_driver_tell_up(struct vpnet *vp, bool up);
void vpnet_driver_announce(struct vpnet *vp, const u8 *mac);

#endif /* VHOST_PCI_DRIVER_H */
