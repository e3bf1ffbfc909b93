/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C <-> C# boundary of VhostPciPlugin: the interface "vhost-pci" on top of
 * dotnet_host_abi.h, whose rules hold here.
 *
 * C# decides, C does: nothing in here carries policy.
 */
#ifndef VHOST_PCI_ABI_H
#define VHOST_PCI_ABI_H

#include "dotnet_host_abi.h"

/* Raised with every change of a struct, an enum value or a meaning in here */
#define VHOST_PCI_ABI_VERSION 12u

/* The name that dotnet_api.get_interface() finds it by */
#define VHOST_PCI_INTERFACE "vhost-pci"

#define VHOST_PCI_UUID_SIZE 16
#define VHOST_PCI_MAC_SIZE 6

/* Which trace event vhost_pci_host.trace fires; see native/trace-events */
enum vhost_pci_trace_event {
    VHOST_PCI_TRACE_ACCEPT = 0,         /* id connection, a pid, b uid */
    VHOST_PCI_TRACE_REFUSE = 1,         /* id server, a pid, b uid */
    VHOST_PCI_TRACE_MESSAGE = 2,        /* id connection, a request, b size */
    VHOST_PCI_TRACE_CLOSE = 3,          /* id connection */
    VHOST_PCI_TRACE_PLUG = 4,           /* id connection, a slot */
    VHOST_PCI_TRACE_UNPLUG = 5,         /* id connection, a slot, b attempt */
    VHOST_PCI_TRACE_MAP = 6,            /* id device, a guest address, b size */
    VHOST_PCI_TRACE_CLEAR = 7,          /* id device, a bytes unmapped */
    VHOST_PCI_TRACE_BIND = 8,           /* id device, a ring, b 0 kick 1 call */
    VHOST_PCI_TRACE_EPOCH = 9,          /* id device, a epoch, b link */
    VHOST_PCI_TRACE_ACK = 10,           /* id device, a epoch acked */
    VHOST_PCI_TRACE_STATUS = 11,        /* id device, a virtio status */
    VHOST_PCI_TRACE_CLIENT_LINK = 12,   /* id client, a link */
    VHOST_PCI_TRACE_CLIENT_MESSAGE = 13,/* id client, a request, b size */
};

/* Which of the two eventfds of a ring; the names are the origin's */
enum vhost_pci_ring_fd {
    VHOST_PCI_RING_KICK = 0,    /* the origin signals it: our interrupt */
    VHOST_PCI_RING_CALL = 1,    /* the doorbell signals it: the origin's */
    VHOST_PCI_RING_ERR = 2,     /* client side only */
};

/* What is no descriptor in struct vhost_pci_ring_files */
#define VHOST_PCI_RING_FD_NONE (-1) /* disconnect it */
#define VHOST_PCI_RING_FD_KEEP (-2) /* leave it as it is */

/* How vhost_pci_api.report writes */
enum vhost_pci_report_format {
    VHOST_PCI_REPORT_TEXT = 0,  /* "info vhost-pci" */
    VHOST_PCI_REPORT_JSON = 1,  /* VhostPciInfo of native/qapi/vhost-pci.json */
    VHOST_PCI_REPORT_VERBOSE = 2, /* "info vhost-pci -v" */
};

/* -device vhost-pci-server,... */
struct vhost_pci_server_config {
    const char *id;             /* user's id, or the bus name */
    const char *socket_path;    /* file that the chardev made, or NULL */
    const char *allow_uid;      /* allow-uid=, or NULL: everybody */
    const char *slot_buses;     /* slots=, or NULL: the bridge's own bus */
    const char *dump;           /* dump=: file for all messages, or NULL */
    int32_t listen_fd;          /* listening UNIX socket, non-blocking */
    uint32_t connections;       /* limit; chardev's connections= */
    uint64_t slot_size;         /* slot-size=: bytes of window per device */
    uint64_t max_memory;        /* guest RAM of this VM with hot-plug room */
    uint32_t phys_bits;         /* guest-physical address bits */
    uint32_t allow_unsealed;    /* allow-unsealed=on */
    uint32_t slots;             /* usable device numbers of a bridge's bus */
    uint32_t log_level;         /* log-level=: enum dotnet_log_level */
    uint32_t uid;               /* this process's, which owns the socket */
    uint32_t unplug_delay;      /* unplug-delay=: seconds */
    uint32_t queues_max;        /* queues-max=: queue pairs of one origin */
    uint32_t plug_rate;         /* plug-rate=: devices a minute and user */
};

