/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net's way to vhost-pci: the vhost-pci-client property.
 */
#ifndef HW_VHOST_PCI_CLIENT_H
#define HW_VHOST_PCI_CLIENT_H

#include "chardev/char-fe.h"
#include "hw/qdev-properties-system.h"  /* of DEFINE_PROP_CHR */
#include "hw/virtio/virtio-net.h"

#ifdef CONFIG_VHOST_PCI
/**
 * vhost_pci_client_attach:
 * @n: a device with vhost-pci-client=; gets its peers from here
 * @errp: what the user has to change
 */
bool vhost_pci_client_attach(VirtIONet *n, Error **errp);
/* Nothing happens when @n has another kind of peer, or none */
void vhost_pci_client_detach(VirtIONet *n);
/* The driver has switched something; nothing happens as above */
void vhost_pci_client_control(VirtIONet *n);
#else
static inline bool vhost_pci_client_attach(VirtIONet *n, Error **errp)
{
    error_setg(errp, "vhost-pci-client= is not compiled into this binary");
    return false;
}

static inline void vhost_pci_client_detach(VirtIONet *n)
{
}

static inline void vhost_pci_client_control(VirtIONet *n)
{
}
#endif

#endif /* HW_VHOST_PCI_CLIENT_H */
