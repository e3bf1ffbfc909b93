/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct vhost_pci_host: main loop, timers, log and trace for the library.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "vhost-pci.h"
#include "trace.h"

/* One watched descriptor; the key is the descriptor */
typedef struct Watch {
    uint64_t object;
    int fd;
} Watch;

/* One armed timer; the key is the object */
typedef struct Timer {
    uint64_t object;
    QEMUTimer timer;
} Timer;

static GHashTable *watches;
static GHashTable *timers;

static void host_log(uint32_t level, const char *text, uint32_t length)
{
    g_autofree char *line = g_strndup(text, length);

    switch (level) {
    case VHOST_PCI_LOG_ERROR:
        error_report("%s", line);
        break;
    case VHOST_PCI_LOG_WARNING:
        warn_report("%s", line);
        break;
    case VHOST_PCI_LOG_INFO:
        info_report("%s", line);
        break;
    default:
        trace_vhost_pci_log(line);
        break;
    }
}

static uint32_t host_log_enabled(uint32_t level)
{
    return level != VHOST_PCI_LOG_DEBUG ||
           trace_event_get_state_backends(TRACE_VHOST_PCI_LOG);
}

static void host_trace(uint32_t event, uint64_t id, uint64_t a, uint64_t b)
{
    switch (event) {
    case VHOST_PCI_TRACE_ACCEPT:
        trace_vhost_pci_accept(id, a, b);
        break;
    case VHOST_PCI_TRACE_REFUSE:
        trace_vhost_pci_refuse(id, a, b);
        break;
    case VHOST_PCI_TRACE_MESSAGE:
        trace_vhost_pci_message(id, a, b);
        break;
    case VHOST_PCI_TRACE_CLOSE:
        trace_vhost_pci_close(id);
        break;
    case VHOST_PCI_TRACE_PLUG:
        trace_vhost_pci_plug(id, a);
        break;
    case VHOST_PCI_TRACE_UNPLUG:
        trace_vhost_pci_unplug(id, a, b);
        break;
    case VHOST_PCI_TRACE_MAP:
        trace_vhost_pci_map(id, a, b);
        break;
    case VHOST_PCI_TRACE_CLEAR:
        trace_vhost_pci_clear(id, a);
        break;
    case VHOST_PCI_TRACE_BIND:
        trace_vhost_pci_bind(id, a, b);
        break;
    case VHOST_PCI_TRACE_EPOCH:
        trace_vhost_pci_epoch(id, a, b);
        break;
    case VHOST_PCI_TRACE_ACK:
        trace_vhost_pci_ack(id, a);
        break;
    case VHOST_PCI_TRACE_STATUS:
        trace_vhost_pci_status(id, a);
        break;
    case VHOST_PCI_TRACE_CLIENT_LINK:
        trace_vhost_pci_client_link(id, a);
        break;
    case VHOST_PCI_TRACE_CLIENT_MESSAGE:
        trace_vhost_pci_client_message(id, a, b);
        break;
    }
}

/* The library may drop the watch, which frees @w, before these return */
static void watch_readable(void *opaque)
{
    Watch *w = opaque;

    vhost_pci_library_loaded()->fd_ready(w->object, w->fd, VHOST_PCI_FD_READ);
}

static void watch_writable(void *opaque)
{
    Watch *w = opaque;

    vhost_pci_library_loaded()->fd_ready(w->object, w->fd,
                                         VHOST_PCI_FD_WRITE);
}

static void host_watch_fd(uint64_t object, int32_t fd, uint32_t events)
{
    Watch *w;

    if (!watches) {
        watches = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    }
    w = g_hash_table_lookup(watches, GINT_TO_POINTER(fd));
    if (!events) {
        if (w) {
            qemu_set_fd_handler(fd, NULL, NULL, NULL);
            g_hash_table_remove(watches, GINT_TO_POINTER(fd));
        }
        return;
    }
    if (!w) {
        w = g_new0(Watch, 1);
        w->fd = fd;
        g_hash_table_insert(watches, GINT_TO_POINTER(fd), w);
    }
    w->object = object;
    qemu_set_fd_handler(fd, events & VHOST_PCI_FD_READ ? watch_readable : NULL,
                        events & VHOST_PCI_FD_WRITE ? watch_writable : NULL,
                        w);
}

static void timer_gone(gpointer opaque)
{
    Timer *t = opaque;

    timer_deinit(&t->timer);
    g_free(t);
}

static void timer_run(void *opaque)
{
    Timer *t = opaque;
    uint64_t object = t->object;

    g_hash_table_remove(timers, &t->object);
    vhost_pci_library_loaded()->timer_fired(object);
}

static void host_arm_timer(uint64_t object, uint32_t ms)
{
    Timer *t;

    if (!timers) {
        timers = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                       timer_gone);
    }
    t = g_hash_table_lookup(timers, &object);
    if (!ms) {
        if (t) {
            timer_del(&t->timer);
            g_hash_table_remove(timers, &object);
        }
        return;
    }
    if (!t) {
        t = g_new0(Timer, 1);
        t->object = object;
        timer_init_ms(&t->timer, QEMU_CLOCK_REALTIME, timer_run, t);
        g_hash_table_insert(timers, &t->object, t);
    }
    timer_mod(&t->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + ms);
}

const struct vhost_pci_host vhost_pci_host = {
    .version = VHOST_PCI_ABI_VERSION,
    .size = sizeof(struct vhost_pci_host),
    .log = host_log,
    .log_enabled = host_log_enabled,
    .trace = host_trace,
    .watch_fd = host_watch_fd,
    .arm_timer = host_arm_timer,
    .close_later = vhost_pci_close_later,
    .unclosed = vhost_pci_unclosed,
    .plug_device = vhost_pci_server_plug,
    .bridge_window = vhost_pci_server_window,
    .unplug_device = vhost_pci_net_unplug,
    .config_changed = vhost_pci_net_config_changed,
    .bind_ring = vhost_pci_net_bind,
    .bind_rings = vhost_pci_net_bind_rings,
    .raise_ring = vhost_pci_net_raise,
    .ring_counters = vhost_pci_net_counters,
    .take_window_fault = vhost_pci_net_take_fault,
    .client_link = vhost_pci_client_link,
    .client_driver_features = vhost_pci_client_driver_features,
    .client_offer = vhost_pci_client_offer,
    .client_ask_for_reset = vhost_pci_client_ask_for_reset,
    .client_disconnect = vhost_pci_client_disconnect,
};