/* -device vhost-pci-net,server=...: there from the start */
struct vhost_pci_static_config {
    const char *id;             /* user's id, or NULL */
    const char *peer_name;      /* peer-name=, or NULL: any origin */
    const char *bus;            /* name of the bus it is on */
    uint64_t window_size;       /* window-size=; 0: the server's slot-size */
    uint32_t slot;              /* its device number there */
    uint8_t mac[VHOST_PCI_MAC_SIZE]; /* mac=; zero: made by the library */
    uint16_t queue_pairs;       /* queues=: the most that an origin may have */
};

/* Read-only properties of a vhost-pci-server */
struct vhost_pci_server_counters {
    uint64_t accepted;          /* connections since the start */
    uint64_t refused;           /* turned away or thrown out since then */
    uint64_t messages;          /* received since then */
    uint64_t connections;       /* now */
    uint64_t devices;           /* now, with those on their way out */
};

/* Bridges and what each must reserve; see docs/adr/0004 */
struct vhost_pci_bridge_plan {
    uint64_t pref64_reserve;    /* bytes of 64-bit prefetchable window */
    uint64_t mem_reserve;       /* bytes of 32-bit window */
    uint64_t ovmf_mmio64_mib;   /* what opt/ovmf/X-PciMmio64Mb must hold; 0:
                                   leave it as it is */
    uint32_t bridges;           /* 1: the server itself; more: beside it, with
                                   ids and buses ID.bridge1 and so on */
    uint32_t reserved;
};

/* The bridge's prefetchable window as the firmware programmed it */
struct vhost_pci_bridge_window {
    uint64_t base;
    uint64_t limit;             /* last byte; below base: not programmed */
    uint32_t bus;               /* number of the bus; 0: the firmware has not
                                   been there */
    uint32_t reserved;
};

/* What the library wants of a new vhost-pci-net device */
struct vhost_pci_device_plan {
    void *window;               /* host address of BAR 2, page-aligned */
    uint64_t window_size;       /* bytes, a power of two */
    uint32_t rings;             /* origin rings: local virtqueues */
    uint32_t config_size;       /* bytes of device configuration */
};

/* The eventfds of a ring: numbers of descriptors or VHOST_PCI_RING_FD_* */
struct vhost_pci_ring_files {
    int32_t kick;
    int32_t call;
};

/* Counted by the shim; what KVM does by itself nobody counts */
struct vhost_pci_ring_counters {
    uint64_t kicks;             /* sum read from the kick eventfd */
    uint64_t interrupts;        /* MSI-X messages sent for them */
    uint64_t doorbells;         /* writes seen by QEMU; 0 when KVM takes them */
};

/* virtio-net-pci,vhost-pci-client= */
struct vhost_pci_client_config {
    const char *id;             /* of the virtio-net device */
    uint8_t mac[VHOST_PCI_MAC_SIZE];
    uint16_t mtu;               /* bytes; 0: not set */
    uint32_t queue_pairs;
    uint8_t uuid[VHOST_PCI_UUID_SIZE]; /* of this VM; zero: none */
    uint64_t memory_end;        /* highest guest address + 1, hot-plug room
                                   included */
};

