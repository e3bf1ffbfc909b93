/* SPDX-License-Identifier: GPL-2.0-only */
/* Rounds of receive work */
#ifndef VHOST_PCI_POLL_H
#define VHOST_PCI_POLL_H

#include "vhost_pci_net.h"

int vpnet_poll(struct napi_struct *napi, int budget);
void vpnet_poll_schedule(struct vpnet_pair *pair);
void vpnet_poll_settle(struct vpnet_pair *pair);
void vpnet_poll_shrink_work(struct work_struct *work);

#endif /* VHOST_PCI_POLL_H */
