/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking the origin's rings into use and letting go of them */
#ifndef VHOST_PCI_LINK_H
#define VHOST_PCI_LINK_H

#include "vhost_pci_net.h"

void vpnet_rings_off(struct vpnet *vp);
bool vpnet_rings_on(struct vpnet *vp, const struct vpnet_config *cfg);
u64 vpnet_rings_suspect(const struct vpnet *vp);
void vpnet_rings_report(struct vpnet *vp, u64 suspects);

#endif /* VHOST_PCI_LINK_H */