/* One shared section of the origin's RAM */
struct vhost_pci_memory_region {
    uint64_t guest_address;
    uint64_t size;
    uint64_t fd_offset;
    int32_t fd;                 /* equal numbers are the same file */
    int32_t seals;              /* F_GET_SEALS; negative: a file without any */
    const char *backend;        /* id of its memory backend */
};

/* A ring as QEMU's vhost core has it: guest-physical addresses */
struct vhost_pci_vring {
    uint64_t desc;
    uint64_t avail;
    uint64_t used;
    uint32_t index;
    uint32_t reserved;
};

/* What QEMU does for the library */
struct vhost_pci_host {
    uint32_t version;           /* VHOST_PCI_ABI_VERSION */
    uint32_t size;              /* sizeof(struct vhost_pci_host) */

    /* Fire a trace event */
    void (*trace)(uint32_t event, uint64_t id, uint64_t a, uint64_t b);

    /*
     * Hot-plug a vhost-pci-net with this id on a bus; NULL: the server's.
     * The shim calls device_attach() for object before this returns.
     */
    int (*plug_device)(void *server, uint64_t object, const char *bus,
                       uint32_t slot, const char *id,
                       struct dotnet_error *err);
    /* bus: of a port or bridge with this id; NULL: the server's own */
    void (*bridge_window)(void *server, const char *bus,
                          struct vhost_pci_bridge_window *out);

    /* Ask the guest to let the device go; may be asked again */
    int (*unplug_device)(void *device, struct dotnet_error *err);
    /* Config interrupt (when DRIVER_OK) */
    void (*config_changed)(void *device);
    /*
     * Connect an eventfd: kick to ring's interrupt, call to ring's doorbell.
     * fd < 0 disconnects and must come before fd is closed.  A call is
     * signalled once, because its driver may have missed the one before.
     */
    int (*bind_ring)(void *device, uint32_t ring, uint32_t which, int32_t fd);
    /*
     * The same for the first count rings at once: QEMU and KVM change their
     * tables once, before this returns.
     */
    int (*bind_rings)(void *device, const struct vhost_pci_ring_files *files,
                      uint32_t count);
    /* Raise ring's interrupt now, as if the origin had kicked */
    void (*raise_ring)(void *device, uint32_t ring);
    void (*ring_counters)(void *device, uint32_t ring,
                          struct vhost_pci_ring_counters *out);
    /*
     * Whether an access to the window found a page gone since the last call.
     * All of the window is anonymous memory since then.
     */
    uint32_t (*take_window_fault)(void *device);

    /* Link of the origin's virtio-net: starts and stops its rings */
    void (*client_link)(void *client, uint32_t up);
    /* virtio features that the driver has accepted; 0 without one */
    uint64_t (*client_driver_features)(void *client);
    /* What to offer of client_features() from the next reset on */
    void (*client_offer)(void *client, uint64_t features);
    /* Set DEVICE_NEEDS_RESET */
    void (*client_ask_for_reset)(void *client);
    /* Drop the chardev's connection (later, from the main loop) */
    void (*client_disconnect)(void *client);
};

/* What the library does for QEMU */
struct vhost_pci_api {
    uint32_t version;           /* VHOST_PCI_ABI_VERSION */
    uint32_t size;              /* sizeof(struct vhost_pci_api) */

    /* Sizes for the bridge, before it is realized; no object is made */
    int (*server_plan)(const struct vhost_pci_server_config *config,
                       struct vhost_pci_bridge_plan *plan,
                       struct dotnet_error *err);
    int (*server_create)(void *server,
                         const struct vhost_pci_server_config *config,
                         uint64_t *object, struct dotnet_error *err);
    void (*server_destroy)(uint64_t object);
    /* What is below level is not shown; the trace events are not touched */
    void (*server_set_log_level)(uint64_t object, uint32_t level);
    void (*server_counters)(uint64_t object,
                            struct vhost_pci_server_counters *out);

