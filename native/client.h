/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net's way to vhost-pci: the vhost-pci-client property.
 */
#ifndef HW_VHOST_PCI_CLIENT_H
#define HW_VHOST_PCI_CLIENT_H

#include "chardev/char-fe.h"
#include "net/net.h"

#ifdef CONFIG_VHOST_PCI
/**
 * vhost_pci_client_attach:
 * @chr: the vhost-pci-client= property, set
 * @conf: the NIC; gets its peer from here
 * @nic: the virtio-net device
 * @mtu: host_mtu=, 0 when not given
 * @errp: what the user has to change
 */
bool vhost_pci_client_attach(CharBackend *chr, NICConf *conf,
                             DeviceState *nic, uint16_t mtu, Error **errp);
/* Nothing happens when @conf has another kind of peer, or none */
void vhost_pci_client_detach(NICConf *conf);
#else
static inline bool vhost_pci_client_attach(CharBackend *chr, NICConf *conf,
                                           DeviceState *nic, uint16_t mtu,
                                           Error **errp)
{
    error_setg(errp, "vhost-pci-client= is not compiled into this binary");
    return false;
}

static inline void vhost_pci_client_detach(NICConf *conf)
{
}
#endif

#endif /* HW_VHOST_PCI_CLIENT_H */
