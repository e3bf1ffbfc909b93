/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a vhost-pci-net, which net-pci.c and irqfd.c share.
 */
#ifndef HW_VHOST_PCI_NET_PCI_H
#define HW_VHOST_PCI_NET_PCI_H

#include "qemu/event_notifier.h"
#include "chardev/char-fe.h"
#include "net/net.h"
#include "vhost-pci.h"

OBJECT_DECLARE_SIMPLE_TYPE(VhostPciNetPCI, VHOST_PCI_NET_PCI)

/* The two eventfds of an origin ring */
typedef struct VhostPciNetRing {
    VhostPciNetPCI *p;
    EventNotifier kick;
    EventNotifier call;
    bool kick_bound;
    bool call_bound;
    bool irqfd;                 /* KVM has the kick, and not the main loop */
    bool polled;                /* the main loop has it */
    uint16_t irqfd_vector;
    int virq;
    struct vhost_pci_ring_counters counters;
} VhostPciNetRing;

struct VhostPciNetPCI {
    VirtIOPCIProxy parent_obj;
    VhostPciNet vdev;
    uint64_t object;            /* x-object=: the library's number */
    char *server;               /* server=: this device is static */
    CharBackend chr;            /* chardev=: static, and has its own server */
    bool allow_unsealed;
    char *allow_uid;
    uint64_t own_server;        /* the library's number */
    Error *migration_blocker;
    char *peer_name;
    uint64_t window_size;
    uint16_t queues;
    MACAddr mac;
    const struct vhost_pci_api *api;
    struct vhost_pci_device_plan plan;
    bool attached;
    bool driver_ok;
    bool link_off;
    bool watching;              /* irqfd.c sees changes of vectors */
    PCIConfigWriteFunc *config_write;   /* virtio-pci's */
    MemoryRegion queue_vector;
    MemoryRegion doorbells;
    MemoryRegion window;
    bool window_allowed;
    VhostPciFaultWindow *fault;
    VhostPciNetRing ring[VHOST_PCI_MAX_RINGS];
};

/* own-server.c: the library's number of the server, or 0 */
uint64_t vhost_pci_own_server_open(VhostPciNetPCI *p, Error **errp);
/* Nothing happens when there is none */
void vhost_pci_own_server_close(VhostPciNetPCI *p);

/* net-pci.c: the main loop's way of delivering a kick */
void vhost_pci_net_kick(EventNotifier *e);

/*
 * irqfd.c: KVM delivers the kicks of each ring whose interrupt is certain to
 * be the message of its vector; the main loop delivers the others.
 */
void vhost_pci_irqfd_realize(VhostPciNetPCI *p);
void vhost_pci_irqfd_unrealize(VhostPciNetPCI *p);
/* Give the bound kick of @ring to whoever has to deliver it now */
void vhost_pci_irqfd_update(VhostPciNetPCI *p, uint32_t ring);
void vhost_pci_irqfd_update_all(VhostPciNetPCI *p);
/* Before the kick goes away: neither KVM nor the main loop has it */
void vhost_pci_irqfd_release(VhostPciNetPCI *p, uint32_t ring);

#endif /* HW_VHOST_PCI_NET_PCI_H */