    /* A static device; device_attach() comes next, device_release() last */
    int (*device_create)(uint64_t server,
                         const struct vhost_pci_static_config *config,
                         uint64_t *object, struct dotnet_error *err);
    /*
     * realize: reserve the window; object is from plug_device or
     * device_create
     */
    int (*device_attach)(uint64_t object, void *device,
                         struct vhost_pci_device_plan *plan,
                         struct dotnet_error *err);
    /* realize is complete: interrupts and doorbells may be bound from here */
    void (*device_ready)(uint64_t object);
    /* unrealize: everything is unbound and the window is anonymous on return */
    void (*device_detach)(uint64_t object);
    /* finalize: no vCPU can reach the window any more, unmap it */
    void (*device_release)(uint64_t object);

    /* Copy the whole configuration, length bytes; allocates nothing */
    void (*device_read_config)(uint64_t object, void *config, uint32_t length);
    /* The guest wrote some of it; config is the whole, as virtio has it */
    void (*device_write_config)(uint64_t object, const void *config,
                                uint32_t length);
    /* link=: the user switches the link off and on; up without a call */
    void (*device_set_link)(uint64_t object, uint32_t up);
    /*
     * After each write of the virtio device status; bar is BAR 2's address in
     * the guest, UINT64_MAX when it has none
     */
    void (*device_set_status)(uint64_t object, uint32_t status, uint64_t bar);

    /* An access found a page of the window gone; see take_window_fault */
    void (*device_window_fault)(uint64_t object);
    /*
     * A vCPU found a page of some window gone, and nobody knows which.  Ends
     * the first connection whose memory is not what it was; whether one was.
     */
    uint32_t (*check_windows)(void);

    /* The origin's half */
    int (*client_create)(void *client,
                         const struct vhost_pci_client_config *config,
                         uint64_t *object, struct dotnet_error *err);
    void (*client_destroy)(uint64_t object);
    /* The chardev connected; the library duplicates fd */
    void (*client_connected)(uint64_t object, int32_t fd);
    void (*client_disconnected)(uint64_t object);
    /* virtio feature bits that the device may offer to its driver */
    uint64_t (*client_features)(uint64_t object);
    int (*client_set_features)(uint64_t object, uint64_t features);
    /* The driver has chosen its features, maybe after a reset */
    void (*client_negotiated)(uint64_t object);
    /*
     * What it has switched since: guest offloads that are on, as virtio-net
     * feature bits, and its address (VHOST_PCI_MAC_SIZE bytes)
     */
    int (*client_driver_state)(uint64_t object, uint64_t offloads,
                               const uint8_t *mac);
    /* QEMU itself sends a frame for the device: an announcement */
    void (*client_frame)(uint64_t object, const void *frame, uint32_t length);
    int (*client_set_memory)(uint64_t object,
                             const struct vhost_pci_memory_region *regions,
                             uint32_t count);
    int (*client_set_vring_num)(uint64_t object, uint32_t index, uint32_t num);
    int (*client_set_vring_base)(uint64_t object, uint32_t index,
                                 uint32_t base);
    int (*client_set_vring_addr)(uint64_t object,
                                 const struct vhost_pci_vring *vring);
    /* which: enum vhost_pci_ring_fd; fd -1: none (polling) */
    int (*client_set_vring_fd)(uint64_t object, uint32_t index, uint32_t which,
                               int32_t fd);
    int (*client_enable)(uint64_t object, uint32_t index, uint32_t enable);
    /*
     * Stop a ring: returns once the mirror cannot touch it any more, waiting a
     * bounded time; where the ring stands by its descriptors and device area,
     * which are in this process's memory, or NULL; or -errno
     */
    int64_t (*client_get_vring_base)(uint64_t object, uint32_t index,
                                     uint32_t num, void *desc, void *used);

    /*
     * Everything that the monitor shows, as text or JSON (UTF-8, no NUL).
     * Returns the bytes needed; writes only when they fit into size.
     */
    int64_t (*report)(uint32_t format, char *buffer, uint64_t size);
};

#endif /* VHOST_PCI_ABI_H */
