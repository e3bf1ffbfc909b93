/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chardev's listening socket, which is closed where nobody waits.
 *
 * Whoever has connected and was not accepted goes with the socket, and so does
 * what they have sent already: see dotnet-closer.c.  A second descriptor
 * outlives the chardev's, so the last close is not the main thread's.  When
 * QEMU ends it is the process's, which does not wait for sockets that linger.
 * The chardev never accepts by itself again, because it would close what it
 * has accepted.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "chardev/char-socket.h"
#include "qemu/main-loop.h"
#include "vhost-pci.h"

#define TYPE_VHOST_PCI_LISTENER "vhost-pci-listener"

OBJECT_DECLARE_SIMPLE_TYPE(VhostPciListener, VHOST_PCI_LISTENER)

/* A child of the chardev, from the first time that the socket is taken */
struct VhostPciListener {
    Object parent_obj;
    int fd;
    bool in_use;
};

static VhostPciListener *listener_find(Chardev *chr)
{
    return (VhostPciListener *)
        object_resolve_path_component(OBJECT(chr), TYPE_VHOST_PCI_LISTENER);
}

static void listener_close_bh(void *opaque)
{
    int fd = GPOINTER_TO_INT(opaque);

    /* A lane of its own: the library counts from below */
    vhost_pci_close_later(UINT64_MAX - fd, fd);
}

/* The chardev closes its own descriptor after this */
static void listener_finalize(Object *obj)
{
    aio_bh_schedule_oneshot(qemu_get_aio_context(), listener_close_bh,
                            GINT_TO_POINTER(VHOST_PCI_LISTENER(obj)->fd));
}

int vhost_pci_listener_take(Chardev *chr, uint32_t *connections, Error **errp)
{
    VhostPciListener *l = listener_find(chr);
    int fd, copy;

    if (l && !l->in_use) {
        SOCKET_CHARDEV(chr)->listener_taken = false;
    }
    fd = qemu_chr_socket_take_listener(chr, connections, errp);
    if (fd >= 0 && !l) {
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            error_setg_errno(errp, errno, "chardev '%s'", chr->label);
            SOCKET_CHARDEV(chr)->listener_taken = false;
            /* It goes on accepting */
            qemu_chr_be_update_read_handlers(chr, chr->gcontext);
            return -1;
        }
        l = VHOST_PCI_LISTENER(object_new(TYPE_VHOST_PCI_LISTENER));
        l->fd = copy;
        object_property_add_child(OBJECT(chr), TYPE_VHOST_PCI_LISTENER,
                                  OBJECT(l));
        object_unref(OBJECT(l));
    }
    if (fd >= 0) {
        l->in_use = true;
    }
    return fd;
}

void vhost_pci_listener_release(Chardev *chr)
{
    listener_find(chr)->in_use = false;
}

static const TypeInfo listener_info = {
    .name = TYPE_VHOST_PCI_LISTENER,
    .parent = TYPE_OBJECT,
    .instance_size = sizeof(VhostPciListener),
    .instance_finalize = listener_finalize,
};

static void listener_register_types(void)
{
    type_register_static(&listener_info);
}

type_init(listener_register_types)
